"""The operational database: connect, create the schema, set its foreign keys aside while a whole world is copied in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from etl.errors import ConnectionLostError, StoreError, UsageError
from etl.project import SQL_DIR

SCHEMA_DIR = SQL_DIR / "postgresql" / "source"
DOMAINS = (
    "base",
    "company",
    "security",
    "ml_models",
    "editorial",
    "customer",
    "data_quality",
    "compliance",
    "audit",
    "configuration",
)
"""A file of the schema each, in an order in which parents precede children (cycles aside)."""

DEFAULT_URL_VARIABLE = "ETL_SOURCE_POSTGRES_URL"
LEFT_ALONE = "the source holds rows already: left alone"

_LOCK_KEY = 7_979_797_979
"""Advisory lock (of one transaction): two samples never fill or advance the same database at once."""


@contextmanager
def open_source(url: str) -> Iterator[Cursor]:
    """One transaction: all of it is committed, or nothing is. Driver errors become ours, without the URL."""
    try:
        connection = psycopg2.connect(url, application_name="etl.sample", connect_timeout=10)
    except psycopg2.ProgrammingError:
        raise UsageError(
            "expected a URL like postgresql://user:password@host:5432/database, found another form"
        ) from None
    except psycopg2.OperationalError as error:
        raise ConnectionLostError(f"the source does not answer: {str(error).strip()}; is the server up?") from error
    try:
        yield from _transaction(connection)
    finally:
        connection.close()


def _transaction(connection: Connection) -> Iterator[Cursor]:
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SET LOCAL timezone TO 'UTC'; SET LOCAL datestyle TO 'ISO, YMD'")
            cursor.execute("SET LOCAL search_path TO public; SET LOCAL work_mem TO '64MB'")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK_KEY,))
            yield cursor
    except psycopg2.OperationalError as error:
        raise ConnectionLostError(f"lost the source half-way, nothing was kept: {_first_line(error)}") from error
    except psycopg2.Error as error:
        raise StoreError(f"the source refused, nothing was kept: {_first_line(error)}") from error


def _first_line(error: psycopg2.Error) -> str:
    return str(error).strip().partition("\n")[0]


def _schema_of(domain: str) -> str:
    return (SCHEMA_DIR / f"{domain}.sql").read_text(encoding="utf-8")


TABLES = tuple(
    table
    for domain in DOMAINS
    for table in re.findall(r"^CREATE TABLE IF NOT EXISTS (\w+)", _schema_of(domain), re.MULTILINE)
)


def is_filled(cursor: Cursor) -> bool:
    """By the sample, or by someone else: any row in any of the 79 tables counts."""
    return bool(tables_with_rows(cursor, existing_tables(cursor)))


def existing_tables(cursor: Cursor) -> list[str]:
    """Those of the 79 that are there, ours or not."""
    cursor.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename = ANY(%s)", (list(TABLES),)
    )
    found = {row[0] for row in cursor.fetchall()}
    return [table for table in TABLES if table in found]


def tables_with_rows(cursor: Cursor, tables: Sequence[str]) -> list[str]:
    return [table for table in tables if _has_rows(cursor, table)]


def _has_rows(cursor: Cursor, table: str) -> bool:
    cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(table)))
    row = cursor.fetchone()
    return bool(row and row[0])


def create_schema(cursor: Cursor) -> None:
    for domain in DOMAINS:
        cursor.execute(_schema_of(domain))


def drop_schema(cursor: Cursor, tables: Sequence[str]) -> None:
    """The sample's tables alone; a view of the user's upon them makes this fail rather than vanish."""
    if tables:
        names = sql.SQL(", ").join(sql.Identifier(table) for table in tables)
        cursor.execute(sql.SQL("DROP TABLE {} RESTRICT").format(names))


@contextmanager
def foreign_keys_set_aside(cursor: Cursor) -> Iterator[None]:
    """Checked over whole tables at the end: row by row they cost more than the rows, and cycles have no order."""
    cursor.execute(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND conrelid = ANY(%s::regclass[])"
        " ORDER BY 1, 2",
        (list(TABLES),),
    )
    keys = cursor.fetchall()
    for table, name, _ in keys:
        cursor.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(sql.SQL(table), sql.Identifier(name)))
    yield
    for table, name, definition in keys:
        statement = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}")
        cursor.execute(statement.format(sql.SQL(table), sql.Identifier(name), sql.SQL(definition)))


def advance_identities(cursor: Cursor) -> None:
    """COPY does not move a sequence; without this the next default value would collide."""
    cursor.execute(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND is_identity = 'YES' AND table_name = ANY(%s)",
        (list(TABLES),),
    )
    for table, column in cursor.fetchall():
        highest = sql.SQL("(SELECT max({}) FROM {})").format(sql.Identifier(column), sql.Identifier(table))
        statement = sql.SQL("SELECT setval(pg_get_serial_sequence(%s, %s), {})").format(highest)
        cursor.execute(statement, (table, column))


def analyze(cursor: Cursor) -> None:
    """From a tenth of the usual sample: enough for the plans needed now, autovacuum looks closer later."""
    cursor.execute("SET LOCAL default_statistics_target TO 10")
    names = sql.SQL(", ").join(sql.Identifier(table) for table in TABLES)
    cursor.execute(sql.SQL("ANALYZE {}").format(names))
