"""CHECK, exclusion and NOT NULL constraints of a user's table: rows that break them are kept aside, the others load."""

from __future__ import annotations

from decimal import Decimal

import pytest
from pyspark.sql import DataFrame

from etl.errors import ContentionError, StoreError
from etl.model import ConflictResolution, SchemaContract, WriteMode
from tests.integration.load.postgresql.conftest import Database, counts, table_config

pytestmark = pytest.mark.stack

STAYS = "id int, during string"


def stays(database: Database, *rows: tuple[int, str | None]) -> DataFrame:
    return database.frame(STAYS, list(rows), {"during": "int4range"})


def test_rows_that_break_a_check_are_rejected_and_the_others_load(database: Database) -> None:
    database.execute(
        "CREATE TABLE items (id int PRIMARY KEY, price numeric(8,2) CONSTRAINT paid CHECK (price > 0), "
        '"from" date, until date, CONSTRAINT "in order%" CHECK ("from" <= until))'
    )
    rows = [
        (1, Decimal(1), "2024-01-01", "2024-01-02"),
        (2, Decimal(0), "2024-01-01", "2024-01-02"),
        (3, Decimal(1), "2024-01-03", "2024-01-02"),
        (4, None, None, "2024-01-02"),
    ]
    df = database.frame("id int, price decimal(8,2), `from` string, until string", rows)
    assert counts(database.load(df, table_config("items"))) == {"inserted": 2, "rejected": 2}
    assert database.execute("SELECT id FROM items ORDER BY id") == [(1,), (4,)]
    assert database.execute("SELECT rule, reason, row -> 'id', status FROM etl.rejects ORDER BY row -> 'id'") == [
        ("check:paid", "public.items requires (price > (0)::numeric)", 2, "rejected"),
        ("check:in order%", 'public.items requires ("from" <= until)', 3, "rejected"),
    ]


def test_update_that_breaks_a_check_leaves_the_stored_row(database: Database) -> None:
    database.execute("CREATE TABLE items (id int PRIMARY KEY, n int NOT NULL CHECK (n < 10))")
    database.load(database.frame("id int, n int", [(1, 1), (2, 2)]), table_config("items"))
    df = database.frame("id int, n int", [(1, 10), (2, 3), (3, None)])
    assert counts(database.load(df, table_config("items"), "run-2")) == {"updated": 1, "rejected": 2}
    assert database.execute("SELECT * FROM items ORDER BY id") == [(1, 1), (2, 3)]
    assert sorted(database.rejects()) == [
        ("items", "check:items_n_check", "rejected"),
        ("items", "required:n", "rejected"),
    ]


def test_check_looks_at_values_of_the_target_type_that_fit_it(database: Database) -> None:
    database.execute("CREATE TABLE items (id int PRIMARY KEY, code inet CHECK (masklen(code) = 32))")
    config = table_config("items", schema_contract=SchemaContract.DISCARD_VALUE)
    df = database.frame("id int, code string", [(1, "10.0.0.1"), (2, "10.0.0.0/8"), (3, "nowhere")])
    assert counts(database.load(df, config)) == {"inserted": 2, "rejected": 1}
    assert database.execute("SELECT id, host(code) FROM items ORDER BY id") == [(1, "10.0.0.1"), (3, None)]


def test_check_that_cannot_be_evaluated_fails_the_load_and_says_so(database: Database) -> None:
    database.execute("CREATE TABLE items (id int PRIMARY KEY, n int CONSTRAINT share CHECK (100 / n > 1))")
    with pytest.raises(StoreError, match=r"share \(\(\(100 / n\) > 1\)\) fails: division by zero \(SQLSTATE 22012\)"):
        database.load(database.frame("id int, n int", [(1, 0), (2, 5)]), table_config("items"))
    assert database.execute("SELECT * FROM items") == []
    assert database.staging_tables() == []


def test_check_over_a_column_that_the_load_does_not_bring_is_left_to_postgresql(database: Database) -> None:
    database.execute(
        "CREATE TABLE items (id int PRIMARY KEY, n int, most int DEFAULT 5, CONSTRAINT few CHECK (n <= most))"
    )
    with pytest.raises(StoreError, match=r"\(few\) .*columns that the load brings"):
        database.load(database.frame("id int, n int", [(1, 6)]), table_config("items"))
    assert counts(database.load(database.frame("id int, n int", [(1, 5)]), table_config("items"))) == {"inserted": 1}


