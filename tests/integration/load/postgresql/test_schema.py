"""Targets that stand already: what the schema contract adds, refuses and gives up; types; names."""

from __future__ import annotations

import datetime as dt
import math
import uuid
from decimal import Decimal
from typing import Any, Literal

import pytest
from pydantic import SecretStr

from etl.errors import DataError, RejectedRowsError, SchemaMismatchError, StoreError
from etl.load.base import LoadFacts
from etl.model import ColumnDefinition, SchemaContract, TableDefinition
from etl.statements.postgresql.naming import Table, staging_table
from tests.integration.load.postgresql.conftest import Database, counts, facts_of, table_config

pytestmark = pytest.mark.stack

UTC = dt.UTC
FIRST, SECOND = uuid.UUID(int=1), uuid.UUID("ffffffff-ffff-4fff-bfff-ffffffffffff")

WIDE = (
    "id string, flag boolean, small smallint, whole int, big bigint, single float, twice double, "
    "price decimal(12,2), exact decimal(38,18), day date, at timestamp, wall timestamp, doc string, note string, "
    "code string, address string, raw binary, tags array<string>, numbers array<int>, ids array<string>, "
    "nested struct<a:int,b:string>"
)
WIDE_TYPES = {
    "id": "uuid",
    "exact": "numeric",
    "wall": "timestamp without time zone",
    "doc": "jsonb",
    "code": "character varying(8)",
    "address": "inet",
    "ids": "uuid[]",
}
MOMENT, EARLY = dt.datetime(2024, 2, 29, 23, 59, 59, 999999, UTC), dt.datetime(1, 1, 1, tzinfo=UTC)
WIDE_ROWS: list[tuple[Any, ...]] = [
    (
        *(str(FIRST), True, -32768, 2**31 - 1, -(2**63), 1.5, math.nan, Decimal("-9999999999.99")),
        *(Decimal("12345678901234567890.123456789012345678"), dt.date(1, 1, 1), EARLY, MOMENT),
        *('{"a": [1, null], "é": "ü"}', 'tab\t"quote" \\N, line\n', "äöü", "2001:db8::1/64", b"\x00\xff\\"),
        *(['a,"b"', None, "\\", ""], [1, None, -1], [str(SECOND)], (1, "x")),
    ),
    (
        *(str(SECOND), False, 0, 0, 0, -0.0, math.inf, Decimal("0.01")),
        *(Decimal("-0.000000000000000001"), dt.date(9999, 12, 31), MOMENT, EARLY),
        *('"text"', "", "", "10.0.0.1", b"", [], [], [], (None, None)),
    ),
    ("00000000-0000-0000-0000-00000000000A", *(None,) * 20),
]
WIDE_STORED = [
    (
        *("00000000-0000-0000-0000-000000000001", True, -32768, 2**31 - 1, -(2**63), 1.5, "NaN"),
        *("-9999999999.99", "12345678901234567890.123456789012345678", "0001-01-01", "0001-01-01 00:00:00+00"),
        *("2024-02-29 23:59:59.999999", '{"a": [1, null], "é": "ü"}', 'tab\t"quote" \\N, line\n', "äöü"),
        *("2001:db8::1/64", "\\x00ff5c", '{"a,\\"b\\"",NULL,"\\\\",""}', "{1,NULL,-1}"),
        *("{ffffffff-ffff-4fff-bfff-ffffffffffff}", '{"a": 1, "b": "x"}'),
    ),
    ("00000000-0000-0000-0000-00000000000a", *(None,) * 20),
    (
        *("ffffffff-ffff-4fff-bfff-ffffffffffff", False, 0, 0, 0, -0.0, "Infinity"),
        *("0.01", "-0.000000000000000001", "9999-12-31", "2024-02-29 23:59:59.999999+00"),
        *("0001-01-01 00:00:00", '"text"', "", "", "10.0.0.1/32", "\\x", "{}", "{}", "{}", '{"a": null, "b": null}'),
    ),
]


@pytest.mark.parametrize("copy_format", ["binary", "csv"])
def test_wide_types_keep_their_values_and_types(database: Database, copy_format: Literal["binary", "csv"]) -> None:
    config = table_config("wide", copy_format=copy_format)
    df = database.frame(WIDE, WIDE_ROWS, WIDE_TYPES)

    assert counts(database.loader().load(df, config, facts_of(df))) == {"inserted": 3}
    assert (
        database.execute(
            "SELECT id::text, flag, small, whole, big, single, twice::text, price::text, exact::text, day::text, "
            "at::text, wall::text, doc::text, note, code, address::text, raw::text, tags::text, numbers::text, "
            "ids::text, nested::text FROM wide ORDER BY id"
        )
        == WIDE_STORED
    )
    types = dict(
        database.execute(
            "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = 'wide'::regclass AND attnum > 0"
        )
    )
    assert {name: types[name] for name in WIDE_TYPES} == WIDE_TYPES
    assert (types["price"], types["at"], types["tags"], types["nested"]) == (
        "numeric(12,2)",
        "timestamp with time zone",
        "text[]",
        "jsonb",
    )
    assert counts(database.loader("run-2").load(df, config, facts_of(df))) == {"unchanged": 3}


