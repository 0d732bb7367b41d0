"""Gives up a server that stands still: counts along with it, for a while longer, and ends asyncpg's connection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg

from etl.postgresql.patience import seconds_for, stands_still


class WatchedConnection(asyncpg.Connection):  # type: ignore[misc]
    """`limit_seconds`: what the server lets a statement take. What is asked through it ends soon after; 0 is never."""

    limit_seconds: float = 0

    async def execute(self, query: str, *arguments: Any, **named: Any) -> Any:
        with self._answered(query):
            return await super().execute(query, *arguments, **named)

    async def executemany(self, *arguments: Any, **named: Any) -> Any:
        with self._answered():
            return await super().executemany(*arguments, **named)

    async def fetch(self, *arguments: Any, **named: Any) -> Any:
        with self._answered():
            return await super().fetch(*arguments, **named)

    async def fetchval(self, *arguments: Any, **named: Any) -> Any:
        with self._answered():
            return await super().fetchval(*arguments, **named)

    async def fetchrow(self, *arguments: Any, **named: Any) -> Any:
        with self._answered():
            return await super().fetchrow(*arguments, **named)

    async def prepare(self, *arguments: Any, **named: Any) -> Any:
        with self._answered():
            return await super().prepare(*arguments, **named)

    async def copy_to_table(self, *arguments: Any, **named: Any) -> Any:
        with self._answered():
            return await super().copy_to_table(*arguments, **named)

    async def copy_records_to_table(self, *arguments: Any, **named: Any) -> Any:
        with self._answered():
            return await super().copy_records_to_table(*arguments, **named)

    @contextmanager
    def _answered(self, query: str = "") -> Iterator[None]:
        """TimeoutError instead of what asyncpg says of a connection that we have ended. In a COPY it trips over it, or
        goes on waiting for room in a buffer that nobody empties any more: so whoever asks is cancelled, too."""
        asking = asyncio.current_task()
        if not self.limit_seconds or asking is None:
            yield
            return
        seconds, cancelled_before, has_ended = seconds_for(self.limit_seconds, query), asking.cancelling(), False

        def give_up() -> None:
            nonlocal has_ended
            has_ended = True
            self.terminate()
            asking.cancel()

        timer = asyncio.get_running_loop().call_later(seconds, give_up)
        try:
            yield
        except (
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            OSError,
            AttributeError,
            asyncio.CancelledError,
        ) as error:
            if not has_ended or asking.uncancel() > cancelled_before:
                raise
            raise TimeoutError(stands_still(seconds)) from error
        finally:
            timer.cancel()
