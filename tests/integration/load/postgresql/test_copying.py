"""Long rows on their way into PostgreSQL, which must not collect them in its memory."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2.errors
import pyarrow as pa
import pytest

from etl.errors import DataError
from etl.load.executors import Attempt
from etl.load.postgresql import preparation
from etl.load.postgresql.door import transaction
from etl.load.postgresql.transfer import partition
from etl.load.postgresql.transfer.partition import COPY_BYTES, CopyConfig, copy_partition
from etl.load.postgresql.transfer.run_table import Staged, keep_winners, recreate
from etl.statements.postgresql.writing import Write
from tests.integration.load.postgresql.conftest import Database, table_config

pytestmark = pytest.mark.stack

LONG = 1 << 20
PROGRESS = "SELECT bytes_processed FROM pg_stat_progress_copy WHERE datname = current_database()"


@pytest.fixture
def write(database: Database) -> Write:
    df = database.frame("id int, doc string", [(1, "x")])
    loader, config = database.loader(), table_config("items")
    made = preparation.prepare(df.schema, config, loader.config).write
    with transaction(database.settings, "create the staging table") as cursor:
        recreate(cursor, made.staging, made.columns, (made.target, "run-1"))
    return made


def rows(first: int, count: int, size: int = LONG) -> pa.RecordBatch:
    ids = pa.array(range(first, first + count), pa.int32())
    return pa.RecordBatch.from_arrays([ids, pa.array([f"{n:x}" * (size // len(f"{n:x}")) for n in ids.to_pylist()])],
                                      names=["id", "doc"])  # fmt: skip


@pytest.mark.parametrize("copy_format", ["binary", "csv"])
def test_rows_are_stored_as_they_come_and_not_when_a_thousand_are_there(
    database: Database, write: Write, copy_format: str
) -> None:
    processed: list[int] = []

    def batches() -> Iterator[pa.RecordBatch]:
        for first in range(0, 64, 2):
            yield rows(first, 2)
            processed.extend(size for (size,) in database.execute(PROGRESS))

    copy = CopyConfig(database.settings, write.staging, write.columns, copy_format)  # type: ignore[arg-type]
    receipt = copy_partition(batches(), Attempt(3, 7), copy)
    assert (receipt.part, receipt.attempt, receipt.rows) == (3, 7, 64)
    assert receipt.bytes > 63 * LONG
    assert 0 < max(processed) < COPY_BYTES + 4 * LONG
    found = database.execute(f"SELECT _etl_attempt, count(*), count(DISTINCT id) FROM {write.staging.sql} GROUP BY 1")
    assert found == [(7, 64, 64)]


def test_a_copy_that_fails_after_others_leaves_none_of_their_rows(
    database: Database, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition, "COPY_BYTES", 1)

    def batches() -> Iterator[pa.RecordBatch]:
        yield rows(1, 2, 8)
        yield rows(3, 2, 8)
        raise DataError("no more")

    copy = CopyConfig(database.settings, write.staging, write.columns, "binary")
    with pytest.raises(DataError, match="no more"):
        copy_partition(batches(), Attempt(0, 0), copy)
    assert database.execute(f"SELECT count(*) FROM {write.staging.sql}") == [(0,)]


def test_an_attempt_that_was_given_up_adds_nothing_to_what_is_published(database: Database, write: Write) -> None:
    """Its machine may go on when its executor is taken for dead: no row may come between count and publication."""
    copy = CopyConfig(database.settings, write.staging, write.columns, "binary")
    copy_partition(iter([rows(1, 2, 8)]), Attempt(0, 0), copy)
    winner = copy_partition(iter([rows(1, 2, 8)]), Attempt(0, 1), copy)
    late = f"SET lock_timeout = '100ms'; INSERT INTO {write.staging.sql} (_etl_attempt, id, doc) VALUES (2, 1, 'late')"
    with transaction(database.settings, "publish") as cursor:
        keep_winners(cursor, write.staging, Staged((winner,)))
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            database.execute(late)
        cursor.execute(f"SELECT _etl_attempt, count(*) FROM {write.staging.sql} GROUP BY 1")
        assert cursor.fetchall() == [(1, 2)]


def test_a_loader_that_is_kept_waiting_while_it_sends_is_patient(database: Database) -> None:
    """TCP gives up on a server that takes nothing, also on one that is busy with what it has."""
    with transaction(database.settings, "look") as cursor:
        sending = cursor.connection.info.dsn_parameters
    assert sending["tcp_user_timeout"] == "300000"