def test_executors_and_driver_stage_the_same(database: Database) -> None:
    df = database.frame(WIDE, WIDE_ROWS, WIDE_TYPES).repartition(3)
    assert counts(database.load(df, table_config("wide"))) == {"inserted": 3}
    assert counts(database.loader("run-2").load(df, table_config("wide"), facts_of(df))) == {"unchanged": 3}


def test_text_that_is_no_uuid_is_a_data_error(database: Database) -> None:
    df = database.frame("id string", [("12",)], {"id": "uuid"})
    with pytest.raises(DataError, match="expected a uuid in column id"):
        database.load(df, table_config("items"))


def test_required_columns_come_from_the_source(database: Database) -> None:
    columns = (
        ColumnDefinition("id", "integer", nullable=False),
        ColumnDefinition("name", "text", nullable=False),
        ColumnDefinition("age", "text", nullable=False),
    )
    database.definitions = {"items": TableDefinition("items", columns, ("id",))}
    # a transformer made a number of `age`: it may be NULL now
    first = database.frame("id int, name string, age int", [(1, "a", None)])
    assert counts(database.load(first, table_config("items"))) == {"inserted": 1}
    required = database.execute(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = 'items'::regclass AND attnum > 0 AND attnotnull"
    )
    assert required == [("id",), ("name",)]
    second = database.frame("id int, name string", [(2, None), (3, "c")])
    assert counts(database.load(second, table_config("items"), "run-2")) == {"inserted": 1, "rejected": 1}
    assert database.rejects() == [("items", "required:name", "rejected")]


def test_not_null_that_the_source_gave_up_refuses_no_row_any_more(database: Database) -> None:
    """A user's own target, too, under `evolve`; what the source still requires, and what it says nothing of, stays."""
    database.execute(
        "CREATE TABLE items (id int PRIMARY KEY, freed text NOT NULL, kept text NOT NULL, mine text NOT NULL)"
    )
    freed, kept = ColumnDefinition("freed", "text"), ColumnDefinition("kept", "text", nullable=False)
    columns = (ColumnDefinition("id", "integer", nullable=False), freed, kept)
    database.definitions["items"] = TableDefinition("items", columns, ("id",))
    rows = [(1, None, "k", "m"), (2, "f", "k", None), (3, "f", "k", "m")]
    df = database.frame("id int, freed string, kept string, mine string", rows)
    frozen = table_config("items", schema_contract=SchemaContract.FREEZE)
    assert counts(database.load(df, frozen)) == {"inserted": 1, "rejected": 2}
    assert counts(database.load(df, table_config("items"), "run-2")) == {"inserted": 1, "unchanged": 1, "rejected": 1}
    required = (
        "SELECT attname FROM pg_attribute WHERE attrelid = 'items'::regclass AND attnum > 0 AND attnotnull ORDER BY 1"
    )
    assert [name for (name,) in database.execute(required)] == ["id", "kept", "mine"]


def test_more_rows_refused_than_the_limit_allows_publish_nothing(database: Database) -> None:
    """The transform's rejects count, too; orphans, which wait, do not."""
    database.execute("CREATE TABLE items (id int PRIMARY KEY, n int NOT NULL)")
    df = database.frame("id int, n int", [(1, 1), (2, None), (3, None)])
    config = table_config("items", maximum_rejected="50%")
    with pytest.raises(RejectedRowsError, match=r"at most 50% of the 4 rows read .* found 3: required:n \(2, such as"):
        database.loader().load(df, config, LoadFacts(3, rows_read=4, rows_rejected=1))
    assert database.execute("SELECT count(*) FROM items") == [(0,)] and database.rejects() == []
    accepted = config.model_copy(update={"maximum_rejected": "3"})
    result = database.loader("run-2").load(df, accepted, LoadFacts(3, rows_read=4, rows_rejected=1))
    assert counts(result) == {"inserted": 1, "rejected": 2}


def test_column_that_a_transformer_emptied_is_not_required(database: Database) -> None:
    columns = (ColumnDefinition("id", "integer", nullable=False), ColumnDefinition("name", "text", nullable=False))
    database.definitions = {"items": TableDefinition("items", columns, ("id",))}
    emptied = database.frame("id int, name string", [(1, None), (2, "b")])
    assert counts(database.load(emptied, table_config("items"))) == {"inserted": 2}


