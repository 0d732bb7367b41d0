"""Tables of as many columns as a load takes, in the stores' own words: limits are the servers'."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor

from etl.clickhouse.door import ClickHouseDoor
from etl.model import Column
from etl.project import PROJECT_DIR
from etl.statements.checksum import clickhouse_checksum_columns, postgresql_checksum_columns
from etl.statements.postgresql import rejects, writing
from etl.statements.postgresql.naming import StagedColumn, Table
from etl.statements.postgresql.run_table import create_staging
from etl.statements.postgresql.writing import Write
from tests.conftest import RunningStack
from tests.wide_frames import OF_A_LOAD

pytestmark = pytest.mark.stack

NAMES = ["id", *(f"a_column_with_a_long_name_as_surveys_have_{number:04d}" for number in range(1, OF_A_LOAD))]
COLUMNS = [Column(name, "smallint", "smallint", nullable=True) for name in NAMES]
TARGET, STAGING = Table("wide_tables", "target"), Table("wide_tables", "staging")
STAGED = tuple(StagedColumn(name, "smallint", "smallint") for name in NAMES)
WRITE = Write(TARGET, STAGING, STAGED, ("id",), tuple(NAMES[1:]))


@contextmanager
def staged(stack: RunningStack) -> Iterator[Cursor]:
    """Rows 1 to 20 in the target, 5 to 30 in staging, the seventh with another last column; gone at the end."""
    listed = ", ".join(f'"{name}" smallint' for name in NAMES)
    same = ", ".join(["g", *["7"] * (len(NAMES) - 1)])
    with closing(psycopg2.connect(stack.postgres_url)) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA wide_tables; CREATE TABLE {TARGET.sql} ({listed}, PRIMARY KEY (id))")
        cursor.execute(create_staging(STAGING, STAGED))
        cursor.execute(f"INSERT INTO {TARGET.sql} SELECT {same} FROM generate_series(1, 20) g")
        cursor.execute(f"INSERT INTO {STAGING.sql} SELECT 1, {same} FROM generate_series(5, 30) g")
        cursor.execute(f'UPDATE {STAGING.sql} SET "{NAMES[-1]}" = 8 WHERE id = 7')
        yield cursor
        connection.rollback()


def test_postgresql_compares_updates_and_sums_1596_columns(stack: RunningStack) -> None:
    with staged(stack) as cursor:
        cursor.execute(writing.classify(WRITE))
        assert cursor.fetchone() == (10, 15, 1)
        cursor.execute(writing.differing_keys(WRITE))
        assert cursor.fetchall() == [(7,)]
        cursor.execute(writing.update_changed(WRITE))
        assert cursor.rowcount == 1
        cursor.execute(writing.insert_new(WRITE, update_raced=True))
        assert cursor.rowcount == 10
        cursor.execute(writing.count_published(WRITE, WRITE.settable))
        assert cursor.fetchone() == (26, 0)
        sums = postgresql_checksum_columns(COLUMNS, "t")
        cursor.execute(writing.checksum_target(WRITE, tuple(sums.values()), whole=False))
        assert cursor.fetchone()[0] == 26


def test_postgresql_replaces_1596_columns(stack: RunningStack) -> None:
    with staged(stack) as cursor:
        cursor.execute(writing.same_content(WRITE))
        assert cursor.fetchone() == (False,)
        cursor.execute(writing.count_vanished(WRITE))
        assert cursor.fetchone() == (4, 20)
        cursor.execute(writing.delete_missing(WRITE))
        assert cursor.rowcount == 4
        cursor.execute(writing.update_changed(WRITE))
        cursor.execute(writing.insert_new(WRITE, update_raced=False))
        cursor.execute(writing.same_content(WRITE))
        assert cursor.fetchone() == (True,)
        cursor.execute(f"DROP TABLE {TARGET.sql}")
        cursor.execute(writing.create_filled(WRITE))
        cursor.execute(writing.same_content(WRITE))
        assert cursor.fetchone() == (True,)
        cursor.execute(writing.count_nulls(WRITE, WRITE.names))
        assert set(cursor.fetchone() or ()) == {0}


def test_postgresql_keeps_and_replays_rows_of_1596_columns(stack: RunningStack) -> None:
    owner = {"run_id": "run-1", "table_name": "wide", "destination": "postgresql"}
    with staged(stack) as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS etl CASCADE")
        cursor.execute((PROJECT_DIR / "sql/postgresql/ledger/schema.sql").read_text(encoding="utf-8"))
        cursor.execute("INSERT INTO etl.runs (run_id, destinations, tables) VALUES ('run-1', '{postgresql}', '{}')")
        marks = "_etl_rule = 'fk', _etl_reason = 'no parent', _etl_status = 'waiting'"
        cursor.execute(f"UPDATE {STAGING.sql} SET {marks} WHERE id > 28")
        for statement, rows in ((rejects.insert_rejects(WRITE), 2), (rejects.refresh_waiting(WRITE), 2)):
            cursor.execute(statement, owner)
            assert cursor.rowcount == rows
        for statement in (rejects.resolve_waiting(WRITE), rejects.forget_vanished(WRITE)):
            cursor.execute(statement, owner)
            assert cursor.rowcount == 0
        cursor.execute("SELECT DISTINCT (SELECT count(*) FROM jsonb_object_keys(row)) FROM etl.rejects")
        assert cursor.fetchall() == [(OF_A_LOAD,)]
        cursor.execute(f"TRUNCATE {STAGING.sql}")
        cursor.execute(rejects.stage_waiting(STAGING, TARGET, STAGED, ("id",)), owner)
        assert cursor.rowcount == 2
        cursor.execute(writing.insert_new(WRITE, update_raced=False))
        assert cursor.rowcount == 2
        cursor.execute(rejects.close_replayed(STAGING))
        assert cursor.rowcount == 2


def test_clickhouse_sums_1596_columns(stack: RunningStack) -> None:
    listed = ", ".join(f"`{name}` Nullable(Int16)" for name in NAMES)
    assert stack.settings.clickhouse is not None
    with ClickHouseDoor(stack.settings.clickhouse) as door:
        door.execute(f"CREATE OR REPLACE TABLE wide_tables ({listed}) ENGINE = MergeTree ORDER BY tuple()")
        door.execute("INSERT INTO wide_tables (id) SELECT number FROM numbers(10)")
        sums = clickhouse_checksum_columns(COLUMNS, "t")
        [[rows, *found]] = door.query(f"SELECT count(), {', '.join(sums.values())} FROM wide_tables AS t")
        assert (rows, len(found)) == (10, len(NAMES))
        door.execute("DROP TABLE wide_tables")
