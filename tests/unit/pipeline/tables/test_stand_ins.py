"""Bytes, text and JSON stand in for no type unseen."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from etl.config.destinations.clickhouse.load_config import ClickHouseTableLoadConfig
from etl.config.destinations.load_config import TableLoadConfig
from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.destinations.s3.load_config import S3Format, S3TableLoadConfig
from etl.model import POSTGRESQL_TYPE, ColumnDefinition, TableDefinition, WriteMode
from etl.pipeline.tables.stand_ins import held_as_text
from tests.unit.transform.conftest import postgresql_table

COLUMNS = {
    "name": ("string", "character varying(9)"),
    "doc": ("string", "jsonb"),
    "terms": ("array<string>", "interval[]"),
    "feeling": ("string", "text"),
    "amount": ("string", "numeric"),
    "wei": ("string", "numeric(78,0)"),
    "price": ("decimal(9,2)", "numeric(9,2)"),
    "raw": ("binary", "bytea"),
    "at": ("timestamp", "timestamp(3) without time zone"),
}
IN_CLICKHOUSE = {"doc": "jsonb", "terms": "interval[]", "feeling": "public.mood", "wei": "numeric(78,0)"}
COMMON: dict[str, Any] = {"table_name": "t", "mode": WriteMode.OVERWRITE}
FORMS: dict[str, Any] = {"numeric_as": {"wei": "text"}}


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        (PostgreSQLTableLoadConfig(**COMMON, target_name="t"), {"feeling": "public.mood"}),
        (ClickHouseTableLoadConfig(**COMMON, **FORMS, target_name="t"), IN_CLICKHOUSE),
        (S3TableLoadConfig(**COMMON, **FORMS, path="t"), IN_CLICKHOUSE),
        (S3TableLoadConfig(**COMMON, **FORMS, path="t", format=S3Format.JSON), IN_CLICKHOUSE | {"raw": "bytea"}),
    ],
)
def test_held_as_text(load: TableLoadConfig, expected: dict[str, str]) -> None:
    fields = [
        {"name": name, "type": kind, "nullable": True, "metadata": {POSTGRESQL_TYPE: declared}}
        for name, (kind, declared) in COLUMNS.items()
        if not kind.startswith("array")
    ]
    schema = StructType.fromJson({"type": "struct", "fields": fields})
    kinds = {"type": "array", "elementType": "string", "containsNull": True}
    terms = {"name": "terms", "type": kinds, "nullable": True, "metadata": {POSTGRESQL_TYPE: "interval[]"}}
    schema = StructType(
        [*schema.fields[:2], *StructType.fromJson({"type": "struct", "fields": [terms]}).fields, *schema.fields[2:]]
    )
    frame = cast(DataFrame, SimpleNamespace(schema=schema))
    definition = TableDefinition("t", (ColumnDefinition("mood", "text", stands_for="public.mood"),))
    table = postgresql_table(transform={"rename": {"mood": "feeling"}})
    assert held_as_text(frame, load, table, definition) == expected
