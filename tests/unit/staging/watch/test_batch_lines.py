from __future__ import annotations

from structlog.testing import capture_logs

from etl.staging.batch.records import PreparedBatch
from etl.staging.batch.upsert import Stored
from etl.staging.watch.batch_lines import BatchLines


def test_each_batch_is_one_line_with_rows_and_milliseconds() -> None:
    lines = BatchLines()
    lines.run_started("r1", "events")
    with capture_logs() as told:
        lines.batch_stored(PreparedBatch(3, {}, 10, rows_invalid=1), Stored(4, 3, 2, 1), 0.0254)
        lines.batch_stored(PreparedBatch(4, {}, 5), None, 0.001)
    usual = {"event": "batch stored", "log_level": "info", "run_id": "r1", "job": "events"}
    counts = {"rows_inserted": 4, "rows_updated": 3, "rows_unchanged": 2, "rows_deduplicated": 1}
    left = {"rows_rejected": 0, "rows_invalid": 1}
    assert told == [
        {**usual, "batch": 3, "rows_attempted": 10, **counts, **left, "milliseconds": 25.4},
        {
            **usual, "batch": 4, "rows_attempted": 5, **dict.fromkeys(counts, 0), **dict.fromkeys(left, 0),
            "milliseconds": 1.0, "by": "an earlier attempt",
        },
    ]  # fmt: skip
