"""The configuration's hash: another one where rows may look different, and the same from one version to the next."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from etl.config.destinations.clickhouse.load_config import ClickHouseTableLoadConfig
from etl.config.destinations.load_config import TableLoadConfig
from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.config.tables.models import TransformConfig
from etl.model import ColumnDefinition, TableDefinition, VanishedRows, WriteMode
from etl.pipeline.context import Work
from etl.pipeline.tables.shares import config_hash
from tests.unit.transform.conftest import postgresql_table

COMMON: dict[str, Any] = {"table_name": "t", "key": ("id",)}
DEFINITION = TableDefinition("t", (ColumnDefinition("id", "bigint", nullable=False), ColumnDefinition("v", "text")))
ENTRIES: dict[str, TableLoadConfig] = {
    "postgresql": PostgreSQLTableLoadConfig(**COMMON, target_name="t", mode=WriteMode.UPSERT),
    "clickhouse": ClickHouseTableLoadConfig(**COMMON, target_name="t", mode=WriteMode.MERGE),
    "s3": S3TableLoadConfig(**COMMON, mode=WriteMode.MERGE, path="t"),
}
KNOWN = {
    "postgresql": "c6915e069064157c63e5b07a3accde7fb3208b8dde4d4221f5c98df5987aebbb",
    "clickhouse": "29aa43ae389d6448f4222a67336f1ed358392c5588ffc8d3af732a0e72b109ef",
    "s3": "d80a992a24e7dcd3fa8d6de80dd2ce3167f4e58431c2beb7ef10c5ab1a1def78",
}
"""As they were when `later_fields` came. A new field that changes one would have every user's tables read again, with
a warning: it belongs among its model's `later_fields`."""


def hash_of(entry: TableLoadConfig, **transform: Any) -> str:
    table = postgresql_table().model_copy(update={"transform": TransformConfig(**transform)})
    return config_hash(Work(table, ()), entry, DEFINITION, "salt")


@pytest.mark.parametrize("store", list(ENTRIES))
def test_it_is_what_it_was_in_the_version_before(store: str) -> None:
    assert hash_of(ENTRIES[store]) == KNOWN[store]


@pytest.mark.parametrize("store", list(ENTRIES))
def test_what_changes_rows_changes_it(store: str) -> None:
    entry = ENTRIES[store]
    plain = hash_of(entry)
    assert hash_of(entry, hash=("v",)) != plain
    assert hash_of(entry, deleted_when="v IS NULL") != plain
    assert hash_of(entry.model_copy(update={"vanished_rows": VanishedRows.MARK})) != plain
    assert hash_of(entry.model_copy(update={"key": ("id", "v")})) != plain
    table = postgresql_table()
    wider = replace(DEFINITION, columns=(*DEFINITION.columns, ColumnDefinition("w", "text")))
    assert config_hash(Work(table, ()), entry, wider, "salt") != plain
    assert config_hash(Work(table, ()), entry, DEFINITION, "another") != plain


@pytest.mark.parametrize("store", list(ENTRIES))
def test_what_changes_no_row_leaves_it(store: str) -> None:
    entry = ENTRIES[store]
    assert hash_of(entry.model_copy(update={"maximum_rejected": "5%"})) == hash_of(entry)
    assert hash_of(entry.model_copy(update={"deleted_rows": VanishedRows.MARK})) == hash_of(entry)
