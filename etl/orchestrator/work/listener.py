"""Hears that runs became ready, and wakes the worker: a hint, without which it finds them a little later.

Behind a pooler in transaction mode nothing is heard, which does no harm.
"""

from __future__ import annotations

import select
import threading
from types import TracebackType
from typing import Self

import psycopg2
import structlog
from psycopg2.extensions import connection

from etl.config.settings import PostgreSQLSettings
from etl.orchestrator.queue.claims import READY_CHANNEL
from etl.postgresql.connection import connect

_LOOKS_SECONDS = 0.5
_WAITS_SECONDS = (1.0, 60.0)
"""After a connection was lost: at first, and at most."""

log = structlog.get_logger(__name__)


class Listener:
    """A thread with a connection of its own, while the block runs."""

    def __init__(self, settings: PostgreSQLSettings, woken: threading.Event) -> None:
        self._settings = settings
        self._woken = woken
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(timeout=2 * _LOOKS_SECONDS)

    def _run(self) -> None:
        first, longest = _WAITS_SECONDS
        seconds = first
        while not self._ended.is_set():
            try:
                held = connect(self._settings, "listener")
                try:
                    seconds = first
                    self._listen(held)
                finally:
                    held.close()
            except (psycopg2.Error, OSError) as error:
                log.debug("listener lost its connection", error=type(error).__name__)
                self._ended.wait(seconds)
                seconds = min(2 * seconds, longest)

    def _listen(self, held: connection) -> None:
        held.autocommit = True
        with held.cursor() as cursor:
            cursor.execute(f"LISTEN {READY_CHANNEL}")
        while not self._ended.is_set():
            if select.select([held], [], [], _LOOKS_SECONDS)[0]:
                held.poll()
                if held.notifies:
                    held.notifies.clear()
                    self._woken.set()
