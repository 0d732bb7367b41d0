"""Tables of nearly as many columns as PostgreSQL allows, in the stores' own words: limits are the servers'."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from etl.clickhouse.door import ClickHouseDoor
from etl.model import Column
from etl.statements.checksum import clickhouse_checksum_columns, postgresql_checksum_columns
from etl.statements.postgresql import writing
from etl.statements.postgresql.naming import StagedColumn, Table
from etl.statements.postgresql.run_table import create_staging
from etl.statements.postgresql.writing import Write
from tests.conftest import RunningStack

pytestmark = pytest.mark.stack

NAMES = ["id", *(f"a_column_with_a_long_name_as_surveys_have_{number:04d}" for number in range(1, 1_590))]
COLUMNS = [Column(name, "smallint", "smallint", nullable=True) for name in NAMES]
TARGET, STAGING = Table("wide_tables", "target"), Table("wide_tables", "staging")
STAGED = tuple(StagedColumn(name, "smallint", "smallint") for name in NAMES)
WRITE = Write(TARGET, STAGING, STAGED, ("id",), tuple(NAMES[1:]))


def test_postgresql_compares_updates_and_sums_1590_columns(stack: RunningStack) -> None:
    listed = ", ".join(f'"{name}" smallint' for name in NAMES)
    same = ", ".join(["g", *["7"] * (len(NAMES) - 1)])
    with closing(psycopg2.connect(stack.postgres_url)) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA wide_tables; CREATE TABLE {TARGET.sql} ({listed}, PRIMARY KEY (id))")
        cursor.execute(create_staging(STAGING, STAGED))
        cursor.execute(f"INSERT INTO {TARGET.sql} SELECT {same} FROM generate_series(1, 20) g")
        cursor.execute(f"INSERT INTO {STAGING.sql} SELECT 1, {same} FROM generate_series(5, 30) g")
        cursor.execute(f'UPDATE {STAGING.sql} SET "{NAMES[-1]}" = 8 WHERE id = 7')

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
        connection.rollback()


def test_clickhouse_sums_1590_columns(stack: RunningStack) -> None:
    listed = ", ".join(f"`{name}` Nullable(Int16)" for name in NAMES)
    assert stack.settings.clickhouse is not None
    with ClickHouseDoor(stack.settings.clickhouse) as door:
        door.execute(f"CREATE OR REPLACE TABLE wide_tables ({listed}) ENGINE = MergeTree ORDER BY tuple()")
        door.execute("INSERT INTO wide_tables (id) SELECT number FROM numbers(10)")
        sums = clickhouse_checksum_columns(COLUMNS, "t")
        [[rows, *found]] = door.query(f"SELECT count(), {', '.join(sums.values())} FROM wide_tables AS t")
        assert (rows, len(found)) == (10, len(NAMES))
        door.execute("DROP TABLE wide_tables")
