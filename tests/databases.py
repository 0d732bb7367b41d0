"""Databases of a test's own."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2.errors
import psycopg2.extensions

from etl.config.settings import PostgreSQLSettings
from etl.postgresql.connection import connect

PATIENCE_SECONDS = 60

Execute = Callable[..., list[Any]]


def drop_database(execute: Callable[[str], Any], name: str) -> None:
    """With whoever is still connected, but for the server's own vacuum, which may not be ended and soon ends itself."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        except (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.ObjectInUse):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
        else:
            return


@contextmanager
def database_of_its_own(server: PostgreSQLSettings | None, prefix: str) -> Iterator[PostgreSQLSettings]:
    """An empty one on this server, gone when the block ends."""
    assert server is not None
    name = f"{prefix}_{secrets.token_hex(4)}"
    with closing(connect(server)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f'CREATE DATABASE "{name}"')
        yield server.model_copy(update={"database": name})
        with connection.cursor() as cursor:
            drop_database(cursor.execute, name)


@contextmanager
def statements_of(settings: PostgreSQLSettings) -> Iterator[Execute]:
    """Runs a statement that is none of the code under test, commits it and returns its rows as tuples.

    All by one connection: a new one costs more than most statements.
    """
    with closing(connect(settings)) as connection:
        connection.autocommit = True

        def execute(statement: str, values: Any = None) -> list[Any]:
            with connection.cursor(cursor_factory=psycopg2.extensions.cursor) as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall() if cursor.description else []

        yield execute
