"""One migration of a schema at a time."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psycopg2

from etl.config.settings import PostgreSQLSettings
from etl.errors import ConnectionLostError, LockedError
from etl.postgresql.connection import connect
from etl.postgresql.door import door
from etl.staging.ledger.queries import statement
from etl.staging.migrate.settings import ADVICE, MigrationSettings


class Lease:
    """Keeps other migrations of the schema out for as long as its transaction is open, on a connection of its own."""

    def __init__(self, database: PostgreSQLSettings, settings: MigrationSettings) -> None:
        self._database = database
        self._schema = settings.schema
        self._take()

    def check(self) -> None:
        """Takes the lock again where it was lost with its connection; raises where another process was faster."""
        try:
            with door(self._database, "hold the migration's lock", ADVICE), self._cursor() as cursor:
                cursor.execute("SELECT 1")
        except ConnectionLostError:
            self.close()
            self._take()

    def close(self) -> None:
        with suppress(psycopg2.Error):
            self._held.close()

    def _cursor(self) -> Any:
        return self._held.cursor()

    def _take(self) -> None:
        values = {"schema": self._schema}
        with door(self._database, "connect", ADVICE):
            self._held = connect(self._database)
        with door(self._database, "lock the migration", ADVICE), self._cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            cursor.execute(statement("legacy_lock"), values)
            if cursor.fetchone()["is_held"]:
                return
            cursor.execute(statement("legacy_lock_holder"), values)
            row = cursor.fetchone()
        self.close()
        holder = f"process {row['pid']} of the server" if row else "another process"
        raise LockedError(
            f"{self._database.address}: schema {self._schema!r} is being migrated by {holder}; wait for its end"
        )