def test_every_difference_is_named_at_once(database: Database) -> None:
    database.execute("CREATE TABLE items (id smallint PRIMARY KEY, kind text NOT NULL, born boolean, n varchar(3))")
    df = database.frame("id int, born date, n string, more string", [(1, None, "a", "b")])
    with pytest.raises(SchemaMismatchError) as caught:
        database.load(df, table_config("items", schema_contract=SchemaContract.FREEZE))
    for fault in (
        "extra column kind (text NOT NULL without default)",
        "missing column more (text)",
        "column id narrows integer to smallint",
        "column born narrows date to boolean",
        "column n narrows text to character varying(3)",
    ):
        assert fault in caught.value.message
    assert database.staging_tables() == []


def test_evolve_adds_and_widens(database: Database) -> None:
    database.execute("CREATE TABLE items (id smallint PRIMARY KEY, n varchar(3) COLLATE \"C\", note text DEFAULT 'x')")
    database.execute("INSERT INTO items VALUES (1, 'abc', 'kept')")
    df = database.frame("id int, n string, more decimal(5,2)", [(1, "abc", None), (100_000, "abcd", Decimal("1.50"))])
    assert counts(database.load(df, table_config("items"))) == {"inserted": 1, "unchanged": 1}
    assert database.execute("SELECT id, n, note, more FROM items ORDER BY id") == [
        (1, "abc", "kept", None),
        (100_000, "abcd", "x", Decimal("1.50")),
    ]
    of_n = "SELECT collation_name FROM information_schema.columns WHERE table_name = 'items' AND column_name = 'n'"
    assert database.execute(of_n) == [("C",)]


def test_dropped_columns_keep_their_places(database: Database) -> None:
    many = ", ".join(f"c{place} smallint" for place in range(1_598))
    database.execute(f"CREATE TABLE items (id int PRIMARY KEY, {many})")
    database.execute("ALTER TABLE items DROP COLUMN c7, DROP COLUMN c8")
    df, config = database.frame("id int, one string, two string", [(1, "a", "b")]), table_config("items")
    said = "2 new columns would make 1,601 with 2 dropped ones, which keep their places until the table is made anew"
    for ask in (database.loader().plan, database.load):
        with pytest.raises(SchemaMismatchError, match=said):
            ask(df, config)


def test_a_row_that_no_page_holds_says_so(database: Database) -> None:
    names = [f"c{place}" for place in range(1_100)]
    df = database.frame(", ".join(["id int", *(f"{name} double" for name in names)]), [(1, *[0.5] * 1_100)])
    said = "row is too big: .*; a row has to fit a page: drop columns in transform, cast them to smaller types"
    with pytest.raises(StoreError, match=said):
        database.load(df, table_config("items"))


def test_discard_row_rejects_rows_that_need_what_the_target_lacks(database: Database) -> None:
    database.execute("CREATE TABLE items (id smallint PRIMARY KEY, code uuid)")
    config = table_config("items", schema_contract=SchemaContract.DISCARD_ROW)
    rows = [(1, str(FIRST), None), (2, None, "x"), (70_000, None, None), (4, "no uuid", None)]
    df = database.frame("id int, code string, more string", rows)
    assert counts(database.load(df, config)) == {"inserted": 1, "rejected": 3}
    assert database.execute("SELECT id, code::text FROM items") == [(1, str(FIRST))]
    assert database.execute("SELECT row ->> 'id', rule, row ->> 'more' FROM etl.rejects ORDER BY 1") == [
        ("2", "schema:more", "x"),
        ("4", "cast:code", None),
        ("70000", "cast:id", None),
    ]


def test_discard_value_keeps_the_row(database: Database) -> None:
    database.execute("CREATE TABLE items (id int PRIMARY KEY, size smallint)")
    config = table_config("items", schema_contract=SchemaContract.DISCARD_VALUE)
    df = database.frame("id int, size int, more string", [(1, 70_000, "x"), (2, 7, None)])
    assert counts(database.loader().load(df, config, facts_of(df))) == {"inserted": 2}
    assert database.execute("SELECT id, size FROM items ORDER BY id") == [(1, None), (2, 7)]
    assert counts(database.load(df, config, "run-2")) == {"unchanged": 2}


def test_identity_and_generated_columns_of_a_users_table(database: Database) -> None:
    database.execute(
        "CREATE TABLE items (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int, "
        "twice int GENERATED ALWAYS AS (n * 2) STORED)"
    )
    df = database.frame("id int, n int, twice int", [(7, 1, 0), (8, 2, 0)])
    assert counts(database.load(df, table_config("items"))) == {"inserted": 2}
    assert database.execute("SELECT * FROM items ORDER BY id") == [(7, 1, 2), (8, 2, 4)]
    changed = database.frame("id int, n int, twice int", [(7, 5, 0), (8, 2, 0)])
    assert counts(database.load(changed, table_config("items"), "run-2")) == {"updated": 1, "unchanged": 1}


