from __future__ import annotations

import io
import json
import sys

import pytest
from structlog.testing import capture_logs

from etl.command.logging import LogFormat, configure_logging
from etl.model import Destination, LoadStatus, RunStatus
from etl.report.live import LiveProgress
from etl.report.progress import LogProgress, open_progress
from tests.unit.report.facts import load, result, run_report


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_every_event_is_one_line_that_names_run_table_and_destination() -> None:
    with capture_logs() as lines:
        progress = LogProgress()
        progress.run_started("r1", [("orders", Destination.S3)])
        progress.table_extracted("orders", 7)
        progress.load_started("orders", Destination.S3, 7)
        progress.load_finished(result(), rows_read=7)
        progress.load_failed("users", Destination.S3, OSError("no"))
        progress.run_finished(
            run_report(load(rows_rejected=2), load(status=LoadStatus.FAILED, error="no"), status=RunStatus.PARTIAL)
        )
    where = {"table": "orders", "destination": "s3"}
    run = {"run_id": "r1"}
    info = {"log_level": "info"}
    assert lines == [
        {"event": "run started", "loads": 1, **run, **info},
        {"event": "table extracted", "table": "orders", "rows": 7, **run, **info},
        {"event": "load started", "rows_read": 7, **where, **run, **info},
        {
            "event": "load finished",
            "status": "success",
            "mode": "merge",
            "target": "s3a://bucket/data-lake/orders",
            "rows_read": 7,
            "rows_inserted": 5,
            "rows_updated": 2,
            "rows_unchanged": 0,
            "rows_skipped": 0,
            "rows_rejected": 0,
            "rows_deleted": 0,
            "bytes_written": 0,
            "seconds": 0.25,
            **where,
            **run,
            **info,
        },
        {
            "event": "load failed",
            "table": "users",
            "destination": "s3",
            "error_class": "OSError",
            "error": "no",
            "log_level": "error",
            **run,
        },
        {
            "event": "run finished",
            "status": "partial",
            "loads": 2,
            "success": 1,
            "unchanged": 0,
            "skipped": 0,
            "failed": 1,
            "retries": 0,
            "rows_rejected": 2,
            "seconds": 12.5,
            **run,
            **info,
        },
    ]


@pytest.mark.parametrize(
    ("screen", "term", "log_format", "kind"),
    [
        (Terminal(), "xterm", LogFormat.CONSOLE, LiveProgress),
        (Terminal(), "xterm", LogFormat.JSON, LogProgress),
        (Terminal(), "dumb", LogFormat.CONSOLE, LogProgress),
        (io.StringIO(), "xterm", LogFormat.CONSOLE, LogProgress),
    ],
)
def test_live_only_where_a_person_watches(
    monkeypatch: pytest.MonkeyPatch, screen: io.StringIO, term: str, log_format: LogFormat, kind: type
) -> None:
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", term)
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    with open_progress(log_format) as progress:
        assert type(progress) is kind


def test_the_first_failure_of_a_table_has_its_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogFormat.JSON)
    progress = LogProgress(LogFormat.JSON, lambda table: {"name": table, "limit": 10**30})
    for table, destination in (
        ("users", Destination.S3),
        ("users", Destination.POSTGRESQL),
        ("orders", Destination.S3),
    ):
        progress.load_failed(table, destination, OSError("no"))
    told = [json.loads(line).get("configuration") for line in capsys.readouterr().err.splitlines()]
    assert told == [{"name": "users", "limit": 10**30}, None, {"name": "orders", "limit": 10**30}]


@pytest.mark.parametrize("log_format", LogFormat)
def test_a_failure_has_its_trace_where_programs_read(capsys: pytest.CaptureFixture[str], log_format: LogFormat) -> None:
    configure_logging(log_format, secrets=["hunter2"])
    try:
        raise OSError("no way in with hunter2")
    except OSError as error:
        LogProgress(log_format).load_failed("users", Destination.S3, error)
    (line, *more) = capsys.readouterr().err.splitlines()
    assert "hunter2" not in line and more == []
    if log_format is LogFormat.JSON:
        trace = json.loads(line)["exception"]
        assert "test_progress.py" in trace and trace.endswith("OSError: no way in with ***")
    else:
        assert "Traceback" not in line
