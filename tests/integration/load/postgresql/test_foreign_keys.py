"""Orphans, cycles, replay, and the foreign keys that the loader creates."""

from __future__ import annotations

from typing import Any

import pytest

from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.tables.models import PostgreSQLSource, TableConfig
from etl.errors import ConflictError
from etl.load.base import LoadFacts
from etl.model import ColumnDefinition, Destination, ForeignKey, TableDefinition, TableKind, WriteMode
from tests.integration.load.postgresql.conftest import Database, counts, table_config

pytestmark = pytest.mark.stack

PARENTS = TableDefinition(
    "parents", (ColumnDefinition("id", "integer", nullable=False), ColumnDefinition("name", "text")), ("id",)
)
CHILDREN = TableDefinition(
    "children",
    (
        ColumnDefinition("id", "integer", nullable=False),
        ColumnDefinition("parent_id", "integer"),
        ColumnDefinition("boss_id", "integer"),
    ),
    ("id",),
    foreign_keys=(ForeignKey(("parent_id",), "parents", ("id",)), ForeignKey(("boss_id",), "children", ("id",))),
)
CHILD = "id int, parent_id int, boss_id int"
PARENT = "id int, name string"


@pytest.fixture
def family(database: Database) -> Database:
    database.definitions = {"parents": PARENTS, "children": CHILDREN}
    return database


def foreign_keys(database: Database) -> list[tuple[Any, ...]]:
    return database.execute(
        "SELECT conrelid::regclass::text, confrelid::regclass::text, condeferred, convalidated "
        "FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace ORDER BY 1, 2"
    )


def test_orphans_wait_while_valid_rows_load_and_come_in_with_their_parents(family: Database) -> None:
    parents, children = table_config("parents"), table_config("children")
    family.load(family.frame(PARENT, [(1, "a")]), parents)
    # 3 is an orphan, so 4 and 5, who report to it, are too; 6 and 7 report to one another
    rows = [(1, 1, None), (2, 1, 1), (3, 9, None), (4, 1, 3), (5, None, 4), (6, 1, 7), (7, 1, 6)]

    assert counts(family.load(family.frame(CHILD, rows), children)) == {"inserted": 4, "rejected": 3}
    assert family.execute("SELECT id FROM children ORDER BY id") == [(1,), (2,), (6,), (7,)]
    assert foreign_keys(family) == [("children", "children", True, True), ("children", "parents", False, True)]
    waiting = family.execute("SELECT row, key, rule, status, run_id FROM etl.rejects ORDER BY key ->> 'id'")
    assert waiting == [
        (
            {"id": 3, "parent_id": 9, "boss_id": None},
            {"id": 3},
            "foreign_key:parent_id->parents",
            "waiting",
            "run-1",
        ),
        ({"id": 4, "parent_id": 1, "boss_id": 3}, {"id": 4}, "foreign_key:boss_id->children", "waiting", "run-1"),
        ({"id": 5, "parent_id": None, "boss_id": 4}, {"id": 5}, "foreign_key:boss_id->children", "waiting", "run-1"),
    ]

    # rejected again by a later run: the same entries, with the newer row
    again = [(3, 8, None), (4, 1, 3)]
    assert counts(family.load(family.frame(CHILD, again), children, "run-2")) == {"rejected": 2}
    assert family.execute("SELECT row ->> 'parent_id', run_id FROM etl.rejects WHERE key ->> 'id' = '3'") == [
        ("8", "run-2")
    ]
    assert len(family.rejects()) == 3
    assert [counts(result) for result in family.loader("run-2").replay_orphans([children])] == [{"rejected": 3}]

    family.load(family.frame(PARENT, [(8, "h")]), parents, "run-3")
    assert [counts(result) for result in family.loader("run-3").replay_orphans([parents, children])] == [
        {"inserted": 3}
    ]
    assert family.execute("SELECT * FROM children WHERE id IN (3, 4, 5) ORDER BY id") == [
        (3, 8, None),
        (4, 1, 3),
        (5, None, 4),
    ]
    assert {status for _, _, status in family.rejects()} == {"resolved"}
    assert family.loader("run-3").replay_orphans([parents, children]) == []
    assert family.staging_tables() == []


def test_good_row_of_a_later_load_resolves_its_waiting_entry(family: Database) -> None:
    family.load(family.frame(PARENT, [(1, "a")]), table_config("parents"))
    family.load(family.frame(CHILD, [(3, 9, None)]), table_config("children"))
    loaded = family.load(family.frame(CHILD, [(3, 1, None)]), table_config("children"), "run-2")
    assert counts(loaded) == {"inserted": 1}
    assert family.rejects() == [("children", "foreign_key:parent_id->parents", "resolved")]


def test_replay_leaves_a_newer_stored_row_alone(family: Database) -> None:
    parents, children = table_config("parents"), table_config("children")
    family.load(family.frame(PARENT, [(1, "a")]), parents)
    family.load(family.frame(CHILD, [(3, 9, None)]), children)
    family.execute("INSERT INTO children VALUES (3, 1, NULL)")
    family.load(family.frame(PARENT, [(9, "i")]), parents)
    assert [counts(result) for result in family.loader("run-2").replay_orphans([children])] == [{"skipped": 1}]
    assert family.execute("SELECT * FROM children") == [(3, 1, None)]
    assert family.rejects() == [("children", "foreign_key:parent_id->parents", "resolved")]


def test_parent_created_after_its_children_gets_the_foreign_key_then(family: Database) -> None:
    children = family.frame(CHILD, [(1, 1, None), (2, 2, None)])
    assert counts(family.load(children, table_config("children"))) == {"inserted": 2}
    assert foreign_keys(family) == [("children", "children", True, True)]
    family.load(family.frame(PARENT, [(1, "a"), (2, "b")]), table_config("parents"))
    assert foreign_keys(family) == [("children", "children", True, True), ("children", "parents", False, True)]


