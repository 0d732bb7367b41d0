"""Rows that are gone from the source and stay, marked, by a merge; and those that it calls deleted itself."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from etl.config.destinations.clickhouse.load_config import ClickHouseTableLoadConfig
from etl.errors import SchemaMismatchError, VanishedRowsError
from etl.load.base import Deleted, LoadFacts
from etl.model import DELETED_AT, LoadStatus, SchemaContract, VanishedRows
from tests.integration.load.clickhouse.conftest import ClickHouse, FrameOf, LoaderOf, entry
from tests.integration.load.clickhouse.test_modes import counts

pytestmark = pytest.mark.stack

SCHEMA = "id string, day date, n int"
MARCH, APRIL = date(2025, 3, 1), date(2025, 4, 1)
ONE, TWO, THREE = ("1", MARCH, 1), ("2", MARCH, 1), ("3", APRIL, 1)
FIRST, SECOND = datetime(2026, 5, 1, 1, 2, 3, 456789, tzinfo=UTC), datetime(2026, 5, 2, tzinfo=UTC)
SINCE_FIRST, SINCE_SECOND = "2026-05-01 01:02:03.456789", "2026-05-02 00:00:00.000000"


def marking(table: str, **over: Any) -> ClickHouseTableLoadConfig:
    return entry(table, **{"vanished_rows": VanishedRows.MARK, **over})


def rows(clickhouse: ClickHouse, table: str) -> list[list[Any]]:
    return clickhouse.query(f"SELECT id, n, {DELETED_AT} FROM `{table}` FINAL ORDER BY id")


@pytest.mark.parametrize("options", [{}, {"partition_by": ("toYYYYMM(day)",)}, {"version": "n"}])
def test_gone_rows_are_marked_once_and_lose_the_mark_when_they_come_back(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf, options: dict[str, Any]
) -> None:
    config = marking(table, **options)
    loader_of(1).load(frame_of(ONE, TWO, THREE, schema=SCHEMA), config)
    assert rows(clickhouse, table) == [["1", 1, None], ["2", 1, None], ["3", 1, None]]

    result = loader_of(2, started_at=FIRST).load(frame_of(("2", MARCH, 2), schema=SCHEMA), config)
    assert counts(result) == {"updated": 1, "deleted": 2}
    assert rows(clickhouse, table) == [["1", 1, SINCE_FIRST], ["2", 2, None], ["3", 1, SINCE_FIRST]]

    again = loader_of(3, started_at=SECOND).load(frame_of(("2", MARCH, 2), schema=SCHEMA), config)
    assert (counts(again), again.status) == ({"unchanged": 1}, LoadStatus.UNCHANGED)

    back = loader_of(4, started_at=SECOND).load(frame_of(ONE, schema=SCHEMA), config)
    assert counts(back) == {"updated": 1, "deleted": 1}
    marked = [["1", 1, None], ["2", 2, SINCE_SECOND], ["3", 1, SINCE_FIRST]]
    assert rows(clickhouse, table) == marked
    clickhouse.execute(f"OPTIMIZE TABLE `{table}` FINAL")
    assert clickhouse.query(f"SELECT id, n, {DELETED_AT} FROM `{table}` ORDER BY id") == marked
    assert clickhouse.staging_of(table) == []


def test_too_many_marks_are_refused_and_an_empty_source_marks_all(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    config = marking(table, maximum_deleted="50%")
    loader_of(1).load(frame_of(ONE, TWO, THREE, schema=SCHEMA), config)
    loader_of(2, started_at=FIRST).load(frame_of(ONE, TWO, schema=SCHEMA), config)
    with pytest.raises(VanishedRowsError, match=r"at most 50% of the 2 rows of .* found 2; nothing was written"):
        loader_of(3).load(frame_of(schema=SCHEMA), config)
    assert rows(clickhouse, table) == [["1", 1, None], ["2", 1, None], ["3", 1, SINCE_FIRST]]

    accepted = config.model_copy(update={"maximum_deleted": "100%"})
    assert counts(loader_of(4, started_at=SECOND).load(frame_of(schema=SCHEMA), accepted)) == {"deleted": 2}
    assert rows(clickhouse, table) == [["1", 1, SINCE_SECOND], ["2", 1, SINCE_SECOND], ["3", 1, SINCE_FIRST]]


def test_a_part_of_the_source_marks_nothing_and_takes_marks_back(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    config = marking(table)
    loader_of(1).load(frame_of(ONE, TWO, THREE, schema=SCHEMA), config)
    loader_of(2, started_at=FIRST).load(frame_of(ONE, schema=SCHEMA), config)
    part = config.model_copy(update={"vanished_rows": VanishedRows.KEEP, "deleted_rows": VanishedRows.MARK})

    assert counts(loader_of(3).load(frame_of(THREE, ("4", APRIL, 4), schema=SCHEMA), part)) == {
        "inserted": 1, "updated": 1,
    }  # fmt: skip
    assert rows(clickhouse, table) == [["1", 1, None], ["2", 1, SINCE_FIRST], ["3", 1, None], ["4", 4, None]]


def test_a_table_that_stands_gets_the_column_where_its_contract_lets_it(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    loader_of(1).load(frame_of(ONE, TWO, schema=SCHEMA), entry(table))
    for contract in (SchemaContract.FREEZE, SchemaContract.DISCARD_VALUE, SchemaContract.DISCARD_ROW):
        with pytest.raises(SchemaMismatchError, match=DELETED_AT):
            loader_of(2).load(frame_of(ONE, schema=SCHEMA), marking(table, schema_contract=contract))

    result = loader_of(3, started_at=FIRST).load(frame_of(ONE, schema=SCHEMA), marking(table))
    assert counts(result) == {"unchanged": 1, "deleted": 1}
    assert rows(clickhouse, table) == [["1", 1, None], ["2", 1, SINCE_FIRST]]


@pytest.mark.parametrize("taken", [VanishedRows.DELETE, VanishedRows.MARK])
@pytest.mark.parametrize("partition_by", [(), ("toYYYYMM(day)",)])
def test_rows_that_the_source_calls_deleted_go_by_their_key(
    clickhouse: ClickHouse,
    table: str,
    loader_of: LoaderOf,
    frame_of: FrameOf,
    taken: VanishedRows,
    partition_by: tuple[str, ...],
) -> None:
    """One that stands, one that never did; twice. What is not mentioned stays."""
    config = entry(table, deleted_rows=taken, maximum_deleted="50%", partition_by=partition_by)
    loader_of(1).load(frame_of(ONE, TWO, THREE, schema=SCHEMA), config)
    df, marks = frame_of(("1", MARCH, 5), schema=SCHEMA), taken is VanishedRows.MARK

    def calling_deleted(rows: int, *keys: str) -> LoadFacts:
        listed = frame_of(*[(key,) for key in keys], schema="id string")
        return LoadFacts(rows, deleted=Deleted(len(keys), listed))

    def stored() -> list[list[Any]]:
        columns = f"id, n, {DELETED_AT}" if marks else "id, n"
        return clickhouse.query(f"SELECT {columns} FROM `{table}` FINAL ORDER BY id")

    result = loader_of(2, started_at=FIRST).load(df, config, calling_deleted(1, "2", "9"))
    assert counts(result) == {"updated": 1, "deleted": 1}
    left = [["1", 5, None], ["2", 1, SINCE_FIRST], ["3", 1, None]] if marks else [["1", 5], ["3", 1]]
    assert stored() == left
    again = loader_of(3, started_at=SECOND).load(df, config, calling_deleted(1, "2", "9"))
    assert (counts(again), again.status) == ({"unchanged": 1}, LoadStatus.UNCHANGED)
    nothing = loader_of(4).load(frame_of(schema=SCHEMA), config, calling_deleted(0, "9"))
    assert (counts(nothing), stored()) == ({}, left)

    with pytest.raises(VanishedRowsError, match=r"at most 50% of the \d rows of .* found 2; nothing was written"):
        loader_of(5).load(frame_of(schema=SCHEMA), config, calling_deleted(0, "1", "3"))
    assert stored() == left
    assert counts(loader_of(6).load(frame_of(schema=SCHEMA), config, calling_deleted(0, "3"))) == {"deleted": 1}
    assert clickhouse.staging_of(table) == []
