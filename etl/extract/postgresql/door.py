"""The door to the source: a reader's connection, and errors that name table and source."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from etl.config.settings import PostgreSQLSettings
from etl.errors import SourceError, TransientError
from etl.postgresql import connection
from etl.postgresql.door import door
from etl.postgresql.next_steps import Advice
from etl.postgresql.silence import WatchedConnection

_ADVICE = Advice(
    statement="raise source.statement_timeout_seconds",
    lock="end that session, then start again",
    connections="lower --parallelism",
    refused="",
    row_security=", or, where the rows that it sees are what is meant, write `source: {row_security: filter}`",
)


@contextmanager
def source_door(settings: PostgreSQLSettings, doing: str, table: str | None = None) -> Iterator[None]:
    """`doing` completes "while …" in the message."""
    try:
        with door(settings, f"the source, while {doing}", _ADVICE, partial(SourceError, table=table)):
            yield
    except TransientError as error:
        error.table = error.table or table
        raise


def connect(settings: PostgreSQLSettings) -> WatchedConnection:
    """An autocommit connection: transactions are begun in words, since the snapshot's needs a mode of its own."""
    opened = connection.connect(settings, connection.EXTRACT, cursors=None)
    opened.autocommit = True
    opened.limit_seconds = settings.statement_timeout_seconds
    return opened