def test_required_key_column_rejects_its_nulls_where_the_key_may_hold_them(database: Database) -> None:
    database.execute("CREATE TABLE items (id int, day date NOT NULL, n int, UNIQUE NULLS NOT DISTINCT (id, day))")
    config = table_config("items", key=("id", "day"), null_safe_key=True)
    df = database.frame("id int, day string, n int", [(None, "2024-01-01", 1), (2, None, 2)])
    assert counts(database.load(df, config)) == {"inserted": 1, "rejected": 1}
    assert database.rejects() == [("items", "required:day", "rejected")]


@pytest.mark.parametrize("timing", ["", " DEFERRABLE INITIALLY DEFERRED"])
def test_rows_that_exclude_one_another_keep_the_first_by_key(database: Database, timing: str) -> None:
    database.execute(
        "CREATE TABLE stays (id int PRIMARY KEY, during int4range, note text NOT NULL DEFAULT '-', "
        f"CONSTRAINT apart EXCLUDE USING gist (during WITH &&){timing})"
    )
    # 2 overlaps 1, and 3 overlaps only 2: with 2 gone there is room for 3
    df = stays(database, (3, "[8,12)"), (2, "[4,9)"), (1, "[1,5)"), (4, None), (5, None))
    assert counts(database.load(df, table_config("stays"))) == {"inserted": 4, "rejected": 1}
    assert database.execute("SELECT id FROM stays ORDER BY id") == [(1,), (3,), (4,), (5,)]
    assert database.execute("SELECT rule, reason, row -> 'id' FROM etl.rejects") == [
        ("exclusion:apart", "another row of this load excludes it", 2)
    ]
    assert len(database.execute("SELECT FROM pg_tables WHERE schemaname = 'etl_staging'")) == 0


def test_stored_row_excludes_newcomers_unless_it_moves_away(database: Database) -> None:
    database.execute("CREATE TABLE stays (id int PRIMARY KEY, during int4range, EXCLUDE USING gist (during WITH &&))")
    database.load(stays(database, (5, "[1,5)"), (6, "[10,15)"), (7, "[20,25)")), table_config("stays"))
    # 1 is in the way of 5, which stays; 2 takes what 6 leaves; 7 would move onto 5
    df = stays(database, (1, "[4,6)"), (2, "[10,12)"), (6, "[30,35)"), (7, "[2,3)"))
    assert counts(database.load(df, table_config("stays"), "run-2")) == {"inserted": 1, "updated": 1, "rejected": 2}
    assert database.execute("SELECT id, during::text FROM stays ORDER BY id") == [
        (2, "[10,12)"),
        (5, "[1,5)"),
        (6, "[30,35)"),
        (7, "[20,25)"),
    ]
    assert {rule for _, rule, _ in database.rejects()} == {"exclusion:stays_during_excl"}


def test_stored_row_keeps_its_place_against_a_smaller_key_of_the_same_load(database: Database) -> None:
    database.execute("CREATE TABLE stays (id int PRIMARY KEY, during int4range, EXCLUDE USING gist (during WITH &&))")
    config = table_config("stays", conflict_resolution=ConflictResolution.SKIP)
    database.load(stays(database, (5, "[1,5)")), config)
    df = stays(database, (1, "[4,6)"), (5, "[1,5)"))
    assert counts(database.load(df, config, "run-2")) == {"unchanged": 1, "rejected": 1}
    overwrite = table_config("stays", mode=WriteMode.OVERWRITE)
    replaced = database.load(stays(database, (1, "[4,6)"), (2, "[1,4)")), overwrite, "run-3")
    assert counts(replaced) == {"inserted": 2, "deleted": 1}


def test_exclusion_with_a_where_is_left_to_postgresql(database: Database) -> None:
    database.execute(
        "CREATE TABLE stays (id int PRIMARY KEY, during int4range, "
        "CONSTRAINT apart EXCLUDE USING gist (during WITH &&) WHERE (id > 0))"
    )
    with pytest.raises(ContentionError, match="apart"):
        database.load(stays(database, (1, "[1,5)"), (2, "[4,9)")), table_config("stays"))
    assert database.execute("SELECT * FROM stays") == []
