"""Columns that went, came or changed: what is carried on, and what is said of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.config.tables.models import FileSource, PostgreSQLSource, TableConfig, TransformConfig
from etl.errors import SourceError
from etl.ledger.values import Watermark
from etl.model import ColumnDefinition, Destination, TableDefinition, TableKind
from etl.pipeline.tables.source_changes import changes_since, refuse_spoken_of, with_gone_columns

ID, LEGACY, NAME = (
    ColumnDefinition("id", "bigint", False),
    ColumnDefinition("legacy", "text", False),
    ColumnDefinition("name", "text"),
)
GONE = ColumnDefinition("legacy", "text", gone=True)


def table(**fields: Any) -> TableConfig:
    load = S3TableLoadConfig(table_name="t", mode="merge", path="t", key=("id",), **fields.pop("load", {}))
    known = {
        "name": "t",
        "domain": "d",
        "kind": TableKind.SNAPSHOT,
        "key": ("id",),
        "source": PostgreSQLSource(table="t"),
    }
    return TableConfig(**{**known, "loads": {Destination.S3: load}, **fields})


def carried(entry: TableConfig, live: tuple[ColumnDefinition, ...], taken: Any) -> tuple[ColumnDefinition, ...]:
    mark = Watermark("t", Destination.S3, None, None, None, None, "t", "run", datetime.now(UTC), taken)
    found = with_gone_columns({"t": TableDefinition("t", live)}, [entry], {("t", Destination.S3): mark})
    return found["t"].columns


@pytest.mark.parametrize(
    ("entry", "taken", "expected"),
    [
        (table(), (ID, LEGACY), (ID, GONE)),
        (table(), (ID, GONE), (ID, GONE)),
        (table(), None, (ID,)),
        (table(), (ID, ColumnDefinition("ID", "text")), (ID,)),
        (table(transform=TransformConfig(default={"legacy": "x"})), (ID, LEGACY), (ID,)),
        (table(transform=TransformConfig(rules={"r": "`legacy` > 1"})), (ID, LEGACY), (ID,)),
        (table(transform=TransformConfig(rules={"r": "legacy_too > 1"})), (ID, LEGACY), (ID, GONE)),
        (table(transform=TransformConfig(drop=("legacy",))), (ID, LEGACY), (ID, GONE)),
        (table(transform=TransformConfig(allowed={"id": ("legacy",)})), (ID, LEGACY), (ID, GONE)),
        (table(transform=TransformConfig(filter="id <> 'legacy'")), (ID, LEGACY), (ID, GONE)),
        (table(transform=TransformConfig(derive={"legacy": "1"})), (ID, LEGACY), (ID,)),
        (table(), (ID, ColumnDefinition("mode", "text")), (ID, ColumnDefinition("mode", "text", gone=True))),
        (table(load={"schema_contract": "freeze"}), (ID, LEGACY), (ID,)),
        (table(source=FileSource(format="parquet", path="p")), (ID, LEGACY), (ID, GONE)),
    ],
)
def test_a_column_that_went_is_carried_on_unless_the_entry_speaks_of_it(
    entry: TableConfig, taken: Any, expected: tuple[ColumnDefinition, ...]
) -> None:
    assert carried(entry, (ID,), taken) == expected


def test_a_gone_column_that_the_entry_speaks_of_is_refused_by_name() -> None:
    entry = table(transform=TransformConfig(default={"legacy": "x"}))
    live = TableDefinition("t", (ID,))
    with pytest.raises(SourceError, match=r"t: expected the columns that the entry speaks of .* legacy is gone"):
        refuse_spoken_of(entry, (ID, LEGACY), live)
    refuse_spoken_of(entry, None, live)
    refuse_spoken_of(entry, (ID, LEGACY), TableDefinition("t", (ID, LEGACY)))
    refuse_spoken_of(table(), (ID, LEGACY), live)


def test_changes_are_told_once_and_a_rename_is_guessed() -> None:
    gone = TableDefinition("t", (ID, NAME, GONE))
    assert changes_since((ID, NAME, LEGACY), gone, is_whole=True) == (
        "the source has no column legacy any more: it stays in the store and holds NULL in every row",
    )
    assert changes_since((ID, NAME, GONE), gone, is_whole=True) == ()
    assert "`transform: {rename: {name: legacy}}`" in changes_since((ID, LEGACY), gone, is_whole=False)[0]
    back = TableDefinition("t", (ID, NAME, LEGACY))
    assert changes_since((ID, NAME, GONE), back, is_whole=False) == ("the source has a new column legacy (text)",)
    looser = TableDefinition("t", (ColumnDefinition("id", "numeric"),))
    assert changes_since((ID,), looser, is_whole=False) == (
        "column id has the type numeric at the source now; it was bigint",
        "column id may be NULL at the source now",
    )
