"""A transaction of the loader: its own settings, and errors in its words. The driver uses its connections again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

from pyspark import TaskContext

from etl.config.settings import PostgreSQLSettings
from etl.postgresql.connection import LOADER, committed, connect, reading
from etl.postgresql.next_steps import Advice
from etl.postgresql.pool import MAXIMUM_IDLE, Database
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
        _connections(settings).borrowed(statement) as held,
        answering(held, settings.statement_timeout_seconds),
        committed(held),
        held.cursor() as cursor,
    ):
        cursor.execute("; ".join(reading(settings, lock_timeout_seconds)))
        yield cursor


def _connections(settings: PostgreSQLSettings) -> Database:
    # a worker of Spark's may stand idle for as long as the application lives: it keeps none
    return _kept(settings) if TaskContext.get() is None else _database(settings, maximum_idle=0)


@lru_cache(maxsize=2)
def _kept(settings: PostgreSQLSettings) -> Database:
    return _database(settings)


def _database(settings: PostgreSQLSettings, maximum_idle: int = MAXIMUM_IDLE) -> Database:
    return Database(settings, maximum_idle, _ADVICE, partial(connect, part=LOADER, cursors=None))
