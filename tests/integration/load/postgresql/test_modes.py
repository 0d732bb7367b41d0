"""Every mode and every conflict resolution, each run twice, on a real server."""

from __future__ import annotations

from typing import Any

import pytest

from etl.errors import ConflictError, DuplicateKeyError, NullKeyError, UsageError, VanishedRowsError
from etl.load.base import LoadFacts
from etl.model import ConflictResolution, VanishedRows, WriteMode
from tests.integration.load.postgresql.conftest import Database, counts, facts_of, table_config

pytestmark = pytest.mark.stack

SCHEMA = "id int, name string, score double"
OLD = [(1, "one", 1.0), (2, "two", None), (3, "three", 3.0)]
NEW = [(2, "two", None), (3, "drei", 3.0), (4, "four", 4.0)]
ROWS = 'SELECT id, name, score FROM public."items" ORDER BY id'


def test_fresh_upsert_creates_the_table_and_a_second_run_changes_nothing(database: Database) -> None:
    df, config = database.frame(SCHEMA, OLD), table_config("items")

    assert counts(database.loader().load(df, config, facts_of(df))) == {"inserted": 3}
    assert database.execute(ROWS) == OLD
    versions = database.execute("SELECT xmin, ctid FROM items ORDER BY id")

    assert counts(database.loader("run-2").load(df, config, facts_of(df))) == {"unchanged": 3}
    assert database.execute("SELECT xmin, ctid FROM items ORDER BY id") == versions
    assert database.staging_tables() == []


CASES: list[tuple[WriteMode, ConflictResolution, dict[str, int], list[tuple[Any, ...]]]] = [
    (
        WriteMode.UPSERT,
        ConflictResolution.UPDATE,
        {"inserted": 1, "updated": 1, "unchanged": 1},
        [OLD[0], *NEW],
    ),
    (
        WriteMode.UPSERT,
        ConflictResolution.SKIP,
        {"inserted": 1, "skipped": 1, "unchanged": 1},
        [*OLD, NEW[2]],
    ),
    (
        WriteMode.APPEND,
        ConflictResolution.UPDATE,
        {"inserted": 1, "updated": 1, "unchanged": 1},
        [OLD[0], *NEW],
    ),
    (
        WriteMode.APPEND,
        ConflictResolution.SKIP,
        {"inserted": 1, "skipped": 1, "unchanged": 1},
        [*OLD, NEW[2]],
    ),
    *(
        (WriteMode.OVERWRITE, resolution, {"inserted": 1, "updated": 1, "unchanged": 1, "deleted": 1}, NEW)
        for resolution in ConflictResolution
    ),
    *((WriteMode.IGNORE, resolution, {"skipped": 3}, OLD) for resolution in ConflictResolution),
]


@pytest.mark.parametrize(("mode", "resolution", "expected", "rows"), CASES)
@pytest.mark.parametrize("is_known", [True, False])
def test_second_load_meets_stored_rows(
    database: Database,
    mode: WriteMode,
    resolution: ConflictResolution,
    expected: dict[str, int],
    rows: list[tuple[Any, ...]],
    is_known: bool,
) -> None:
    config = table_config("items", mode=mode, conflict_resolution=resolution)
    first, second = database.frame(SCHEMA, OLD), database.frame(SCHEMA, NEW)
    assert counts(database.load(first, config)) == {"inserted": 3}

    result = database.loader("run-2").load(second, config, facts_of(second) if is_known else None)
    assert counts(result) == expected
    assert database.execute(ROWS) == rows

    again = {"skipped": 3} if mode is WriteMode.IGNORE else {"unchanged": 3 - expected.get("skipped", 0)}
    if "skipped" in expected:
        again["skipped"] = expected["skipped"]
    assert counts(database.load(second, config, "run-3")) == again
    assert database.execute(ROWS) == rows
    assert database.staging_tables() == []


@pytest.mark.parametrize("mode", [WriteMode.UPSERT, WriteMode.APPEND])
def test_error_names_the_keys_that_differ_and_writes_nothing(database: Database, mode: WriteMode) -> None:
    config = table_config("items", mode=mode, conflict_resolution=ConflictResolution.ERROR)
    assert counts(database.load(database.frame(SCHEMA, OLD), config)) == {"inserted": 3}
    assert counts(database.load(database.frame(SCHEMA, OLD[:2]), config, "run-2")) == {"unchanged": 2}

    with pytest.raises(ConflictError, match=r"found 1 keys whose stored row differs, for example \(id=3\)"):
        database.load(database.frame(SCHEMA, NEW), config, "run-2")
    assert database.execute(ROWS) == OLD
    assert database.staging_tables() == []

    more = [*OLD, NEW[2]]
    assert counts(database.load(database.frame(SCHEMA, more), config, "run-3")) == {"inserted": 1, "unchanged": 3}
    assert database.execute(ROWS) == more


def test_mode_error_refuses_an_existing_target(database: Database) -> None:
    config = table_config("items", mode=WriteMode.ERROR)
    assert counts(database.load(database.frame(SCHEMA, OLD), config)) == {"inserted": 3}
    said = r"expected no target \(mode: error\), found public\.items"
    with pytest.raises(ConflictError, match=said):
        database.load(database.frame(SCHEMA, OLD), config)
    with pytest.raises(ConflictError, match=said):
        database.loader().plan(database.frame(SCHEMA, OLD), config)
    ignoring = table_config("items", mode=WriteMode.IGNORE)
    assert database.loader().plan(database.frame(SCHEMA, OLD), ignoring) == ["the target exists (mode: ignore)"]


