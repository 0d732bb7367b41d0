"""NULL keys, duplicate keys, and when nobody needs to look."""

from __future__ import annotations

import pytest

from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.errors import ConfigurationError
from etl.model import POSTGRESQL_TYPE, ColumnDefinition, ConflictResolution, Destination, TableDefinition, WriteMode
from etl.transform.keys import is_unique_at_source
from tests.unit.transform.conftest import MakeFrame, file_table, outcomes, postgresql_table, refusals, transform

BY_VERSION = {"deduplicate": {"order_by": [{"column": "version"}]}}


def test_the_first_in_order_stays(frame: MakeFrame) -> None:
    df = frame("id int, version int, name string", (1, 1, "old"), (1, 2, "new"), (1, None, "none"), (2, 1, "other"))
    result = transform(file_table(transform=BY_VERSION), df)
    assert sorted(map(tuple, result.good.collect())) == [(1, 2, "new"), (2, 1, "other")]
    assert outcomes(result)[:2] == [(1, "deduplicated", "deduplicated")] * 2
    assert refusals(result)[0][1] == 'another row has the key {"id":1}'
    assert result.deduplicated.count() == 2


def test_a_tie_is_broken_by_content_the_same_whatever_the_order_of_rows(frame: MakeFrame) -> None:
    rows = [(1, 5, name) for name in "abcdefgh"]
    table = file_table(transform=BY_VERSION)
    schema = "id int, version int, name string"
    first = transform(table, frame(schema, *rows)).good.collect()
    again = transform(table, frame(schema, *reversed(rows)).repartition(3)).good.collect()
    assert len(first) == 1 and first == again


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("x double", [(0.0,), (-0.0,)]),
        ("x array<double>", [([0.0],), ([-0.0],)]),
        ("x string, y string", [(None, "a"), ("a", None)]),
    ],
)
def test_what_hashes_alike_is_still_told_apart(frame: MakeFrame, kind: str, values: list[tuple[object, ...]]) -> None:
    rows = [(1, 5, *value) for value in values]
    schema = f"id int, version int, {kind}"
    found = {
        str(transform(file_table(transform=BY_VERSION), frame(schema, *order).coalesce(1)).good.collect())
        for order in (rows, rows[::-1])
    }
    assert len(found) == 1


@pytest.mark.parametrize("kind", ["interval", "jsonb", "time with time zone", "inet", "public.mood"])
def test_an_order_by_the_letters_of_a_number_is_refused(frame: MakeFrame, kind: str) -> None:
    df = frame("id int, version string", (1, "9 days"), (1, "10 days")).withMetadata("version", {POSTGRESQL_TYPE: kind})
    with pytest.raises(
        ConfigurationError, match=rf"deduplicate\.order_by: expected a column that sorts, found version, a {kind}"
    ):
        transform(file_table(transform=BY_VERSION), df)


def test_an_order_by_text_and_by_what_was_cast_is_taken(frame: MakeFrame) -> None:
    df = frame("id int, version string", (1, "9.5"), (1, "10")).withMetadata("version", {POSTGRESQL_TYPE: "numeric"})
    result = transform(file_table(transform={**BY_VERSION, "cast": {"version": "decimal(9,2)"}}), df)
    assert [str(row.version) for row in result.good.collect()] == ["10.00"]
    assert transform(file_table(transform=BY_VERSION), frame("id int, version string", (1, "a"))).good.count() == 1


def test_an_order_column_may_be_dropped_or_masked_afterwards(frame: MakeFrame) -> None:
    df = frame("id int, version int, name string", (1, 1, "old"), (1, 2, "new"))
    result = transform(file_table(transform={**BY_VERSION, "drop": ["version"]}), df)
    assert result.good.collect() == [(1, "new")]


def test_without_an_order_duplicates_are_refused(frame: MakeFrame) -> None:
    df = frame("id int, name string", (1, "a"), (1, "b"), (2, "c"))
    assert outcomes(transform(file_table(), df)) == [
        (1, "duplicate_key", "duplicate_key"),
        (1, "good", None),
        (2, "good", None),
    ]


def test_a_reject_does_not_count_as_the_other_row(frame: MakeFrame) -> None:
    df = frame("id int, name string", (1, None), (1, "b"))
    result = transform(file_table(transform={"required": ["name"]}), df)
    assert outcomes(result) == [(1, "good", None), (1, "rejected", "required:name")]


def test_a_key_of_several_columns(frame: MakeFrame) -> None:
    df = frame("a int, b string", (1, "x"), (1, "y"), (1, "x"))
    result = transform(file_table(key=("a", "b")), df)
    assert [outcome for _, outcome, _ in outcomes(result, "b")] == ["duplicate_key", "good", "good"]


def test_null_in_a_key_is_told_apart(frame: MakeFrame) -> None:
    df = frame("id int, name string", (None, "a"), (None, "b"), (1, "c"))
    result = transform(file_table(), df)
    assert outcomes(result) == [(1, "good", None), (None, "null_key", "null_key"), (None, "null_key", "null_key")]
    assert not result.good.schema["id"].nullable


def test_null_safe_keys_compare_null_as_a_value(frame: MakeFrame) -> None:
    load = PostgreSQLTableLoadConfig(
        table_name="things",
        key=("id",),
        null_safe_key=True,
        mode=WriteMode.UPSERT,
        conflict_resolution=ConflictResolution.UPDATE,
        target_name="things",
    )
    table = file_table(loads={Destination.POSTGRESQL: load})
    result = transform(table, frame("id int, name string", (None, "a"), (None, "b"), (1, "c")))
    assert [outcome for _, outcome, _ in outcomes(result)] == ["good", "duplicate_key", "good"]
    assert result.good.schema["id"].nullable


def definition(primary_key: tuple[str, ...], *unique: tuple[str, ...], nullable: bool = False) -> TableDefinition:
    columns = tuple(ColumnDefinition(name, "integer", nullable) for name in ("id", "a", "b"))
    return TableDefinition("things", columns, primary_key, unique)


@pytest.mark.parametrize(
    ("known", "key", "entry", "expected"),
    [
        (definition(("id",)), ("id",), {}, True),
        (definition(("id",)), ("id", "a"), {}, True),
        (definition(("id", "a")), ("id",), {}, False),
        (definition((), ("a", "b")), ("b", "a"), {}, True),
        (definition((), ("a", "b"), nullable=True), ("b", "a"), {}, False),
        (definition(("id",)), ("key",), {"rename": {"id": "key"}}, True),
        (definition(("id",)), ("id",), {"cast": {"id": "text"}}, False),
        (definition(("id",)), ("id",), {"derive": {"id": "id % 2"}}, False),
        (definition(("id",)), ("id",), {"trim": ["id"]}, False),
        (None, ("id",), {}, False),
    ],
)
def test_uniqueness_that_the_source_keeps_needs_no_shuffle(
    frame: MakeFrame, known: TableDefinition | None, key: tuple[str, ...], entry: dict[str, object], expected: bool
) -> None:
    table = postgresql_table(key=key, transform=entry)
    assert is_unique_at_source(table, known) is expected
    assert not is_unique_at_source(file_table(key=key, transform=entry), known)


def test_no_window_where_the_source_keeps_the_key_unique(frame: MakeFrame) -> None:
    df = frame("id int", (1,))
    known = definition(("id",))
    plan = transform(postgresql_table(), df, known).tagged._jdf.queryExecution().optimizedPlan().toString()
    assert "Window" not in plan
    plan = transform(file_table(), df).tagged._jdf.queryExecution().optimizedPlan().toString()
    assert "Window" in plan
