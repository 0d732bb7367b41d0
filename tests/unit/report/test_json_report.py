from __future__ import annotations

import json
import re
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from etl.config.destinations.registry import known_destinations
from etl.errors import UsageError
from etl.model import Destination, LoadStatus, RunStatus, WriteMode
from etl.report.json_report import check_report_path, report_document, write_report
from tests.unit.report.facts import MAINTAINED, NOT_MAINTAINED, load, run_report

SCHEMA_FILE = Path(__file__).parents[3] / "docs" / "report.schema.json"


@pytest.fixture
def schema() -> Any:
    schema = json.loads(SCHEMA_FILE.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


def document() -> dict[str, Any]:
    failed = load(
        table="users",
        destination=Destination.POSTGRESQL,
        target=None,
        mode=None,
        status=LoadStatus.FAILED,
        error="StoreError: no",
    )
    report = run_report(load(rows_read=3, rows_inserted=3, seconds=0.5), failed, status=RunStatus.PARTIAL)
    return report_document(replace(report, maintenance=(MAINTAINED, NOT_MAINTAINED)))


def test_the_document_has_these_fields() -> None:
    assert json.loads(json.dumps(document())) == {
        "run_id": "20261120T210733-ab12cd",
        "status": "partial",
        "started_at": "2026-11-20T21:07:33.250Z",
        "finished_at": "2026-11-20T21:07:45.750Z",
        "rejects": 0,
        "retries": 0,
        "loads": [
            {
                "table": "orders",
                "destination": "s3",
                "target": "s3a://bucket/data-lake/orders",
                "mode": "merge",
                "status": "success",
                "rows_read": 3,
                "rows_inserted": 3,
                "rows_updated": 0,
                "rows_unchanged": 0,
                "rows_skipped": 0,
                "rows_rejected": 0,
                "rows_deduplicated": 0,
                "rows_deleted": 0,
                "rows_trimmed": 0,
                "vanished_rows": None,
                "seconds": 0.5,
                "files_read": None,
                "files_skipped": [],
                "notes": [],
                "held_as_text": {},
                "error": None,
            },
            {
                "table": "users",
                "destination": "postgresql",
                "target": None,
                "mode": None,
                "status": "failed",
                "rows_read": 0,
                "rows_inserted": 0,
                "rows_updated": 0,
                "rows_unchanged": 0,
                "rows_skipped": 0,
                "rows_rejected": 0,
                "rows_deduplicated": 0,
                "rows_deleted": 0,
                "rows_trimmed": 0,
                "vanished_rows": None,
                "seconds": 0.0,
                "files_read": None,
                "files_skipped": [],
                "notes": [],
                "held_as_text": {},
                "error": "StoreError: no",
            },
        ],
        "maintenance": [
            {
                "table": "orders",
                "destination": "s3",
                "target": "s3a://bucket/data-lake/orders",
                "status": "success",
                "deleted_before": "2026-11-01",
                "days_deleted": 2,
                "rows_deleted": None,
                "files_joined": 3,
                "seconds": 1.5,
                "error": None,
            },
            {
                "table": "users",
                "destination": "s3",
                "target": "s3a://bucket/data-lake/users",
                "status": "failed",
                "deleted_before": None,
                "days_deleted": 0,
                "rows_deleted": 0,
                "files_joined": 0,
                "seconds": 0.0,
                "error": "no",
            },
        ],
    }


def test_the_schema_describes_the_file(tmp_path: Path, schema: Any) -> None:
    path = tmp_path / "report.json"
    report = run_report(load(), load(status=LoadStatus.FAILED, error="x"))
    write_report(replace(report, maintenance=(MAINTAINED, NOT_MAINTAINED)), path)
    jsonschema.validate(json.loads(path.read_text()), schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("status",), "running"),
        (("finished_at",), None),
        (("started_at",), "2026-11-20 21:07:33"),
        (("extra",), 1),
        (("loads", 0, "status"), "pending"),
        (("loads", 0, "destination"), "S3 lake"),
        (("loads", 0, "rows_read"), -1),
        (("loads", 0, "error"), "but it succeeded"),
        (("loads", 1, "error"), None),
        (("loads", 0, "extra"), 1),
        (("maintenance", 0, "status"), "running"),
        (("maintenance", 1, "error"), None),
    ],
)
def test_the_schema_refuses(schema: Any, place: tuple[str | int, ...], value: object) -> None:
    changed: Any = json.loads(json.dumps(document()))
    target = changed
    for step in place[:-1]:
        target = target[step]
    target[place[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(changed, schema, jsonschema.Draft202012Validator)


def test_the_schema_knows_every_value_of_ours(schema: Any) -> None:
    properties = schema["$defs"]["load"]["properties"]
    assert properties["mode"]["enum"] == [*WriteMode, None]
    assert properties["status"]["enum"] == list(LoadStatus)
    assert all(re.search(properties["destination"]["pattern"], name) for name in known_destinations())
    assert {*schema["properties"]["status"]["enum"], "running"} == set(RunStatus)


def test_the_former_report_stands_until_the_new_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    write_report(run_report(), path)
    before = path.read_text()

    def full_disk(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(UsageError, match="No space left on device"):
        write_report(run_report(load()), path)
    assert path.read_text() == before
    assert list(tmp_path.iterdir()) == [path]


def test_others_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_report(run_report(), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize("name", ["", "missing/report.json"])
def test_an_impossible_path_is_refused_before_the_run(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="expected a file in a folder that exists"):
        check_report_path(tmp_path / name)
    check_report_path(tmp_path / "report.json")
