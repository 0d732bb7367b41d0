"""Connections that threads borrow and give back."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from etl.config.settings import PostgreSQLSettings
from etl.postgresql.connection import connect, transaction
from etl.postgresql.door import door
from etl.postgresql.next_steps import MAIN_JOB, Advice
from etl.postgresql.silence import WatchedConnection

IDLE_SECONDS = 60.0
"""An idle connection older than this is not used again: poolers and firewalls drop such connections silently."""

MAXIMUM_IDLE = 4


class Database:
    """Transactions on connections that are borrowed and given back; `maximum_idle` stay open between calls."""

    def __init__(
        self,
        settings: PostgreSQLSettings,
        maximum_idle: int = MAXIMUM_IDLE,
        advice: Advice = MAIN_JOB,
        opened: Callable[[PostgreSQLSettings], WatchedConnection] = connect,
    ) -> None:
        self.settings = settings
        self.advice = advice
        self.maximum_idle = maximum_idle
        self._idle: list[tuple[float, WatchedConnection]] = []
        self._guard = threading.Lock()
        self._opened = opened

    @contextmanager
    def transaction(self, name: str, *, settings: str = "", **limits: float) -> Iterator[Any]:
        """A cursor inside one transaction; `name` says in errors what was being done."""
        with self.borrowed(name) as held, transaction(held, settings=settings, **limits) as work:
            yield work

    @contextmanager
    def borrowed(self, name: str) -> Iterator[WatchedConnection]:
        """For a caller who ends the transactions himself; one left open is given up."""
        with door(self.settings, name, self.advice):
            held = self._borrow()
            try:
                yield held
            finally:
                self._give_back(held)

    def close(self) -> None:
        """Closes the idle connections; the next call opens new ones."""
        with self._guard:
            idle, self._idle = self._idle, []
        for _, held in idle:
            held.close()

    def _borrow(self) -> WatchedConnection:
        while True:
            with self._guard:
                if not self._idle:
                    break
                given_back_at, held = self._idle.pop()
            if time.monotonic() - given_back_at < IDLE_SECONDS and not _has_ended(held):
                return held
            held.close()
        return self._opened(self.settings)

    def _give_back(self, held: WatchedConnection) -> None:
        is_clean = not held.closed and held.info.transaction_status == TRANSACTION_STATUS_IDLE
        with self._guard:
            if is_clean and len(self._idle) < self.maximum_idle:
                self._idle.append((time.monotonic(), held))
                return
        held.close()


def _has_ended(held: WatchedConnection) -> bool:
    """An idle server says nothing: what can be read is its farewell."""
    if held.closed:
        return True
    poll = select.poll()
    poll.register(held.fileno(), select.POLLIN)
    return bool(poll.poll(0))
