"""Rows that are gone from the source and stay, marked, by an upsert; and those that it calls deleted itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.errors import SchemaMismatchError, VanishedRowsError
from etl.load.base import Deleted, LoadFacts
from etl.model import DELETED_AT, ForeignKey, LoadStatus, SchemaContract, TableDefinition, VanishedRows
from tests.integration.load.postgresql.conftest import Database, counts, facts_of, table_config

pytestmark = pytest.mark.stack

SCHEMA = "id int, name string"
ONE, TWO, THREE = (1, "one"), (2, "two"), (3, "three")
FIRST, SECOND = datetime(2026, 5, 1, 1, 2, 3, 456789, tzinfo=UTC), datetime(2026, 5, 2, tzinfo=UTC)


def marking(**over: Any) -> PostgreSQLTableLoadConfig:
    return table_config("items", **{"vanished_rows": VanishedRows.MARK, **over})


def rows(database: Database) -> list[tuple[Any, ...]]:
    return database.execute(f"SELECT id, name, {DELETED_AT} FROM items ORDER BY id")


@pytest.mark.parametrize("is_known", [True, False])
def test_gone_rows_are_marked_once_and_lose_the_mark_when_they_come_back(database: Database, is_known: bool) -> None:
    def load(run: str, at: datetime, *found: tuple[Any, ...]) -> tuple[dict[str, int], LoadStatus]:
        df = database.frame(SCHEMA, list(found))
        result = database.loader(run, started_at=at).load(df, marking(), facts_of(df) if is_known else None)
        return counts(result), result.status

    load("run-1", FIRST, ONE, TWO, THREE)
    assert rows(database) == [(*ONE, None), (*TWO, None), (*THREE, None)]

    assert load("run-2", FIRST, (2, "zwei"))[0] == {"updated": 1, "deleted": 2}
    assert rows(database) == [(*ONE, FIRST), (2, "zwei", None), (*THREE, FIRST)]

    versions = database.execute("SELECT xmin, ctid FROM items ORDER BY id")
    assert load("run-3", SECOND, (2, "zwei")) == ({"unchanged": 1}, LoadStatus.UNCHANGED)
    assert database.execute("SELECT xmin, ctid FROM items ORDER BY id") == versions

    assert load("run-4", SECOND, ONE)[0] == {"updated": 1, "deleted": 1}
    assert rows(database) == [(*ONE, None), (2, "zwei", SECOND), (*THREE, FIRST)]
    assert database.staging_tables() == []


def test_too_many_marks_are_refused_and_an_empty_source_marks_all(database: Database) -> None:
    guarded = marking(maximum_deleted="50%")
    database.load(database.frame(SCHEMA, [ONE, TWO, THREE]), guarded)
    database.loader("run-2", started_at=FIRST).load(database.frame(SCHEMA, [ONE, TWO]), guarded)
    with pytest.raises(VanishedRowsError, match=r"at most 50% of the 2 rows of .* found 2; nothing was written"):
        database.load(database.frame(SCHEMA, []), guarded)
    assert rows(database) == [(*ONE, None), (*TWO, None), (*THREE, FIRST)]

    result = database.loader("run-4", started_at=SECOND).load(database.frame(SCHEMA, []), marking())
    assert counts(result) == {"deleted": 2}
    assert rows(database) == [(*ONE, SECOND), (*TWO, SECOND), (*THREE, FIRST)]


def test_a_part_of_the_source_marks_nothing_and_takes_marks_back(database: Database) -> None:
    database.load(database.frame(SCHEMA, [ONE, TWO, THREE]), marking())
    database.loader("run-2", started_at=FIRST).load(database.frame(SCHEMA, [ONE]), marking())
    part = marking(vanished_rows=VanishedRows.KEEP, deleted_rows=VanishedRows.MARK)

    assert counts(database.load(database.frame(SCHEMA, [THREE, (4, "four")]), part)) == {"inserted": 1, "updated": 1}
    assert rows(database) == [(*ONE, None), (*TWO, FIRST), (*THREE, None), (4, "four", None)]


def test_a_table_that_stands_gets_the_column_where_its_contract_lets_it(database: Database) -> None:
    database.load(database.frame(SCHEMA, [ONE, TWO]), table_config("items"))
    for contract in (SchemaContract.FREEZE, SchemaContract.DISCARD_VALUE, SchemaContract.DISCARD_ROW):
        with pytest.raises(SchemaMismatchError, match=DELETED_AT):
            database.load(database.frame(SCHEMA, [ONE]), marking(schema_contract=contract))
    assert database.execute("SELECT * FROM items ORDER BY id") == [ONE, TWO]

    loader = database.loader("run-2", started_at=FIRST)
    plan = "\n".join(loader.plan(database.frame(SCHEMA, [ONE]), marking()))
    assert f'ADD COLUMN "{DELETED_AT}" timestamp with time zone' in plan
    assert f"SET \"{DELETED_AT}\" = TIMESTAMP WITH TIME ZONE '2026-05-01T01:02:03.456789+00:00'" in plan
    assert counts(loader.load(database.frame(SCHEMA, [ONE]), marking())) == {"unchanged": 1, "deleted": 1}
    assert rows(database) == [(*ONE, None), (*TWO, FIRST)]


def test_a_row_that_others_refer_to_is_marked_all_the_same(database: Database) -> None:
    link = ForeignKey(("item_id",), "items", ("id",))
    database.definitions["items"] = TableDefinition("items", (), primary_key=("id",))
    database.definitions["parts"] = TableDefinition("parts", (), primary_key=("id",), foreign_keys=(link,))
    database.load(database.frame(SCHEMA, [ONE, TWO]), marking())
    database.load(database.frame("id int, item_id int", [(7, 2)]), table_config("parts"))

    result = database.loader("run-2", started_at=FIRST).load(database.frame(SCHEMA, [ONE]), marking())
    assert (counts(result), result.rows_kept, result.notes) == ({"unchanged": 1, "deleted": 1}, 0, ())
    assert rows(database) == [(*ONE, None), (*TWO, FIRST)]
    assert database.execute(
        "SELECT conrelid::regclass::text FROM pg_constraint WHERE confrelid = 'items'::regclass"
    ) == [("parts",)]


def calling_deleted(database: Database, df: Any, *keys: int) -> LoadFacts:
    return LoadFacts(df.count(), deleted=Deleted(len(keys), database.frame("id int", [(key,) for key in keys])))


@pytest.mark.parametrize("taken", [VanishedRows.DELETE, VanishedRows.MARK])
def test_rows_that_the_source_calls_deleted_go_by_their_key(database: Database, taken: VanishedRows) -> None:
    """One that stands, one that never did; twice. What is not mentioned stays."""
    config = table_config("items", deleted_rows=taken, maximum_deleted="50%")
    database.load(database.frame(SCHEMA, [ONE, TWO, THREE]), config)
    df = database.frame(SCHEMA, [(1, "eins")])

    result = database.loader("run-2", started_at=FIRST).load(df, config, calling_deleted(database, df, 2, 9))
    assert counts(result) == {"updated": 1, "deleted": 1}
    marks = taken is VanishedRows.MARK
    left = [(1, "eins", None), (*TWO, FIRST), (*THREE, None)] if marks else [(1, "eins"), THREE]
    assert database.execute("SELECT * FROM items ORDER BY id") == left
    again = database.loader("run-3", started_at=SECOND).load(df, config, calling_deleted(database, df, 2, 9))
    assert (counts(again), again.status) == ({"unchanged": 1}, LoadStatus.UNCHANGED)
    assert database.execute("SELECT * FROM items ORDER BY id") == left
    assert database.staging_tables() == []

    nothing = database.frame(SCHEMA, [])
    with pytest.raises(VanishedRowsError, match=r"at most 50% of the 2 rows of .* found 2; nothing was written"):
        database.loader("run-4").load(nothing, config, calling_deleted(database, nothing, 1, 3))
    assert database.execute("SELECT * FROM items ORDER BY id") == left
    assert database.staging_tables() == []


def test_a_row_that_is_called_deleted_stays_while_others_refer_to_it(database: Database) -> None:
    link = ForeignKey(("item_id",), "items", ("id",))
    database.definitions["items"] = TableDefinition("items", (), primary_key=("id",))
    database.definitions["parts"] = TableDefinition("parts", (), primary_key=("id",), foreign_keys=(link,))
    config = table_config("items", deleted_rows=VanishedRows.DELETE)
    database.load(database.frame(SCHEMA, [ONE, TWO, THREE]), config)
    database.load(database.frame("id int, item_id int", [(7, 2)]), table_config("parts"))

    nothing = database.frame(SCHEMA, [])
    result = database.loader("run-2").load(nothing, config, calling_deleted(database, nothing, 2, 3))
    assert (result.rows_deleted, result.rows_kept) == (1, 1)
    assert result.notes == (
        "1 rows that are gone from the source stay, since rows of public.parts refer to them; the next run tries again",
    )
    assert database.execute("SELECT * FROM items ORDER BY id") == [ONE, TWO]


def test_a_marked_row_still_holds_its_unique_values(database: Database) -> None:
    database.definitions["items"] = TableDefinition("items", (), primary_key=("id",), unique_keys=(("name",),))
    database.load(database.frame(SCHEMA, [ONE, TWO]), marking())
    df = database.frame(SCHEMA, [ONE, (3, "two")])

    result = database.loader("run-2", started_at=FIRST).load(df, marking(), facts_of(df))
    assert counts(result) == {"unchanged": 1, "rejected": 1, "deleted": 1}
    assert rows(database) == [(*ONE, None), (*TWO, FIRST)]
    assert [rule for _, rule, _ in database.rejects()] == ["unique:name"]
