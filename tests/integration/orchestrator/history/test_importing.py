"""Logs become runs, each once, and what is none goes to a file with its line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from etl.errors import SourceError, UsageError
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.fingerprint import fingerprint
from etl.orchestrator.history import ImportReport, import_history
from tests.databases import Execute

pytestmark = pytest.mark.stack

HEADER = "slug,status,scheduled_at,started_at,ended_at,parameters,correlation_id,records_read,error_message"
GOOD = 'orders,success,2026-11-01T02:00:00Z,2026-11-01T02:00:01Z,2026-11-01T02:03:00Z,"{""day"": 1}",,17,'
FAILED = 'orders,failed,2026-11-02T02:00:00Z,2026-11-02T02:00:01Z,2026-11-02T02:03:00Z,,mine,,"two\nlines"'


@pytest.fixture
def database(database: OrchestratorDatabase, execute: Execute) -> OrchestratorDatabase:
    execute("INSERT INTO dw_etl_jobs (slug, layer, kind, command) VALUES ('orders', 'gold', 'command', '{}')")
    return database


def written(folder: Path, *lines: str, name: str = "log.csv") -> Path:
    file = folder / name
    file.write_text("\n".join((HEADER, *lines)) + "\n", newline="")
    return file


def counts(report: ImportReport) -> tuple[int, int, int, int]:
    assert report.read == report.imported + report.already_there + report.rejected
    return report.read, report.imported, report.already_there, report.rejected


def test_a_log_becomes_runs(database: OrchestratorDatabase, execute: Execute, tmp_path: Path) -> None:
    report = import_history(database, written(tmp_path, GOOD, FAILED))

    assert counts(report) == (2, 2, 0, 0)
    assert report.reject_file is None
    assert not (tmp_path / "log.csv.rejects.jsonl").exists()
    runs = execute(
        "SELECT trigger, status, ready_at, cycle_id, parameters, parameter_fingerprint, records_read, error_message"
        " FROM dw_etl_runs ORDER BY run_id"
    )
    assert runs == [
        (
            "import",
            "success",
            None,
            "2026-11-01T02:00:00Z",
            {"day": 1},
            fingerprint({"day": 1}),
            17,
            None,
        ),
        ("import", "failed", None, "2026-11-02T02:00:00Z", {}, fingerprint({}), None, "two\nlines"),
    ]
    assert execute("SELECT event_type, details FROM dw_etl_run_events ORDER BY run_id") == [
        ("imported", {"file": "log.csv", "line": 2}),
        ("imported", {"file": "log.csv", "line": 3}),
    ]


def test_a_second_time_adds_nothing(database: OrchestratorDatabase, execute: Execute, tmp_path: Path) -> None:
    import_history(database, written(tmp_path, GOOD, FAILED))
    assert counts(import_history(database, written(tmp_path, GOOD, FAILED, GOOD))) == (3, 0, 3, 0)
    # the same rows as JSON, packed
    rows: list[dict[str, Any]] = [
        {
            "job": "orders",
            "status": "success",
            "scheduled_at": "2026-11-01T02:00:00Z",
            "started_at": "2026-11-01T03:00:01+01:00",
            "ended_at": "2026-11-01T02:03:00Z",
            "parameters": {"day": 1.0},
            "host": "not kept",
        },
        {"job": "orders", "status": "cancelled", "scheduled_at": "2026-11-03T02:00:00Z"},
    ]
    packed = tmp_path / "log.jsonl.gz"
    packed.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    assert counts(import_history(database, packed)) == (2, 1, 1, 0)
    assert execute("SELECT count(*) FROM dw_etl_runs") == [(3,)]
    assert execute("SELECT count(*) FROM dw_etl_run_events") == [(3,)]


def test_bad_rows_go_to_a_file_with_their_lines(
    database: OrchestratorDatabase, execute: Execute, tmp_path: Path
) -> None:
    file = written(
        tmp_path,
        FAILED,
        GOOD.replace("orders", "ordres"),
        GOOD.replace("success", "fine"),
        "orders,success",
        "",
        GOOD,
        'orders,"success" x,,,,,,,',
    )
    with file.open("ab") as more:
        more.write(GOOD.replace("success", "succ\xe9s").encode("latin-1") + b"\n")
    report = import_history(database, file, reject_file=tmp_path / "bad.jsonl", chunk=2)

    assert counts(report) == (7, 2, 0, 5)
    assert report.reject_file == str(tmp_path / "bad.jsonl")
    rejects = [json.loads(line) for line in (tmp_path / "bad.jsonl").read_text().splitlines()]
    assert [(reject["line"], reject["reason"].partition(";")[0]) for reject in rejects] == [
        (4, "there is no job 'ordres'"),
        (5, "expected a status of success, failed, skipped, cancelled"),
        (6, "expected 9 fields, found 2"),
        (9, "no CSV: ',' expected after '\"'"),
        (10, "expected UTF-8, found other bytes"),
    ]
    assert rejects[0]["row"]["slug"] == "ordres"


def test_broken_json_goes_there_too(database: OrchestratorDatabase, tmp_path: Path) -> None:
    file = tmp_path / "log.ndjson"
    file.write_bytes(b'\xef\xbb\xbf{"slug": "orders", "status": "skipped", "scheduled_at": "2026-11-01"}\n\n[1]\n{"a\n')
    assert counts(import_history(database, file)) == (3, 1, 0, 2)
    rejects = [json.loads(line) for line in (tmp_path / "log.ndjson.rejects.jsonl").read_text().splitlines()]
    assert [(reject["line"], reject["reason"].partition(":")[0]) for reject in rejects] == [
        (3, "expected a JSON object, found list"),
        (4, "no JSON"),
    ]


def test_what_was_ended_in_the_middle_is_begun_again(
    database: OrchestratorDatabase, execute: Execute, tmp_path: Path
) -> None:
    lines = [GOOD.replace("-01T", f"-{day:02}T") for day in range(1, 26)]
    file = written(tmp_path, *lines)

    def end(report: ImportReport) -> None:
        if report.read == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_history(database, file, chunk=10, progress=end)
    assert execute("SELECT count(*), max((details->>'line')::integer) FROM dw_etl_run_events") == [(20, 21)]
    assert counts(import_history(database, file, chunk=10)) == (25, 5, 20, 0)


def test_a_file_that_breaks_off_is_told(database: OrchestratorDatabase, execute: Execute, tmp_path: Path) -> None:
    lines = [
        GOOD.replace("02:03:00Z", f"02:{minute:02}:{second:02}Z") for minute in range(3, 60) for second in range(60)
    ]
    packed = gzip.compress("\n".join((HEADER, *lines)).encode())
    file = tmp_path / "log.csv.gz"
    file.write_bytes(packed[:-10])
    with pytest.raises(SourceError, match=r"log\.csv\.gz cannot be read"):
        import_history(database, file, chunk=100)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("log.txt", "", "expected a file of .csv"),
        ("log.csv", "", "expected a header line"),
        ("log.csv", "slug,slug,status\n", "expected each column once, found slug"),
        ("log.csv", "name,state\n", "expected the columns slug .or job. and status, found name, state"),
    ],
)
def test_what_is_no_log_is_refused(
    database: OrchestratorDatabase, tmp_path: Path, name: str, text: str, told: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=told):
        import_history(database, tmp_path / name)


def test_no_file_and_no_jobs_are_refused(database: OrchestratorDatabase, execute: Execute, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found none of that name"):
        import_history(database, tmp_path / "nothing.csv")
    execute("DELETE FROM dw_etl_jobs")
    with pytest.raises(UsageError, match="there are no jobs to import runs of"):
        import_history(database, written(tmp_path, GOOD))