def test_mode_that_postgresql_cannot_do_is_refused(database: Database) -> None:
    with pytest.raises(UsageError, match="found replace_partition"):
        database.load(database.frame(SCHEMA, OLD), table_config("items", mode=WriteMode.REPLACE_PARTITION))


def test_upsert_without_a_key_is_refused(database: Database) -> None:
    with pytest.raises(UsageError, match="upsert needs one"):
        database.load(database.frame(SCHEMA, OLD), table_config("items", key=()))


@pytest.mark.parametrize(
    ("options", "wipes"),
    [
        ({"mode": WriteMode.UPSERT}, False),
        ({"mode": WriteMode.UPSERT, "vanished_rows": VanishedRows.DELETE}, True),
        ({"mode": WriteMode.OVERWRITE}, True),
        ({"mode": WriteMode.OVERWRITE, "key": ()}, True),
        ({"mode": WriteMode.APPEND, "vanished_rows": VanishedRows.DELETE}, False),
    ],
)
def test_an_empty_frame_wipes_only_what_it_is_the_whole_of(
    database: Database, options: dict[str, Any], wipes: bool
) -> None:
    config = table_config("items", **options)
    guarded = config.model_copy(update={"maximum_deleted": "99%"})
    assert counts(database.load(database.frame(SCHEMA, []), config)) == {}
    assert database.execute(ROWS) == []
    database.load(database.frame(SCHEMA, OLD), guarded)
    if wipes:
        with pytest.raises(VanishedRowsError, match=r"items: expected at most 99% of the 3 rows .* found 3"):
            database.load(database.frame(SCHEMA, []), guarded)
        assert database.execute(ROWS) == OLD
    assert counts(database.load(database.frame(SCHEMA, []), config)) == ({"deleted": 3} if wipes else {})
    assert database.execute(ROWS) == ([] if wipes else OLD)


def test_null_and_doubled_keys_are_refused_with_their_counts(database: Database) -> None:
    config = table_config("items", key=("id", "name"))
    with pytest.raises(NullKeyError, match="2 rows with NULL in name"):
        database.load(database.frame(SCHEMA, [(1, None, 1.0), (2, None, 1.0), (3, "x", 1.0)]), config)
    with pytest.raises(DuplicateKeyError, match=r"found 1 keys more than once, for example \(id=1, name=a\)"):
        database.load(database.frame(SCHEMA, [(1, "a", 1.0), (1, "a", 2.0), (1, "b", 3.0)]), config)
    assert database.execute("SELECT to_regclass('public.items')") == [(None,)]


def test_doubled_key_that_nobody_looked_for_still_publishes_nothing(database: Database) -> None:
    df = database.frame(SCHEMA, [(1, "a", 1.0), (1, "b", 2.0)])
    with pytest.raises(DuplicateKeyError, match="id=1"):
        database.loader().load(df, table_config("items"), LoadFacts(rows=2))
    assert database.execute("SELECT to_regclass('public.items')") == [(None,)]


def test_null_safe_key_treats_null_as_a_value(database: Database) -> None:
    config = table_config("items", key=("id", "name"), null_safe_key=True)
    rows = [(1, None, 1.0), (1, "", 2.0), (None, None, 3.0)]
    assert counts(database.load(database.frame(SCHEMA, rows), config)) == {"inserted": 3}
    assert counts(database.load(database.frame(SCHEMA, rows), config, "run-2")) == {"unchanged": 3}

    changed = [(1, None, 9.0), (1, "", 2.0), (2, None, 4.0)]
    outcome = {"inserted": 1, "updated": 1, "unchanged": 1}
    assert counts(database.load(database.frame(SCHEMA, changed), config, "run-3")) == outcome
    assert database.execute("SELECT id, name, score FROM items ORDER BY score") == [
        (1, "", 2.0),
        (None, None, 3.0),
        (2, None, 4.0),
        (1, None, 9.0),
    ]


def test_table_of_key_columns_only(database: Database) -> None:
    config = table_config("pairs", key=("a", "b"))
    assert counts(database.load(database.frame("a int, b int", [(1, 1), (1, 2)]), config)) == {"inserted": 2}
    second = database.frame("a int, b int", [(1, 2), (2, 1)])
    assert counts(database.load(second, config)) == {"inserted": 1, "unchanged": 1}
    assert database.execute("SELECT a, b FROM pairs ORDER BY a, b") == [(1, 1), (1, 2), (2, 1)]


def test_without_a_key_append_adds_and_overwrite_replaces_what_differs(database: Database) -> None:
    append = table_config("items", key=(), mode=WriteMode.APPEND)
    overwrite = table_config("items", key=(), mode=WriteMode.OVERWRITE)
    df = database.frame(SCHEMA, [OLD[0], OLD[0]])
    assert counts(database.load(df, append)) == {"inserted": 2}
    assert counts(database.load(df, append)) == {"inserted": 2}
    assert counts(database.load(df, overwrite)) == {"inserted": 2, "deleted": 4}
    assert counts(database.load(df, overwrite)) == {"unchanged": 2}
    assert database.execute(ROWS) == [OLD[0], OLD[0]]


def test_conflict_target_other_than_the_key(database: Database) -> None:
    config = table_config("items", conflict_target=("name",))
    assert counts(database.load(database.frame(SCHEMA, [(1, "a", 1.0), (2, "b", 2.0)]), config)) == {"inserted": 2}
    moved = database.frame(SCHEMA, [(3, "a", 5.0), (2, "b", 2.0)])
    assert counts(database.load(moved, config, "run-2")) == {"updated": 1, "unchanged": 1}
    assert database.execute(ROWS) == [(2, "b", 2.0), (3, "a", 5.0)]
