"""An upload as log lines: what a machine that reads them may rely on."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from etl.errors import ContentionError
from etl.ingestion.model import BatchCounts, FileType
from etl.ingestion.watch.event_log import EventLog
from etl.ingestion.watch.observers import BatchDone

PROMISED = {"run_id", "file", "batch_idx", "rows", "latency_ms", "status", "error"}
DONE = BatchDone("a.csv", FileType.CSV, 3, 1, BatchCounts(rows_read=5), 5, 0.25)


def test_every_line_of_a_batch_has_the_same_fields() -> None:
    with capture_logs() as lines:
        watcher = EventLog()
        watcher.run_started("run-1", "people", 1)
        watcher.batch_done(DONE)
        watcher.batch_retried("a.csv", 3, ContentionError("deadlock"), 1, 1.5)
        watcher.batch_failed("a.csv", 3, ContentionError("deadlock"))
    batches = [line for line in lines if line["event"].startswith("batch")]
    assert [line["status"] for line in batches] == ["success", "retry", "failed"]
    assert all(set(line) >= PROMISED for line in batches), batches
    assert (batches[0]["rows"], batches[0]["latency_ms"], batches[0]["error"]) == (5, 250, None)
    assert batches[1]["error"] == "ContentionError: deadlock"


@pytest.mark.parametrize(("is_dry_run", "told"), [(False, "batch committed"), (True, "batch checked")])
def test_a_dry_run_commits_nothing_in_the_log_either(is_dry_run: bool, told: str) -> None:
    with capture_logs() as lines:
        EventLog(is_dry_run=is_dry_run).batch_done(DONE)
    assert [line["event"] for line in lines] == [told]