@pytest.mark.parametrize("parents_come_first", [True, False])
def test_a_parent_that_its_entry_puts_elsewhere_is_found_there(family: Database, parents_come_first: bool) -> None:
    parents = table_config("parents", target_schema="other", target_name="Mothers & Fathers")
    children = table_config("children", target_name="kids")
    loads = [(parents, family.frame(PARENT, [(1, "a")])), (children, family.frame(CHILD, [(1, 1, None)]))]
    family.execute("CREATE TABLE parents (id int PRIMARY KEY)")  # somebody else's
    for config, df in loads if parents_come_first else reversed(loads):
        loader = family.loader(tables={each.table_name: entry_of(each) for each in (parents, children)})
        assert counts(loader.load(df, config)) == {"inserted": 1}
    assert foreign_keys(family) == [
        ("kids", "kids", True, True),
        ("kids", 'other."Mothers & Fathers"', False, True),
    ]
    orphans = family.frame(CHILD, [(2, 9, None)])
    assert counts(family.loader("run-2").load(orphans, children)) == {"rejected": 1}


def entry_of(load: PostgreSQLTableLoadConfig) -> TableConfig:
    source = PostgreSQLSource(schema_name="public", table=load.table_name)
    loads = {Destination.POSTGRESQL: load}
    return TableConfig(name=load.table_name, domain="test", kind=TableKind.REFERENCE, source=source, loads=loads)


def test_foreign_key_stays_unvalidated_where_orphans_came_first(family: Database) -> None:
    family.load(family.frame(CHILD, [(1, 1, None), (2, 2, None)]), table_config("children"))
    family.load(family.frame(PARENT, [(1, "a")]), table_config("parents"))
    assert foreign_keys(family) == [("children", "children", True, True), ("children", "parents", False, False)]


def test_foreign_keys_are_left_alone_on_request(family: Database) -> None:
    family.load(family.frame(PARENT, [(1, "a")]), table_config("parents", foreign_keys=False))
    orphans = family.frame(CHILD, [(1, 7, None)])
    assert counts(family.load(orphans, table_config("children", foreign_keys=False))) == {"inserted": 1}
    assert foreign_keys(family) == []


def test_tables_of_a_cycle_load_together(database: Database) -> None:
    def definition(name: str, other: str) -> TableDefinition:
        columns = (ColumnDefinition("id", "integer", nullable=False), ColumnDefinition("other_id", "integer"))
        return TableDefinition(name, columns, ("id",), foreign_keys=(ForeignKey(("other_id",), other, ("id",)),))

    database.definitions = {"left": definition("left", "right"), "right": definition("right", "left")}
    schema = "id int, other_id int"

    def load(run_id: str, left: list[tuple[int, int | None]], right: list[tuple[int, int | None]]) -> list[Any]:
        frames = [(database.frame(schema, left), table_config("left"), LoadFacts(len(left)))]
        frames.append((database.frame(schema, right), table_config("right"), LoadFacts(len(right))))
        return [counts(result) for result in database.loader(run_id).load_together(frames)]

    # left 3 lacks its partner; right 3 refers to left 3
    first = load("run-1", [(1, 2), (2, 1), (3, 9)], [(1, 1), (2, 2), (3, 3)])
    assert first == [{"inserted": 2, "rejected": 1}, {"inserted": 2, "rejected": 1}]
    assert foreign_keys(database) == [('"left"', '"right"', True, True), ('"right"', '"left"', True, True)]
    assert load("run-2", [(1, 2), (2, 1)], [(1, 1), (2, 2)]) == [{"unchanged": 2}, {"unchanged": 2}]

    second = load("run-3", [(4, 5)], [(5, 4), (9, None)])
    assert second == [{"inserted": 1}, {"inserted": 2}]
    configs = [table_config("left"), table_config("right")]
    assert [counts(result) for result in database.loader("run-3").replay_orphans(configs)] == [
        {"inserted": 1},
        {"inserted": 1},
    ]
    assert database.execute('SELECT id, other_id FROM "left" ORDER BY id') == [(1, 2), (2, 1), (3, 9), (4, 5)]


def test_overwrite_counts_parents_of_the_new_content_only(family: Database) -> None:
    config = table_config("children", mode=WriteMode.OVERWRITE)
    family.load(family.frame(PARENT, [(1, "a")]), table_config("parents"))
    family.load(family.frame(CHILD, [(1, 1, None), (2, 1, 1)]), config)
    # 1 goes, so 2 has nobody to report to
    result = family.load(family.frame(CHILD, [(2, 1, 1), (3, 1, None)]), config, "run-2")
    assert counts(result) == {"inserted": 1, "rejected": 1, "deleted": 2}
    assert family.execute("SELECT id FROM children") == [(3,)]


def test_overwrite_refuses_to_drop_rows_that_other_tables_need(family: Database) -> None:
    config = table_config("parents", mode=WriteMode.OVERWRITE)
    family.load(family.frame(PARENT, [(1, "a"), (2, "b")]), config)
    family.load(family.frame(CHILD, [(1, 1, None)]), table_config("children"))
    with pytest.raises(ConflictError, match=r"1 rows that public\.children still refers to .*\(id=1\)"):
        family.load(family.frame(PARENT, [(2, "bb")]), config, "run-2")
    assert family.execute("SELECT * FROM parents ORDER BY id") == [(1, "a"), (2, "b")]
    assert counts(family.load(family.frame(PARENT, [(1, "aa")]), config, "run-3")) == {"updated": 1, "deleted": 1}
