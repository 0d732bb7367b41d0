"""One migration of a schema at a time; whoever comes second waits.

The lock belongs to a transaction that is open and does nothing: it has no snapshot, which CREATE INDEX CONCURRENTLY
would wait for. Whoever waits asks again and again, for a statement that waits has one. A process that is killed lets go
of it with its connection.
"""

from __future__ import annotations

import time
from contextlib import suppress

import psycopg2
import structlog
from psycopg2.extensions import connection

from etl.config.settings import PostgreSQLSettings
from etl.errors import LockedError
from etl.orchestrator.database.queries import statement
from etl.postgresql.connection import connect
from etl.postgresql.door import door

PATIENCE_SECONDS = 3600.0
_PAUSE_SECONDS = 0.2

log = structlog.get_logger(__name__)


class MigrationLease:
    """A connection of its own, closed at the end."""

    def __init__(self, settings: PostgreSQLSettings, schema: str, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._settings = settings
        self._schema = schema
        with door(settings, "connect"):
            self._held: connection = connect(settings)
        try:
            self._wait(patience_seconds)
        except BaseException:
            self.close()
            raise

    def check(self) -> None:
        """Raises where it was lost: another may migrate by now."""
        with door(self._settings, "hold the migration's lock"), self._held.cursor() as cursor:
            cursor.execute("SELECT 1")

    def close(self) -> None:
        with suppress(psycopg2.Error):
            self._held.close()

    def _wait(self, patience_seconds: float) -> None:
        end = time.monotonic() + patience_seconds
        is_told = False
        while not self._is_taken():
            if time.monotonic() > end:
                raise LockedError(
                    f"{self._settings.address}: schema {self._schema!r} has been migrated by another process for"
                    f" {patience_seconds:g} s; wait for its end, or end it, and migrate again"
                )
            if not is_told:
                log.info("migrate_waits_for_another", schema=self._schema)
                is_told = True
            time.sleep(_PAUSE_SECONDS)

    def _is_taken(self) -> bool:
        with door(self._settings, "lock the migration"), self._held.cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            cursor.execute(statement("try_lock_migration"), {"schema": self._schema})
            row = cursor.fetchone()
            if row["is_held"]:  # type: ignore[index, call-overload]
                return True
            self._held.rollback()
            return False
