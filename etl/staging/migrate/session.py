"""One direct connection: transactions with limits of their own, short DDL that gives way, and CONCURRENTLY."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2
import structlog
from psycopg2.errors import UniqueViolation

from etl.config.settings import PostgreSQLSettings
from etl.errors import ContentionError
from etl.postgresql.connection import connect, transaction
from etl.postgresql.door import door, sqlstate
from etl.postgresql.sqlstates import LOCK_NOT_AVAILABLE
from etl.staging.ledger.queries import statement
from etl.staging.migrate.settings import ADVICE, MigrationSettings
from etl.statements.quoting import postgresql_identifier
from etl.statements.staging.migration import keep_maintenance_away

_FIRST_PAUSE_SECONDS = 0.1
_ROW_LOCK_SECONDS = 10.0
_MAINTENANCE_SECONDS = 10.0
"""Longer than deadlock_timeout (1 s): only then does an autovacuum give way. Nobody else waits for this lock."""

log = structlog.get_logger(__name__)


class Session:
    """Closed and opened again where the server went away."""

    def __init__(self, database: PostgreSQLSettings, settings: MigrationSettings) -> None:
        self.database = database
        self.settings = settings
        self._held = self._open()

    def close(self) -> None:
        with suppress(psycopg2.Error):
            self._held.close()

    def reopen(self) -> None:
        self.close()
        self._held = self._open()

    @property
    def is_direct(self) -> bool:
        """A pooler gives its clients a process id of its own making (for cancelling), not the server's."""
        with self.look("find the server process") as cursor:
            cursor.execute("SELECT pg_backend_pid() AS pid")
            return bool(cursor.fetchone()["pid"] == self._held.info.backend_pid)

    @contextmanager
    def transaction(self, what: str, *, lock_timeout_seconds: float = _ROW_LOCK_SECONDS) -> Iterator[Any]:
        """A statement may take as long as the server's entry says: reading a large table keeps nobody waiting."""
        seconds = self.database.statement_timeout_seconds
        with (
            self._door(what),
            transaction(
                self._held, statement_timeout_seconds=seconds, lock_timeout_seconds=lock_timeout_seconds
            ) as cursor,
        ):
            cursor.execute(self._transaction_settings(), {"time_zone": self.settings.time_zone})
            yield cursor

    @contextmanager
    def look(self, what: str) -> Iterator[Any]:
        """A transaction that relies on none of the settings: to see whether they can be so."""
        with self._door(what), transaction(self._held) as cursor:
            yield cursor

    def change(self, table: str, what: str, statements: Sequence[str]) -> None:
        """DDL in one transaction. Whoever comes after it in the lock's queue waits too: it gives up soon, and again."""
        milliseconds = int(self.settings.lock_timeout_seconds * 1000)
        for pause in self.pauses():
            try:
                with self.transaction(f"{table}: {what}", lock_timeout_seconds=_MAINTENANCE_SECONDS) as cursor:
                    cursor.execute(keep_maintenance_away(table))
                    cursor.execute("SET LOCAL lock_timeout = %s", (milliseconds,))
                    for text in statements:
                        cursor.execute(text)
                return
            except ContentionError as error:
                holders = self.holders(table)
                log.warning("migrate_waits", table=table, step=what, held_by=holders, pause_seconds=round(pause, 1))
                failure = error
            time.sleep(pause)
        raise ContentionError(
            f"{table}: {what}: the table was held by {holders} each of {self.settings.lock_attempts} times; end that"
            " transaction and migrate again, it goes on where it stopped"
        ) from failure

    def build(self, table: str, index: str, text: str) -> bool:
        """CREATE INDEX CONCURRENTLY, which waits for transactions but keeps none; False where rows are in its way."""
        try:
            self._concurrently(f"{table}: build {index}", text)
        except UniqueViolation:
            return False
        except ContentionError as error:
            if sqlstate(error) != LOCK_NOT_AVAILABLE:
                raise
            raise ContentionError(
                f"{table}: building {index} waited {self.settings.index_wait_seconds:g} s for the transactions of"
                f" {self._told('legacy_oldest_transactions', {})}; end them and migrate again"
            ) from error
        return True

    def drop_index(self, table: str, index: str, text: str) -> None:
        self._concurrently(f"{table}: drop {index}", text)

    def holders(self, table: str) -> str:
        """Who holds the table, in words."""
        return self._told("legacy_holders", {"table": table, "schema": self.settings.schema})

    def pauses(self) -> Iterator[float]:
        """One for each attempt, growing, never quite the same for two processes."""
        longest = self.settings.longest_pause_seconds
        for attempt in range(self.settings.lock_attempts):
            pause = min(longest, _FIRST_PAUSE_SECONDS * 2 ** min(attempt, 10))
            yield pause * random.uniform(0.5, 1.0)  # noqa: S311 - spreads attempts, guards nothing

    def _concurrently(self, what: str, text: str) -> None:
        """Outside a transaction, so its settings are the session's: it is our own, no pooler's."""
        wait = int(self.settings.index_wait_seconds * 1000)
        with self._door(what, passing=UniqueViolation):
            self._held.autocommit = True
            try:
                with self._held.cursor() as cursor:
                    cursor.execute("SET statement_timeout = %s", (self.database.statement_timeout_seconds * 1000,))
                    cursor.execute("SET lock_timeout = %s", (wait,))
                    cursor.execute(f"SET search_path = {postgresql_identifier(self.settings.schema)}")
                    cursor.execute(text)
            finally:
                if not self._held.closed:
                    self._held.autocommit = False

    @contextmanager
    def _door(self, what: str, passing: type[psycopg2.Error] | None = None) -> Iterator[None]:
        passed = None
        with door(self.database, what, ADVICE):
            try:
                yield
            except psycopg2.Error as error:
                if passing is None or not isinstance(error, passing):
                    raise
                passed = error
        if passed is not None:
            raise passed

    def _told(self, name: str, values: dict[str, Any]) -> str:
        with self.transaction("find who holds a lock") as cursor:
            cursor.execute(statement(name), values)
            rows = cursor.fetchall()
        told = [
            f"process {row['pid']} ({row['user_name']}, {row['application_name'] or 'no name'}, {row['state']},"
            f" transaction open for {row['seconds'] or 0} s)"
            for row in rows[:3]
        ]
        return " and ".join(told) or "a transaction that has just ended"

    def _open(self) -> Any:
        with self._door("connect"):
            return connect(self.database)

    def _transaction_settings(self) -> str:
        # row_security off: rows that a policy hides would be missed without a word
        schema = postgresql_identifier(self.settings.schema).replace("%", "%%")
        return (
            f"SET LOCAL search_path = {schema};"
            " SET LOCAL timezone = %(time_zone)s; SET LOCAL row_security = off;"
            " SET LOCAL idle_in_transaction_session_timeout = 0"
        )
