"""What sessions wait for: looked at from outside, and whoever stands in their way is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import psycopg2

from etl.config.settings import PostgreSQLSettings
from etl.postgresql import waits
from etl.postgresql.connection import EXTRACT, LEDGER, LOADER, Kept
from etl.statements.postgresql.waits import find_waits

_LOOKS_FOR_SECONDS = 5.0
_WAITS = find_waits("%(pids)s", "%(names)s", "%(seconds)s")

Ask = Callable[[], AbstractContextManager[Any]]


class Lookout:
    """A thread that calls `look` every two seconds, with what opens a transaction on a connection of its own: those of
    the others may all be waiting. Nothing that goes wrong with it is of any consequence."""

    def __init__(self, settings: PostgreSQLSettings, look: Callable[[Ask], None]) -> None:
        self._look = look
        self._connection = Kept(settings)
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()

    def begin(self) -> None:
        """Once; later calls change nothing."""
        with self._guard:
            if self._thread is None and not self._ended.is_set():
                self._thread = threading.Thread(target=self._look_again_and_again, name="waits", daemon=True)
                self._thread.start()

    def close(self) -> None:
        self._ended.set()
        with self._guard:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(timeout=2 * _LOOKS_FOR_SECONDS)

    def _look_again_and_again(self) -> None:
        while not self._ended.wait(waits.INTERVAL_SECONDS):
            try:
                self._look(self._transaction)
            except psycopg2.Error:
                self._connection.drop()  # those that are looked at will say what is wrong with the server
        self._connection.drop()

    def _transaction(self) -> AbstractContextManager[Any]:
        return self._connection.transaction(statement_timeout_seconds=_LOOKS_FOR_SECONDS)


def waiting(cursor: Any, pids: list[int] | None, names: Iterable[str]) -> list[Any]:
    """Sessions with these process ids, or by these names where a pooler hides the ids, that wait for some time now."""
    cursor.execute(_WAITS, {"pids": pids, "names": list(names), "seconds": waits.INTERVAL_SECONDS})
    found: list[Any] = cursor.fetchall()
    return found


@contextmanager
def waits_told(servers: Iterable[PostgreSQLSettings | None]) -> Iterator[None]:
    """While the block runs, a wait of any session of this run is told: also one of an executor or of Spark's reader,
    which are known by their names. One connection a database and user."""
    with ExitStack() as stack:
        for settings in {(each.address, each.user): each for each in servers if each is not None}.values():
            lookout = Lookout(settings, _telling(settings))
            stack.callback(lookout.close)
            lookout.begin()
        yield


def _telling(settings: PostgreSQLSettings) -> Callable[[Ask], None]:
    told = waits.Told()
    names = [settings.session_name(part) for part in (LOADER, LEDGER, EXTRACT)]

    def look(transaction: Ask) -> None:
        with transaction() as cursor:
            found = waiting(cursor, None, names)
        for row in found:
            told.tell(row, server=settings.address, session=row["session"])

    return look
