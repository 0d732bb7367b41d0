"""Whatever changes in a row of the source changes the fingerprint, also where PostgreSQL calls both values equal."""

from __future__ import annotations

from contextlib import closing

import pytest
from psycopg2.extensions import connection as Connection

from etl.config.settings import PostgreSQLSettings
from etl.extract.postgresql.door import connect
from etl.extract.postgresql.snapshot import SourceSnapshot
from etl.extract.values import Window
from tests.contrib import LOOSE
from tests.integration.extract.conftest import source_table

pytestmark = pytest.mark.stack

TYPES = """
    CREATE TYPE mood AS ENUM ('glad', 'sad');
    CREATE TYPE pair AS (a int, b numeric);
    CREATE DOMAIN number AS bigint;
    CREATE DOMAIN flag AS boolean;
    CREATE DOMAIN word AS varchar(9);
"""


@pytest.fixture
def kinds(database: Connection, schema: str) -> None:
    assert schema
    with database.cursor() as cursor:
        cursor.execute(TYPES)


def fingerprint_of(source: PostgreSQLSettings, schema: str) -> str:
    with SourceSnapshot(source) as snapshot:
        return snapshot.measure(source_table(schema, "t"), Window()).fingerprint


def is_seen(source: PostgreSQLSettings, schema: str, database: Connection, change: str) -> bool:
    """Whether the fingerprint is another one after it."""
    first = fingerprint_of(source, schema)
    with database.cursor() as cursor:
        cursor.execute(change)
    return fingerprint_of(source, schema) != first


@pytest.mark.usefixtures("kinds")
@pytest.mark.parametrize(
    ("type_", "before", "after"),
    [
        ("boolean", "false", "NULL"),
        ("smallint", "0", "NULL"),
        ("integer", "1", "2"),
        ("bigint", "1", "4294967296"),  # one half of its bits for the other
        ("bigint", "0", "-1"),
        ("number", "1", "4294967296"),
        ("flag", "true", "false"),
        ("word", "'a'", "'A'"),
        ("numeric", "1.0", "1.00"),
        ("numeric", "'NaN'", "'Infinity'"),
        ("real", "'0'", "'-0'"),
        ("double precision", "'0'", "'-0'"),
        ("text", "''", "NULL"),
        ("text", "'a'", "'a '"),
        ("character(3)", "'a'", "'b'"),
        ("bytea", r"'\x00'", r"'\x0000'"),
        ("date", "'2026-01-01'", "'infinity'"),
        ("time", "'00:00:00.000001'", "'01:11:34.967296'"),
        ("timetz", "'12:00+00'", "'13:00+01'"),
        ("timestamp", "timestamp '2000-01-01' + interval '1 microsecond'", "timestamp '2000-01-01 01:11:34.967296'"),
        ("timestamptz", "'2026-01-01 00:00+00'", "'2026-01-01 00:00+01'"),
        ("interval", "'1 day'", "'24 hours'"),
        ("uuid", "'00000000-0000-0000-0000-000000000000'", "'00000000-0000-0000-0000-000000000001'"),
        ("json", """'{"a": 1}'""", """'{"a":1}'"""),
        ("jsonb", """'{"a": 1.0}'""", """'{"a": 1.00}'"""),
        ("inet", "'10.0.0.1'", "'10.0.0.1/8'"),
        ("text[]", "'{a,NULL}'", "'{a,a}'"),
        ("numeric[]", "'{1.0}'", "'{1.00}'"),
        ("int[]", "'[0:0]={1}'", "'{1}'"),
        ("mood", "'glad'", "'sad'"),
        ("pair", "'(1,1.0)'", "'(1,1.00)'"),
        ("int4range", "'[1,2)'", "'[1,3)'"),
    ],
)
def test_a_value_that_changes_is_seen(
    source: PostgreSQLSettings, schema: str, database: Connection, type_: str, before: str, after: str
) -> None:
    with database.cursor() as cursor:
        cursor.execute(f"CREATE TABLE t (id int PRIMARY KEY, v {type_}); INSERT INTO t VALUES (1, {before})")
    assert fingerprint_of(source, schema) == fingerprint_of(source, schema)
    assert is_seen(source, schema, database, f"UPDATE t SET v = {after}")


@pytest.mark.usefixtures("kinds")
def test_an_enum_whose_label_is_another_is_seen(source: PostgreSQLSettings, schema: str, database: Connection) -> None:
    with database.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id int PRIMARY KEY, v mood); INSERT INTO t VALUES (1, 'glad')")
    assert is_seen(source, schema, database, "ALTER TYPE mood RENAME VALUE 'glad' TO 'happy'")


@pytest.mark.parametrize("type_", ["text COLLATE loose", "varchar(9) COLLATE loose", "citext"])
def test_a_letter_of_another_case_is_seen(contrib: PostgreSQLSettings, type_: str) -> None:
    schema = "loose_fingerprint"
    with closing(connect(contrib)) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}; SET search_path = {schema}")
        cursor.execute(f"CREATE EXTENSION IF NOT EXISTS citext SCHEMA pg_catalog; {LOOSE}")
        cursor.execute(f"CREATE TABLE t (id int PRIMARY KEY, v {type_}); INSERT INTO t VALUES (1, 'a')")
        connection.commit()
        first = fingerprint_of(contrib, schema)
        cursor.execute("UPDATE t SET v = 'A'")
        connection.commit()
        assert fingerprint_of(contrib, schema) != first
        cursor.execute(f"DROP SCHEMA {schema} CASCADE; DROP EXTENSION citext")
        connection.commit()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE t SET a = 3 - a WHERE id < 3",
        "UPDATE t SET a = b, b = a WHERE id = 1",
        "UPDATE t SET a = NULL, b = a WHERE id = 1",
        "DELETE FROM t WHERE id = 3",
        "INSERT INTO t VALUES (4, 9, 9)",
    ],
    ids=["two rows exchange a value", "two columns do", "a value moves", "a row goes", "a row comes"],
)
def test_values_that_change_places_are_seen(
    source: PostgreSQLSettings, schema: str, database: Connection, change: str
) -> None:
    with database.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id int PRIMARY KEY, a int, b int);")
        cursor.execute("INSERT INTO t VALUES (1, 1, 7), (2, 2, 8), (3, 9, 9)")
    assert is_seen(source, schema, database, change)


def test_the_order_of_the_rows_does_not_matter(source: PostgreSQLSettings, schema: str, database: Connection) -> None:
    with database.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1), (2, 2)")
    assert not is_seen(source, schema, database, "TRUNCATE t; INSERT INTO t VALUES (2, 2), (1, 1)")


def test_a_table_as_wide_as_the_server_allows(source: PostgreSQLSettings, schema: str, database: Connection) -> None:
    columns = ", ".join(f"c{number} int" for number in range(1_599))
    with database.cursor() as cursor:
        cursor.execute(f"CREATE TABLE t (id int PRIMARY KEY, {columns}); INSERT INTO t VALUES (1)")
    assert is_seen(source, schema, database, "UPDATE t SET c1598 = 1")
