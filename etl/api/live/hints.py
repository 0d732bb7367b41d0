"""LISTEN: what the database hints at, so that a change is seen sooner than the next look would.

Behind a pooler in transaction mode nothing is heard, and nothing is missed: looks come anyway.
"""

from __future__ import annotations

import select
import threading
from collections.abc import Callable
from contextlib import closing, suppress

import orjson
import psycopg2
import structlog
from psycopg2.extensions import connection as Connection

from etl.postgresql.connection import connect
from etl.staging.database.database import StagingDatabase

CHANNEL = "etl_staging"
WAIT_SECONDS = 1.0
RETRY_SECONDS = 5.0

log = structlog.get_logger(__name__)


class Hints:
    """Calls `heard` with the id of a run that something has happened to, from a thread of its own."""

    def __init__(self, database: StagingDatabase, heard: Callable[[str], None]) -> None:
        self._database = database
        self._heard = heard
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen_again_and_again, name="hints", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2 * WAIT_SECONDS)

    def _listen_again_and_again(self) -> None:
        while not self._ended.is_set():
            with suppress(psycopg2.Error, OSError), closing(connect(self._database.settings, "page")) as held:
                self._listen(held)
            self._ended.wait(RETRY_SECONDS)

    def _listen(self, held: Connection) -> None:
        held.autocommit = True
        with held.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        coming = select.poll()
        coming.register(held.fileno(), select.POLLIN)
        while not self._ended.is_set():
            if not coming.poll(WAIT_SECONDS * 1000):
                continue
            held.poll()
            payloads = {str(each.payload) for each in held.notifies}
            held.notifies.clear()
            for run_id in filter(None, map(self._run_of, payloads)):
                self._heard(run_id)

    def _run_of(self, payload: str) -> str | None:
        """None where it is of another schema, or none of ours."""
        with suppress(ValueError, TypeError, KeyError):
            told = orjson.loads(payload)
            if told["schema"] == self._database.schema:
                return str(told["etl_run_id"])
        return None
