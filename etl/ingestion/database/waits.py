"""What a run waits for: its sessions are looked at from outside, and whoever stands in their way is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import asyncpg

from etl.errors import ContentionError, EtlError
from etl.ingestion.database.connection import Connection, Sessions, connect
from etl.ingestion.database.settings import Dsn
from etl.postgresql import waits
from etl.statements.postgresql.waits import find_waits

_WAITS = find_waits("$1", "$2", "$3")


class Waits:
    """Its own connection, made with the first look: those of the pool may all be waiting. Nothing that goes wrong with
    it is of any consequence to the run."""

    def __init__(self, dsn: Dsn, sessions: Sessions, connect_timeout_seconds: float) -> None:
        self._dsn = dsn
        self._sessions = sessions
        self._connect_timeout_seconds = connect_timeout_seconds
        self._connection: Connection | None = None
        self._ended = asyncio.Event()
        self._told = waits.Told()
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
                await asyncio.wait_for(self._ended.wait(), waits.INTERVAL_SECONDS)
                return
            try:
                await self._look()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, EtlError, OSError, TimeoutError):
                self._drop()  # the run's own connections will say what is wrong with the server

    async def _look(self) -> None:
        if self._connection is None:
            self._connection = await connect(self._dsn, self._connect_timeout_seconds)
        pids, name = await self._sessions.seen_by(self._connection)
        for row in await self._connection.fetch(_WAITS, pids, [name], waits.INTERVAL_SECONDS, timeout=10):
            self._last = self._told.tell(row)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