@pytest.mark.parametrize(
    "column",
    [
        "int GENERATED ALWAYS AS IDENTITY",
        "int GENERATED BY DEFAULT AS IDENTITY",
        "serial",
        "int GENERATED BY DEFAULT AS IDENTITY (INCREMENT -1 MAXVALUE 1000 START 1000)",
    ],
)
def test_the_next_insert_continues_after_the_numbers_that_were_loaded(database: Database, column: str) -> None:
    database.execute(f"CREATE TABLE items (id {column} PRIMARY KEY, n int)")
    last, following = (970, 969) if "-1" in column else (40, 41)
    database.load(database.frame("id int, n int", [(last, 1)]), table_config("items"))
    assert database.execute("INSERT INTO items (n) VALUES (2) RETURNING id") == [(following,)]


def test_sequences_never_go_back(database: Database) -> None:
    database.execute("CREATE SEQUENCE numbers; CREATE TABLE items (id int PRIMARY KEY DEFAULT nextval('numbers'))")
    database.execute("SELECT setval('numbers', 500)")
    database.load(database.frame("id int", [(7,)]), table_config("items"))
    assert database.execute("INSERT INTO items DEFAULT VALUES RETURNING id") == [(501,)]


def test_a_sequence_that_the_role_may_not_move_fails_no_load(database: Database) -> None:
    role, name = "etl_sequence_test", database.settings.database
    database.execute(
        f"DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN PASSWORD 'sequence-test'; "
        f"GRANT {role} TO CURRENT_USER; GRANT CREATE ON DATABASE {name} TO {role}; "
        f"GRANT USAGE ON SCHEMA etl, public TO {role}; "
        f"GRANT SELECT ON ALL TABLES IN SCHEMA etl TO {role}; "
        "CREATE TABLE items (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY); "
        f"GRANT SELECT, INSERT, UPDATE ON items TO {role}"
    )
    changes = {"user": role, "password": SecretStr("sequence-test")}
    try:
        loader = database.loader(settings=database.settings.model_copy(update=changes))
        assert counts(loader.load(database.frame("id int", [(7,)]), table_config("items"))) == {"inserted": 1}
        assert database.execute("INSERT INTO items DEFAULT VALUES RETURNING id") == [(1,)]
    finally:
        database.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def test_views_are_no_targets(database: Database) -> None:
    database.execute("CREATE VIEW items AS SELECT 1 AS id")
    with pytest.raises(SchemaMismatchError, match="is a view"):
        database.load(database.frame("id int", [(1,)]), table_config("items"))


@pytest.mark.parametrize("name", ["select", 'Mixed "Case"', "order", "ä" * 31 + "x", "per%cent", "a;b--c"])
def test_any_name_works_for_table_column_and_key(database: Database, name: str) -> None:
    """Table, key column and schema-qualified references of one name: reserved, mixed case, 63 bytes."""
    config = table_config("items", target_name=name, target_schema="other", key=(name,))
    df = database.spark.createDataFrame([(1, "a"), (2, "b")], "id int, value string").withColumnRenamed("id", name)
    assert counts(database.load(df, config)) == {"inserted": 2}
    changed = database.spark.createDataFrame([(1, "x"), (3, "c")], "id int, value string").withColumnRenamed("id", name)
    assert counts(database.load(changed, config, "run-2")) == {"inserted": 1, "updated": 1}
    loader = database.loader()
    assert loader.target_exists(config) and loader.target(config) == f"other.{name}"


def test_plan_says_what_would_be_done_and_does_nothing(database: Database) -> None:
    df = database.frame("id int, name string", [(1, "a")])
    plan = database.loader().plan(df, table_config("items"))
    staging = staging_table(Table("public", "items"), "run-1").sql
    assert plan[2:] == [
        "BEGIN",
        '-- CREATE TABLE "public"."items" ("id" integer NOT NULL, "name" text)',
        f'CREATE TABLE "public"."items" AS SELECT s."id" AS "id", s."name" AS "name" FROM {staging} AS s '
        'WHERE s._etl_rule IS NULL ORDER BY s."id"',
        'ALTER TABLE "public"."items" ADD PRIMARY KEY ("id")',
        f"DROP TABLE {staging}",
        "COMMIT",
    ]
    assert database.execute("SELECT to_regclass('public.items'), to_regnamespace('etl_staging')") == [(None, None)]
