"""What a run waits for: its sessions are looked at from outside, and whoever stands in their way is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import asyncpg
import structlog

from etl.errors import ContentionError, EtlError
from etl.ingestion.connecting import Connection, Sessions, connect
from etl.ingestion.manifest import statement
from etl.ingestion.settings import Dsn

INTERVAL_SECONDS = 2.0
"""How often it is looked, and from when on a wait is told."""

SAID_AGAIN_SECONDS = 30.0

log = structlog.get_logger(__name__)


class Waits:
    """Its own connection, made with the first look: those of the pool may all be waiting. Nothing that goes wrong with
    it is of any consequence to the run."""

    def __init__(self, dsn: Dsn, sessions: Sessions, connect_timeout_seconds: float) -> None:
        self._dsn = dsn
        self._sessions = sessions
        self._connect_timeout_seconds = connect_timeout_seconds
        self._connection: Connection | None = None
        self._ended = asyncio.Event()
        self._told: dict[tuple[Any, ...], float] = {}
        self._last = ""

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._look_again_and_again())
        try:
            yield
        finally:
            self._ended.set()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            self._drop()

    def explained(self, error: EtlError) -> EtlError:
        """A lock that was not to be had, with who was last seen to hold it."""
        if not isinstance(error, ContentionError) or not self._last:
            return error
        return ContentionError(f"{error.message}; it was waiting for {self._last}")

    @contextmanager
    def explaining(self) -> Iterator[None]:
        try:
            yield
        except ContentionError as error:
            raise self.explained(error) from error

    async def _look_again_and_again(self) -> None:
        while not self._ended.is_set():
            with suppress(TimeoutError):  # not asyncio.sleep: the tests make the waits of retries shorter
                await asyncio.wait_for(self._ended.wait(), INTERVAL_SECONDS)
                return
            try:
                await self._look()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, EtlError, OSError, TimeoutError):
                self._drop()  # the run's own connections will say what is wrong with the server

    async def _look(self) -> None:
        if self._connection is None:
            self._connection = await connect(self._dsn, self._connect_timeout_seconds)
        pids, name = await self._sessions.seen_by(self._connection)
        for row in await self._connection.fetch(statement("waits"), pids, name, INTERVAL_SECONDS, timeout=10):
            self._tell(row)

    def _tell(self, row: asyncpg.Record) -> None:
        self._last = f"{row['wanted']}, held by {row['told']}" if row["told"] else str(row["wanted"])
        key, now = (row["pid"], row["wanted"], tuple(row["pids"] or ())), time.monotonic()
        if now - self._told.get(key, -SAID_AGAIN_SECONDS) < SAID_AGAIN_SECONDS:
            return
        self._told[key] = now
        log.warning(
            "waiting for a lock",
            wanted=row["wanted"],
            mode=row["mode"],
            held_by=row["told"],
            seconds=round(row["seconds"], 1),
            next_step=_next_step(row["pids"] or ()),
        )

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


def _next_step(pids: tuple[int, ...]) -> str:
    ending = "; ".join(f"SELECT pg_terminate_backend({pid})" for pid in pids if pid)
    return "let it commit" + (f", or end it: {ending}" if ending else "")
