from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bench.main_job import first_read_at, own_servers
from etl.stack.layout import DATA_DIR_VARIABLE

STARTED = '{"event": "run started", "loads": 3, "timestamp": "2026-11-27T15:00:01.000000Z"}'
READ = '{"event": "table extracted", "table": "brands", "timestamp": "2026-11-27T15:00:02.500000Z"}'
UNCHANGED = '{"event": "load finished", "table": "brands", "timestamp": "2026-11-27T15:00:03.000000Z"}'


def test_the_first_table_is_read_where_its_rows_are() -> None:
    log = ["[spark-submit.sh] running jobs/run_etl.py", "", STARTED, READ, UNCHANGED, READ.replace("02.5", "09.5")]
    assert first_read_at(log) == datetime(2026, 11, 27, 15, 0, 2, 500_000, UTC)


def test_a_table_without_new_rows_is_read_when_its_load_ends() -> None:
    assert first_read_at([STARTED, UNCHANGED]) == datetime(2026, 11, 27, 15, 0, 3, tzinfo=UTC)


def test_a_log_without_any_table_is_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"expected a line with one of .*table extracted"):
        first_read_at([STARTED])


def test_the_servers_count_as_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_DIR_VARIABLE, "/somewhere")
    environment = own_servers({"ETL_S3_BUCKET": "lake"})
    assert DATA_DIR_VARIABLE not in environment
    assert environment["ETL_S3_BUCKET"] == "lake"
