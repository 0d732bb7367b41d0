"""Which keys are told of: those that a source may respell, in a store that knows their text alone."""

from __future__ import annotations

from typing import Any

import pytest

from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.model import ColumnDefinition, TableDefinition, VanishedRows, WriteMode
from etl.pipeline.tables.loose_keys import loose_keys
from tests.unit.transform.conftest import postgresql_table

COMMON: dict[str, Any] = {"table_name": "t", "key": ("id",), "mode": WriteMode.MERGE}


@pytest.mark.parametrize(
    ("column", "is_told"),
    [
        (ColumnDefinition("id", "interval"), True),
        (ColumnDefinition("id", "jsonb"), True),
        (ColumnDefinition("id", "text", stands_for="citext", has_loose_texts=True), True),
        (ColumnDefinition("id", "character varying(9)", has_loose_texts=True), True),
        (ColumnDefinition("id", "text", stands_for="mood"), False),
        (ColumnDefinition("id", "numeric"), False),
        (ColumnDefinition("id", "double precision"), False),
        (ColumnDefinition("id", "character(3)"), False),
        (ColumnDefinition("id", "uuid"), False),
        (ColumnDefinition("id", "time with time zone"), False),
        (ColumnDefinition("other", "interval"), False),
    ],
)
def test_a_key_that_may_be_respelt_is_told(column: ColumnDefinition, is_told: bool) -> None:
    table, definition = postgresql_table(), TableDefinition("t", (column,))
    told = loose_keys(S3TableLoadConfig(**COMMON, path="t"), table, definition)
    kind = column.stands_for or column.type
    assert [note.partition(",")[0] for note in told] == [f"the key column id is {kind}"] * is_told
    whole = S3TableLoadConfig(**COMMON, path="t", vanished_rows=VanishedRows.DELETE)
    assert loose_keys(whole, table, definition) == ()
    upsert = PostgreSQLTableLoadConfig(**COMMON | {"mode": WriteMode.UPSERT}, target_name="t")
    assert loose_keys(upsert, table, definition) == ()
