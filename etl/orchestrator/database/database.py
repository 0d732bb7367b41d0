"""The orchestrator's database: each transaction sets its schema and limits itself, so that any pooler will do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from psycopg2.extensions import connection
from psycopg2.extensions import cursor as plain_cursor
from psycopg2.extras import RealDictCursor

from etl.config.settings import PostgreSQLSettings
from etl.orchestrator.database.queries import statement
from etl.postgresql.connection import opening
from etl.postgresql.next_steps import Advice
from etl.postgresql.pool import Database
from etl.postgresql.silence import answering
from etl.statements.quoting import postgresql_identifier

ADVICE = Advice(
    statement="try again when the server is less busy",
    lock="try again",
    connections="run fewer workers",
)

STATEMENT_TIMEOUT_SECONDS = 30.0
LOCK_TIMEOUT_SECONDS = 10.0
IDLE_TIMEOUT_SECONDS = 15.0
"""Between two statements of a transaction: whoever is stopped there (SIGSTOP, a lost machine) holds up the others no
longer. One transaction in one round trip has no such place."""


class OrchestratorDatabase:
    """Used by many threads at once; idle connections are kept for the next transaction."""

    def __init__(self, settings: PostgreSQLSettings, schema: str = "orchestrator") -> None:
        self.settings = settings
        self.schema = schema
        self._database = Database(settings, advice=ADVICE)

    def at_once(self, name: str, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The named statements as one transaction in one round trip; the rows of the last.

        Each of several sees what was committed before it began, not only what was before the first.
        """
        text = f"{self._opening()}; {statement(name)}"
        with (
            self._database.borrowed(name) as held,
            answering(held, STATEMENT_TIMEOUT_SECONDS),
            _autocommit(held),
            held.cursor(cursor_factory=plain_cursor) as cursor,
        ):
            cursor.execute(text, values or {})
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()] if names else []

    @contextmanager
    def transaction(
        self,
        name: str,
        *,
        statement_timeout_seconds: float = STATEMENT_TIMEOUT_SECONDS,
        lock_timeout_seconds: float = LOCK_TIMEOUT_SECONDS,
    ) -> Iterator[RealDictCursor]:
        """A cursor inside one transaction, whose rows are dicts; `name` says in errors what was being done."""
        idle = f"SET LOCAL idle_in_transaction_session_timeout = {int(IDLE_TIMEOUT_SECONDS * 1000)}"
        limits = {
            "statement_timeout_seconds": statement_timeout_seconds,
            "lock_timeout_seconds": lock_timeout_seconds,
        }
        with self._database.transaction(name, settings=f"{self._search_path()}; {idle}", **limits) as cursor:
            yield cursor

    def alone(self, name: str, text: str, *, lock_timeout_seconds: float = 5.0) -> None:
        """A statement that may not stand in a transaction; its session's settings are put back afterwards."""
        with self._database.borrowed(name) as held, _autocommit(held), held.cursor() as cursor:
            try:
                cursor.execute(f"SET search_path = {postgresql_identifier(self.schema)}")
                cursor.execute("SET lock_timeout = %s", (int(lock_timeout_seconds * 1000),))
                cursor.execute("SET statement_timeout = 0")
                cursor.execute(text)
            finally:
                if not held.closed:
                    cursor.execute("RESET ALL")

    def close(self) -> None:
        self._database.close()

    def _opening(self) -> str:
        return opening(STATEMENT_TIMEOUT_SECONDS, LOCK_TIMEOUT_SECONDS, self._search_path())

    def _search_path(self) -> str:
        return f"SET LOCAL search_path = {postgresql_identifier(self.schema)}"


@contextmanager
def _autocommit(held: connection) -> Iterator[None]:
    """What is sent in one piece is then a transaction of its own."""
    held.autocommit = True
    try:
        yield
    finally:
        if not held.closed:
            held.autocommit = False
