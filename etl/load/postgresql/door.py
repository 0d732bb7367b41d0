"""A transaction of the loader: its own connection, its own settings, and errors in its words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from etl.config.settings import PostgreSQLSettings
from etl.postgresql.connection import LOADER, committed, connect, reading
from etl.postgresql.door import door
from etl.postgresql.next_steps import Advice
from etl.postgresql.silence import answering

_ADVICE = Advice(
    statement="raise postgresql.statement_timeout_seconds",
    lock="end that session, or raise run.lock_timeout_seconds",
    connections="lower --parallelism or `writers`",
    page="drop columns in transform, cast them to smaller types, or write `postgresql: {enabled: false}`",
    refused="",
)


@contextmanager
def transaction(settings: PostgreSQLSettings, statement: str, *, lock_timeout_seconds: int = 30) -> Iterator[Any]:
    """A cursor in one transaction: committed at the end, rolled back on any error. `statement` says what is done."""
    with (
        door(settings, statement, _ADVICE),
        closing(connect(settings, LOADER, cursors=None)) as held,
        answering(held, settings.statement_timeout_seconds),
        committed(held),
        held.cursor() as cursor,
    ):
        cursor.execute("; ".join(reading(settings, lock_timeout_seconds)))
        yield cursor
