"""The driver's door to the source: every psycopg2 error becomes one of ours, transient or terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from etl.config.settings import PostgreSQLSettings
from etl.errors import SourceError
from etl.postgresql.next_steps import Advice, next_step
from etl.postgresql.sqlstates import transient_kind
from etl.statements.postgresql import row_security

_ADVICE = Advice(
    statement="raise source.statement_timeout_seconds",
    lock="end that session, then start again",
    connections="lower --parallelism",
)

SESSION = (
    # the server must not end the idle transaction that holds the snapshot
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    # behind a view there may be a table that another session has locked
    "SET LOCAL lock_timeout = '30s'",
    # texts and fingerprints must not depend on who asks
    "SET LOCAL TimeZone = 'UTC'",
    "SET LOCAL DateStyle = 'ISO, YMD'",
    "SET LOCAL IntervalStyle = 'postgres'",
    "SET LOCAL bytea_output = 'hex'",
    "SET LOCAL extra_float_digits = 1",
    row_security.FAIL,
)
"""Holds for one transaction only, so that it works through a pooler."""


def limited(settings: PostgreSQLSettings) -> tuple[str, ...]:
    """What a transaction of a reader begins with. A long read is no mistake, one without an end is."""
    return (f"SET LOCAL statement_timeout = '{settings.statement_timeout_seconds:d}s'", *SESSION)


@contextmanager
def source_door(settings: PostgreSQLSettings, doing: str, table: str | None = None) -> Iterator[None]:
    """`doing` completes "while …" in the message."""
    try:
        yield
    except psycopg2.Error as error:
        message, code, said = _message(settings, doing, error), error.pgcode or "", str(error)
        if kind := transient_kind(code, said, type(error)):
            raise kind(f"{message}; {next_step(kind, code, said, _ADVICE)}", table=table) from error
        raise SourceError(message, table=table) from error


def connect(settings: PostgreSQLSettings) -> Connection:
    """An autocommit connection: transactions are begun in words, since the snapshot's needs a mode of its own."""
    parameters: dict[str, Any] = {
        **settings.connection_parameters,
        "application_name": settings.session_name("extract"),
        "keepalives_idle": 30,
    }
    connection: Connection = psycopg2.connect(**parameters)
    connection.autocommit = True
    return connection


def _message(settings: PostgreSQLSettings, doing: str, error: psycopg2.Error) -> str:
    said = str(error).strip()
    if row_security.is_refused(error):
        said = row_security.explain(error.diag.message_primary or said, settings.user)
        said += ", or, where the rows that it sees are what is meant, write `source: {row_security: filter}`"
    return f"the source {settings.address} answered, while {doing}: {said}"
