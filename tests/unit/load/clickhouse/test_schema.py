from __future__ import annotations

from typing import Any

import pytest

from etl.config.destinations.clickhouse.load_config import ClickHouseTableLoadConfig
from etl.errors import SchemaMismatchError
from etl.load.clickhouse.schema import SchemaPlan, plan_schema, stored_expressions
from etl.load.clickhouse.target import TargetTable, wanted_shape
from etl.model import Column
from etl.statements.clickhouse.tables import ColumnShape, TableShape
from etl.statements.types import column_of


def entry(**options: Any) -> ClickHouseTableLoadConfig:
    named = {"table_name": "t", "target_name": "t", "key": ("id",), "mode": "merge", "engine": "ReplacingMergeTree"}
    return ClickHouseTableLoadConfig(**{**named, **options})


def columns(**kinds: str) -> tuple[Column, ...]:
    return tuple(column_of(name, kind, None) for name, kind in kinds.items())


def target(shape: TableShape) -> TargetTable:
    return TargetTable(shape, comment="", rows=1, state="")


def test_key_partition_and_version_columns_are_never_nullable() -> None:
    frame = columns(id="string", day="date", updated_at="timestamp", name="string", tags="array<string>")
    shape = wanted_shape(frame, entry(partition_by=("toYYYYMM(day)",), version="updated_at"))

    assert shape == TableShape(
        columns=(
            ColumnShape("id", "String", codec="CODEC(LZ4)"),
            ColumnShape("day", "Date32", codec="CODEC(LZ4)"),
            ColumnShape("updated_at", "DateTime64(6, 'UTC')", codec="CODEC(LZ4)"),
            ColumnShape("name", "Nullable(String)", codec="CODEC(LZ4)"),
            ColumnShape("tags", "Array(Nullable(String))", codec="CODEC(LZ4)"),
        ),
        engine="ReplacingMergeTree",
        order_by="`id`",
        partition_by="toYYYYMM(day)",
        version="updated_at",
    )


def test_a_null_safe_key_may_be_null() -> None:
    shape = wanted_shape(columns(id="string"), entry(null_safe_key=True, engine="MergeTree", mode="append"))
    assert shape.column_types == {"id": "Nullable(String)"}
    assert shape.settings == ("allow_nullable_key = 1",)


def test_what_was_created_from_a_frame_needs_no_change_for_it() -> None:
    frame = columns(id="bigint", amount="decimal(9,2)", day="date")
    config = entry(schema_contract="freeze")

    plan = plan_schema(frame, config, target(wanted_shape(frame, config)))

    assert not plan.evolves
    assert not plan.discards


def test_evolution_is_planned_before_anything_is_written() -> None:
    config = entry()
    stored = wanted_shape(columns(id="string", number="int", gone="string"), config)

    plan = plan_schema(columns(id="string", number="bigint", note="string"), config, target(stored))

    assert plan.added == (ColumnShape("note", "Nullable(String)", codec="CODEC(LZ4)"),)
    assert plan.modified == (("number", "Nullable(Int64)"),)
    assert list(plan.shape.column_types) == ["id", "number", "gone", "_etl_version", "note"]


def test_a_sorting_column_cannot_be_widened_where_it_stands() -> None:
    config = entry()
    stored = wanted_shape(columns(id="int"), config)

    with pytest.raises(SchemaMismatchError, match="column id: Int32 cannot be widened to Int64"):
        plan_schema(columns(id="bigint"), config, target(stored))


def test_discard_contracts_never_touch_the_key() -> None:
    config = entry(schema_contract="discard_value", engine="MergeTree", mode="append", order_by=("name",))
    stored = wanted_shape(columns(id="int", name="string"), config)

    with pytest.raises(SchemaMismatchError, match="column id: the target's Int32 is too narrow for Int64"):
        plan_schema(columns(id="bigint", name="string"), config, target(stored))


def test_what_discard_leaves_out() -> None:
    config = entry(schema_contract="discard_row")
    stored = wanted_shape(columns(id="string", number="int"), config)

    plan = plan_schema(columns(id="string", number="bigint", note="string"), config, target(stored))

    assert (plan.narrowed, plan.unknown) == ((("number", "int"),), ("note",))
    assert [(column.name, column.spark_type) for column in plan.columns] == [("id", "string"), ("number", "int")]


def test_stored_values_are_compared_in_the_type_they_are_going_to_have() -> None:
    frame = columns(id="string", number="bigint", note="string")
    config = entry()
    stored = wanted_shape(columns(id="string", number="int"), config)
    plan: SchemaPlan = plan_schema(frame, config, target(stored))

    assert stored_expressions(frame, stored, plan.shape, "t") == {
        "id": "t.`id`",
        "number": "CAST(t.`number`, 'Nullable(Int64)')",
        "note": "defaultValueOfTypeName('Nullable(String)')",
    }


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ({"_partition_id": "int"}, "'_partition_id', a column that every table of the server has"),
        ({"_row_exists": "int"}, "'_row_exists', a column"),
        ({"a": "int", "a.null": "int"}, "'a.null' beside 'a', whose part it would be"),
        ({"a": "array<int>", "a.size0": "int"}, "'a.size0' beside 'a'"),
        ({"n.a": "array<int>", "n.b": "array<int>"}, "the array 'n.a', one of a nested structure 'n'"),
        ({"n": "int", "n.a": "array<int>"}, "the array 'n.a', one of"),
    ],
)
def test_names_that_the_server_takes_for_something_else(kinds: dict[str, str], said: str) -> None:
    with pytest.raises(SchemaMismatchError) as caught:
        plan_schema(columns(id="int", **kinds), entry(), None)
    assert said in str(caught.value)


def test_names_with_dots_are_columns_like_others() -> None:
    kinds = {"n.a": "array<int>", "n.b": "int", "m.a": "array<int>", ".c": "array<int>", "x.null": "int"}
    plan = plan_schema(columns(id="int", **kinds), entry(), None)
    assert {*kinds} < {*plan.shape.column_types}
