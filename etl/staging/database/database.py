"""The staging database: a bounded pool, and transactions that set their schema and limits themselves.

All limits are transaction-local: behind PgBouncer in transaction mode a session is somebody else's a moment later.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import RealDictCursor

from etl.config.settings import PostgreSQLSettings
from etl.errors import ConnectionLostError, OverloadedError
from etl.postgresql.connection import committed, opening
from etl.postgresql.next_steps import Advice
from etl.postgresql.pool import Database
from etl.postgresql.silence import WatchedConnection, answering
from etl.staging.database.waits import Waits
from etl.statements.quoting import postgresql_identifier

ADVICE = Advice(
    statement="raise the job's timeouts.statement",
    lock="end it, or raise the job's timeouts.lock",
    connections="lower the job's workers",
)

_NO_ANSWER = "timeout expired"


@dataclass(frozen=True)
class Timeouts:
    """Seconds. `pool`: how long a worker waits for a free connection."""

    statement: float = 60
    lock: float = 15
    pool: float = 30


class _OpeningCursor(Cursor):
    """Sends what its transaction begins with along with the first statement: a round trip less for each batch."""

    opening = ""
    comment = ""
    """Begins each statement, so that it is known in pg_stat_activity."""

    def execute(self, query: Any, vars: Any = None) -> None:
        if begin := self.comment + self._begin():
            query, vars = begin.encode() + self.mogrify(query, vars), None
        super().execute(query, vars)

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        super().copy_expert(self.comment + self._begin() + sql, file, size)

    def _begin(self) -> str:
        begin, self.opening = self.opening, ""
        return f"{begin}; " if begin else ""


class _OpeningDictCursor(_OpeningCursor, RealDictCursor):
    """Likewise, with rows as dicts."""


class StagingDatabase:
    """At most `connections` at once; idle ones are kept for the next transaction."""

    def __init__(
        self,
        settings: PostgreSQLSettings,
        schema: str = "public",
        connections: int = 8,
        timeouts: Timeouts | None = None,
    ) -> None:
        self.schema = schema
        self.settings = settings
        self._timeouts = timeouts or Timeouts()
        self._connections = connections
        self._free = threading.BoundedSemaphore(connections)
        self._database = Database(settings, maximum_idle=connections, advice=ADVICE)
        self._waits = Waits(settings)

    @contextmanager
    def transaction(self, name: str, *, is_durable: bool = True, comment: str = "") -> Iterator[Cursor]:
        """A cursor whose rows are tuples. Not durable: a crash of the server may lose it, which saves waiting for its
        disk; for what is only watched. `comment`: in SQL, what its statements begin with."""
        limits = self._limits({})
        with self._connection(name, limits) as held, held.cursor(cursor_factory=_OpeningCursor) as cursor:
            cursor.comment = comment
            cursor.opening = self._opening(limits, is_durable=is_durable)
            yield cursor

    @contextmanager
    def rows(self, name: str, **limits: float) -> Iterator[RealDictCursor]:
        """As `transaction`, with rows as dicts; `limits` instead of the job's own timeouts."""
        limits = self._limits(limits)
        with self._connection(name, limits) as held, held.cursor(cursor_factory=_OpeningDictCursor) as cursor:
            cursor.opening = self._opening(limits)
            yield cursor

    def close(self) -> None:
        self._waits.close()
        self._database.close()

    @contextmanager
    def _connection(self, name: str, limits: Mapping[str, float]) -> Iterator[WatchedConnection]:
        with (
            self._slot(),
            self._naming_timeout(),
            self._waits.watched(name) as wait,
            self._database.borrowed(name) as held,
            answering(held, limits["statement_timeout_seconds"]),
            committed(held),
        ):
            wait.pid = held.info.backend_pid
            yield held

    def _opening(self, limits: Mapping[str, float], *, is_durable: bool = True) -> str:
        search_path = f"SET LOCAL search_path = {postgresql_identifier(self.schema)}"
        settings = search_path if is_durable else f"{search_path}; SET LOCAL synchronous_commit = off"
        return opening(**limits, settings=settings)

    def _limits(self, own: Mapping[str, float]) -> dict[str, float]:
        return {
            "statement_timeout_seconds": self._timeouts.statement,
            "lock_timeout_seconds": self._timeouts.lock,
            **own,
        }

    @contextmanager
    def _naming_timeout(self) -> Iterator[None]:
        """libpq does not say how long it waited for a connection, nor who told it to."""
        try:
            yield
        except ConnectionLostError as error:
            if _NO_ANSWER not in error.message:
                raise
            seconds = self.settings.connect_timeout_seconds
            raise ConnectionLostError(f"{error.message} (waited {seconds} s: timeouts.connect)") from error.__cause__

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._free.acquire(timeout=self._timeouts.pool):
            raise OverloadedError(
                f"waited {self._timeouts.pool:g} s for one of {self._connections} connections; "
                "raise timeouts.pool or lower the number of workers"
            )
        try:
            yield
        finally:
            self._free.release()
