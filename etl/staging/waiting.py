"""What a transaction waits for: looked at from outside, and whoever stands in its way is told.

A thread of its own looks every two seconds at those that have been open for longer; in a run that goes well it asks the
server nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from etl.config.settings import PostgreSQLSettings
from etl.errors import ContentionError
from etl.ledger.connection import APPLICATION_NAME, connect, transaction
from etl.statements.postgresql.waits import find_waits
from etl.waits import INTERVAL_SECONDS, Told

_LOOKS_FOR_SECONDS = 5.0
_WAITS = find_waits("%(pids)s", "%(name)s", "%(seconds)s")


@dataclass(eq=False)
class Wait:
    """A transaction, which may come to wait. `pid`: its session's, as the server or a pooler says."""

    doing: str
    since: float = field(default_factory=time.monotonic)
    pid: int | None = None
    last: str = ""


class Waits:
    """Its own connection, made with the first look: those of the pool may all be waiting. Nothing that goes wrong with
    it is of any consequence."""

    def __init__(self, settings: PostgreSQLSettings) -> None:
        self._settings = settings
        self._connection: Connection | None = None
        self._open: set[Wait] = set()
        self._told = Told()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()

    @contextmanager
    def watched(self, doing: str) -> Iterator[Wait]:
        """A lock that is not to be had is told with who was last seen to hold it."""
        wait = Wait(doing)
        with self._guard:
            self._open.add(wait)
            self._begin()
        try:
            yield wait
        except ContentionError as error:
            if not wait.last:
                raise
            raise ContentionError(f"{error.message}; it was waiting for {wait.last}") from error.__cause__
        finally:
            with self._guard:
                self._open.discard(wait)

    def close(self) -> None:
        self._ended.set()
        with self._guard:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(timeout=2 * _LOOKS_FOR_SECONDS)

    def _begin(self) -> None:
        if self._thread is None and not self._ended.is_set():
            self._thread = threading.Thread(target=self._look_again_and_again, name="waits", daemon=True)
            self._thread.start()

    def _look_again_and_again(self) -> None:
        while not self._ended.wait(INTERVAL_SECONDS):
            now = time.monotonic()
            with self._guard:
                long = [each for each in self._open if each.pid is not None and now - each.since > INTERVAL_SECONDS]
            if not long:
                continue
            try:
                self._look(long)
            except psycopg2.Error:
                self._drop()  # the transactions themselves will say what is wrong with the server
        self._drop()

    def _look(self, waits: list[Wait]) -> None:
        if self._connection is None:
            self._connection = connect(self._settings)
        with transaction(self._connection, statement_timeout_seconds=_LOOKS_FOR_SECONDS) as cursor:
            pids = [each.pid for each in waits]
            cursor.execute("SELECT FROM pg_stat_activity WHERE pid = ANY (%s)", (pids,))
            is_pooled = not cursor.fetchall()
            asked = {"pids": None if is_pooled else pids, "name": APPLICATION_NAME, "seconds": INTERVAL_SECONDS}
            cursor.execute(_WAITS, asked)
            found: list[Any] = cursor.fetchall()
        by_pid = {each.pid: each for each in waits}
        for row in found:
            # a pooler does not say which of them it is
            those = waits if is_pooled else [by_pid[row["pid"]]]
            said = self._told.tell(row, doing=", ".join(dict.fromkeys(each.doing for each in those)))
            for each in those:
                each.last = said

    def _drop(self) -> None:
        held, self._connection = self._connection, None
        if held is not None:
            with suppress(psycopg2.Error):
                held.close()
