"""Existing targets: what fits, what a contract lets pass, what is named."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

import pytest

from etl.errors import SchemaMismatchError, StoreError
from etl.ledger.values import Reject
from etl.model import ColumnDefinition, Destination, TableDefinition
from tests.integration.load.clickhouse.conftest import ClickHouse, FrameOf, LoaderOf, entry

pytestmark = pytest.mark.stack

MERGE_TREE = {"mode": "append", "engine": "MergeTree"}


def test_all_differences_are_named_at_once(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    clickhouse.execute(
        f"CREATE TABLE `{table}` (id Int32, day DateTime, amount Decimal(5, 2), extra Int8, spare Nullable(Int8)) "
        "ENGINE = MergeTree PARTITION BY toYear(day) ORDER BY (day, id)"
    )

    with pytest.raises(SchemaMismatchError) as caught:
        loader_of().load(frame_of(("1", None, "x", None)), entry(table, schema_contract="freeze"))

    assert caught.value.message.splitlines()[1:-1] == [
        "  - engine: expected ReplacingMergeTree, found MergeTree",
        "  - version column: expected _etl_version, found none",
        "  - ORDER BY: expected `id`, found day, id",
        "  - PARTITION BY: expected none, found toYear(day)",
        "  - column id: expected String, found Int32",
        "  - column day: expected Nullable(Date32), found DateTime",
        "  - column extra of the target needs a value (Int8) and is not in the frame",
        "  - column name is missing in the target",
        "  - column _etl_version is missing in the target",
        "  - column amount: the target's Decimal(5, 2) is too narrow for Nullable(Decimal(12, 2))",
        "  - column amount may be NULL, the target's Decimal(5, 2) may not",
        "  - column extra of the target is not in the frame",
        "  - column spare of the target is not in the frame",
    ]


def test_evolve_adds_and_widens_with_the_data(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    narrow = "id string, number int, amount decimal(5,2)"
    wide = "id string, number bigint, amount decimal(12,4), tags array<string>, note string"
    config = entry(table)
    loader_of(1).load(frame_of(("1", 1, Decimal("1.25")), ("2", 2, None), schema=narrow), config)

    plan = loader_of(2).plan(frame_of(schema=wide), config)
    result = loader_of(2).load(
        frame_of(("1", 1, Decimal("1.25"), [], None), ("3", 2**40, Decimal("12345678.1234"), ["a"], "n"), schema=wide),
        config,
    )

    assert [step.split("` ", 1)[1] for step in plan[:-2]] == [
        "ADD COLUMN `tags` Array(Nullable(String)) CODEC(LZ4)",
        "ADD COLUMN `note` Nullable(String) CODEC(LZ4)",
        "MODIFY COLUMN `number` Nullable(Int64)",
        "MODIFY COLUMN `amount` Nullable(Decimal(12, 4))",
    ]
    assert (result.rows_unchanged, result.rows_inserted) == (1, 1)
    assert clickhouse.rows(table, final=True) == [
        ["1", 1, 1.25, [], None],
        ["2", 2, None, [], None],
        ["3", 2**40, 12345678.1234, ["a"], "n"],
    ]
    assert loader_of(3).load(frame_of(("2", 2, None, [], None), schema=wide), config).rows_unchanged == 1


def test_discard_value_leaves_out_what_has_no_place(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    narrow, wide = "id string, number int", "id string, number bigint, note string"
    config = entry(table, schema_contract="discard_value")
    loader_of(1).load(frame_of(("1", 1), schema=narrow), config)

    result = loader_of(2).load(frame_of(("2", 2**40, "x"), ("3", 3, None), schema=wide), config)

    assert (result.rows_inserted, result.rows_rejected) == (2, 0)
    assert clickhouse.rows(table, final=True) == [["1", 1], ["2", None], ["3", 3]]


def test_discard_row_leaves_out_the_rows_and_hands_them_to_the_keeper(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    narrow, wide = "id string, number int", "id string, number bigint, note string"
    config = entry(table, schema_contract="discard_row")
    kept: list[tuple[str, Destination, Reject]] = []

    def keep(table_name: str, destination: Destination, rows: Iterable[Reject]) -> None:
        kept.extend((table_name, destination, row) for row in rows)

    loader_of(1, keep_rejects=keep).load(frame_of(("1", 1), schema=narrow), config)
    assert kept == []

    rows = [("2", 2**40, None), ("3", 3, None), ("4", 4, "x"), ("5", 2**40, "y")]
    result = loader_of(2, keep_rejects=keep).load(frame_of(*rows, schema=wide), config)

    assert (result.rows_in, result.rows_inserted, result.rows_rejected) == (4, 1, 3)
    assert clickhouse.rows(table, final=True) == [["1", 1], ["3", 3]]
    unfit, unknown = "the value does not fit Nullable(Int32)", f"{table} has no column note"
    assert sorted(kept, key=lambda each: each[2].row) == [
        (table, Destination.CLICKHOUSE, Reject("cast:number", unfit, '{"id":"2","number":1099511627776,"note":null}')),
        (table, Destination.CLICKHOUSE, Reject("schema:note", unknown, '{"id":"4","number":4,"note":"x"}')),
        (table, Destination.CLICKHOUSE, Reject("schema:note", unknown, '{"id":"5","number":1099511627776,"note":"y"}')),
    ]


def test_an_operators_own_table_keeps_its_indexes_defaults_low_cardinality_and_comment(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    clickhouse.execute(
        f"CREATE TABLE `{table}` (id String, kind LowCardinality(Nullable(String)), at DateTime64(6, 'UTC'), "
        "loaded_at DateTime DEFAULT toDateTime('2025-01-01 00:00:00', 'UTC'), year UInt16 MATERIALIZED toYear(at), "
        "INDEX kinds kind TYPE set(10) GRANULARITY 2) "
        "ENGINE = MergeTree PARTITION BY toYYYYMM(at) ORDER BY id COMMENT 'ours'"
    )
    schema = "id string, kind string, at timestamp"
    rows = [("1", "a", datetime(2025, 1, 1)), ("2", None, datetime(2025, 2, 1))]
    definition = TableDefinition(
        table, (ColumnDefinition("id", "text", False), ColumnDefinition("at", "timestamp with time zone", False))
    )
    config = entry(table, partition_by=("toYYYYMM(at)",), **MERGE_TREE)

    loader_of(1, definitions={table: definition}).load(frame_of(rows[0], schema=schema), config)
    result = loader_of(2, definitions={table: definition}).load(frame_of(*rows, schema=schema), config)

    assert (result.rows_unchanged, result.rows_inserted) == (1, 1)
    assert clickhouse.query(f"SELECT id, kind, toString(loaded_at), year FROM `{table}` ORDER BY id") == [
        ["1", "a", "2025-01-01 00:00:00", 2025],
        ["2", None, "2025-01-01 00:00:00", 2025],
    ]
    [[statement]] = clickhouse.query(f"SHOW CREATE TABLE `{table}`")
    assert "INDEX kinds kind TYPE set(10) GRANULARITY 2" in statement
    assert '"comment":"ours"' in statement


def test_rows_past_their_ttl_are_skipped_and_the_others_published(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    config = entry(table, ttl="toDateTime(day) + INTERVAL 30 YEAR", partition_by=("toYYYYMM(day)",))
    rows = [("1", date(1980, 1, 1), "expired", None), ("2", date(2025, 1, 1), "kept", None)]

    for run in (1, 2):
        result = loader_of(run).load(frame_of(*rows), config)
        assert (result.rows_skipped, result.rows_inserted + result.rows_unchanged) == (1, 1)

    assert [row[2] for row in clickhouse.rows(table)] == ["kept"]
    marks = clickhouse.query(
        "SELECT toYear(delete_ttl_info_min) FROM system.parts "
        f"WHERE active AND table = '{table}' AND partition_id = '202501'"
    )
    assert marks == [[2055]]  # attached parts still know when their rows expire


def test_a_database_that_cannot_exchange_tables_is_refused(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    config = entry(table, target_database="no_such_database")

    with pytest.raises(StoreError, match=r"no_such_database does not exist.*create the database"):
        loader_of().load(frame_of(("1", None, "x", None)), config)


def test_plan_shows_the_table_and_writes_nothing(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    config = entry(table, codec="ZSTD", partition_by=("toYYYYMM(day)",), ttl="toDateTime(day) + INTERVAL 1 YEAR")

    plan = loader_of().plan(frame_of(("1", date(2025, 1, 1), "x", None)), config)

    assert plan[0].splitlines() == [
        f"CREATE TABLE `{clickhouse.settings.database}`.`{table}`",
        "(",
        "    `id` String CODEC(ZSTD(1)),",
        "    `day` Date32 CODEC(ZSTD(1)),",
        "    `name` Nullable(String) CODEC(ZSTD(1)),",
        "    `amount` Nullable(Decimal(12, 2)) CODEC(ZSTD(1)),",
        "    `_etl_version` UInt64 MATERIALIZED 0 CODEC(ZSTD(1))",
        ")",
        "ENGINE = ReplacingMergeTree(`_etl_version`)",
        "PARTITION BY toYYYYMM(day)",
        "ORDER BY (`id`)",
        "TTL toDateTime(day) + INTERVAL 1 YEAR",
    ]
    assert table not in clickhouse.tables()
    assert not loader_of().target_exists(config)
