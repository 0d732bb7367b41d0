"""What a transaction waits for: looked at from outside, and whoever stands in its way is told.

A thread of its own looks every two seconds at those that have been open for longer; in a run that goes well it asks the
server nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from etl.config.settings import PostgreSQLSettings
from etl.errors import ContentionError
from etl.postgresql import waits
from etl.postgresql.connection import LEDGER
from etl.postgresql.lookout import Ask, Lookout, waiting


@dataclass(eq=False)
class Wait:
    """A transaction, which may come to wait. `pid`: its session's, as the server or a pooler says."""

    doing: str
    since: float = field(default_factory=time.monotonic)
    pid: int | None = None
    last: str = ""


class Waits:
    """The transactions that are open, and a lookout that begins with the first of them."""

    def __init__(self, settings: PostgreSQLSettings) -> None:
        self._name = settings.session_name(LEDGER)
        self._lookout = Lookout(settings, self._look)
        self._open: set[Wait] = set()
        self._told = waits.Told()
        self._guard = threading.Lock()

    @contextmanager
    def watched(self, doing: str) -> Iterator[Wait]:
        """A lock that is not to be had is told with who was last seen to hold it."""
        wait = Wait(doing)
        with self._guard:
            self._open.add(wait)
        self._lookout.begin()
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
        self._lookout.close()

    def _look(self, transaction: Ask) -> None:
        now = time.monotonic()
        with self._guard:
            by_pid = {
                each.pid: each
                for each in self._open
                if each.pid is not None and now - each.since > waits.INTERVAL_SECONDS
            }
        if not by_pid:
            return
        with transaction() as cursor:
            pids = [pid for pid in by_pid if pid is not None]
            cursor.execute("SELECT FROM pg_stat_activity WHERE pid = ANY (%s)", (pids,))
            is_pooled = not cursor.fetchall()
            found = waiting(cursor, None if is_pooled else pids, [self._name])
        for row in found:
            # a pooler does not say which of them it is
            those = list(by_pid.values()) if is_pooled else [by_pid[row["pid"]]]
            said = self._told.tell(row, doing=", ".join(dict.fromkeys(each.doing for each in those)))
            for each in those:
                each.last = said
