"""Connections by psycopg2, and transactions that carry their own settings.

Nothing outlives a transaction (SET LOCAL, transaction locks), so that all works through PgBouncer in transaction mode.
Every wait ends: connecting, waiting for a lock, a statement, and a server that no longer answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import psycopg2
from psycopg2.extensions import connection, cursor
from psycopg2.extras import RealDictCursor

from etl.config.settings import PostgreSQLSettings
from etl.postgresql.silence import WatchedConnection, answering
from etl.statements.postgresql import row_security

LOADER, LEDGER, EXTRACT = "", "ledger", "extract"
"""Whose session it is, as pg_stat_activity shows it behind the product's name."""

_GONE_SECONDS, _BUSY_SECONDS = 30, 300
"""How long a server may take nothing of what is sent to it. One that stores what a COPY has brought so far takes no
more meanwhile, and is not gone."""

TEXTS = (
    "SET LOCAL TimeZone = 'UTC'",
    "SET LOCAL DateStyle = 'ISO, YMD'",
    "SET LOCAL IntervalStyle = 'postgres'",
    "SET LOCAL bytea_output = 'hex'",
    "SET LOCAL extra_float_digits = 1",
)
"""Texts and fingerprints must not depend on who asks: rows are kept as JSON, and compared as text without a key."""


def connect(
    settings: PostgreSQLSettings, part: str = LEDGER, cursors: type[cursor] | None = RealDictCursor
) -> WatchedConnection:
    """A connection of its own; the caller closes it. Raises psycopg2's errors: call it inside `door`.

    `part` of the product and run name its session. No startup options: PgBouncer ignores or refuses them.
    """
    parameters: dict[str, Any] = {
        **settings.connection_parameters,
        "application_name": settings.session_name(part),
        "client_encoding": "UTF8",
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        # what is sent to a server that is gone is not waited for either
        "tcp_user_timeout": 1_000 * (_BUSY_SECONDS if part == LOADER else _GONE_SECONDS),
        "connection_factory": WatchedConnection,
        "cursor_factory": cursors,
    }
    opened: WatchedConnection = psycopg2.connect(**parameters)
    return opened


def reading(settings: PostgreSQLSettings, lock_timeout_seconds: int = 30) -> tuple[str, ...]:
    """What a transaction begins with that reads or writes whole tables.

    A long statement is no mistake, one without an end is. The server must not end an idle transaction: it may hold the
    snapshot. Rows that a policy hides would be taken for missing ones: such a table is refused.
    """
    return (
        f"SET LOCAL statement_timeout = '{settings.statement_timeout_seconds:d}s'",
        f"SET LOCAL lock_timeout = '{lock_timeout_seconds:d}s'",
        "SET LOCAL idle_in_transaction_session_timeout = 0",
        *TEXTS,
        row_security.FAIL,
    )


def opening(statement_timeout_seconds: float, lock_timeout_seconds: float, settings: str = "") -> str:
    """What a short transaction begins with."""
    return (
        f"SET LOCAL statement_timeout = {int(statement_timeout_seconds * 1000)}; "
        f"SET LOCAL lock_timeout = {int(lock_timeout_seconds * 1000)}; SET LOCAL timezone = 'UTC'; {settings}"
    )


@contextmanager
def transaction(
    held: WatchedConnection,
    *,
    statement_timeout_seconds: float = 60,
    lock_timeout_seconds: float = 15,
    settings: str = "",
) -> Iterator[cursor]:
    """One short transaction: commits, or rolls back and raises. Limits are set inside it, since sessions are not ours.

    `settings`: further SET LOCAL statements, sent along with these.
    """
    with answering(held, statement_timeout_seconds), committed(held), held.cursor() as work:
        work.execute(opening(statement_timeout_seconds, lock_timeout_seconds, settings))
        yield work


@contextmanager
def committed(held: connection) -> Iterator[None]:
    """Ends the transaction: commits, or rolls back and raises."""
    try:
        yield
        held.commit()
    except BaseException:
        with suppress(psycopg2.Error):
            held.rollback()
        raise


class Kept:
    """A thread's own connection: opened when it is first needed, and anew after it was dropped."""

    def __init__(self, settings: PostgreSQLSettings) -> None:
        self._settings = settings
        self._held: WatchedConnection | None = None

    def transaction(
        self, *, statement_timeout_seconds: float, lock_timeout_seconds: float = 15
    ) -> AbstractContextManager[cursor]:
        if self._held is None:
            self._held = connect(self._settings)
        return transaction(
            self._held,
            statement_timeout_seconds=statement_timeout_seconds,
            lock_timeout_seconds=lock_timeout_seconds,
        )

    def drop(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            with suppress(psycopg2.Error):
                held.close()
