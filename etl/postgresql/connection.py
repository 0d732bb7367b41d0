"""The ledger's door: psycopg2 connections, short transactions, and errors of our own tree.

Nothing here outlives a transaction (SET LOCAL, transaction locks), so that it works through PgBouncer in transaction
mode. Every wait ends: connecting, waiting for a lock, a statement, and a server that no longer answers.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, connection, cursor
from psycopg2.extras import RealDictCursor

from etl.config.settings import PostgreSQLSettings
from etl.errors import EtlError, StoreError, UsageError
from etl.names import readable
from etl.postgresql.next_steps import MAIN_JOB, Advice, next_step
from etl.postgresql.sqlstates import transient_kind
from etl.redaction import redact

IDLE_SECONDS = 60.0
"""An idle connection older than this is not used again: poolers and firewalls drop such connections silently."""

MAXIMUM_IDLE = 4


@contextmanager
def door(address: str, statement: str, secrets: tuple[str, ...] = (), advice: Advice = MAIN_JOB) -> Iterator[None]:
    """Turns psycopg2's errors into ours; the message names server and statement, never a value of a row."""
    try:
        yield
    except psycopg2.Error as error:
        raise translate(error, address, statement, secrets, advice) from error
    except UnicodeEncodeError as error:
        raise UsageError(f"{statement}: expected text in UTF-8, found {readable(error.object)!r}") from error


def translate(
    error: psycopg2.Error, address: str, statement: str, secrets: tuple[str, ...] = (), advice: Advice = MAIN_JOB
) -> EtlError:
    """Transient or terminal, by SQLSTATE; without one (no answer came) by what libpq says."""
    code = error.pgcode or ""
    # the primary message has no row values; DETAIL and CONTEXT may
    said = error.diag.message_primary or " ".join(str(error).split()) or type(error).__name__
    message = redact(f"{address}: {statement}: {said}" + (f" (SQLSTATE {code})" if code else ""), secrets)
    if kind := transient_kind(code, said, type(error)):
        return kind(f"{message}; {next_step(kind, code, said, advice)}")
    remedy = "the server's log has the details" if code else "check the user, password and database of this URL"
    return StoreError(f"{message}; {remedy}", statement=statement)


def connect(settings: PostgreSQLSettings) -> connection:
    """A connection of its own; the caller closes it. Raises psycopg2's errors: call it inside `door`."""
    parameters: dict[str, Any] = {
        **settings.connection_parameters,
        "application_name": settings.session_name("ledger"),
        "client_encoding": "UTF8",
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
        "cursor_factory": RealDictCursor,
    }
    opened: connection = psycopg2.connect(**parameters)
    return opened


@contextmanager
def transaction(
    held: connection, *, statement_timeout_seconds: float = 60, lock_timeout_seconds: float = 15, settings: str = ""
) -> Iterator[cursor]:
    """One transaction: commits, or rolls back and raises. Limits are set inside it, since sessions are not ours.

    `settings`: further SET LOCAL statements, sent along with these.
    """
    with committed(held), held.cursor() as work:
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


def opening(statement_timeout_seconds: float, lock_timeout_seconds: float, settings: str = "") -> str:
    """What a transaction begins with."""
    return (
        f"SET LOCAL statement_timeout = {int(statement_timeout_seconds * 1000)}; "
        f"SET LOCAL lock_timeout = {int(lock_timeout_seconds * 1000)}; SET LOCAL timezone = 'UTC'; {settings}"
    )


class Database:
    """Transactions on connections that threads borrow and give back; `maximum_idle` stay open between calls."""

    def __init__(
        self, settings: PostgreSQLSettings, maximum_idle: int = MAXIMUM_IDLE, advice: Advice = MAIN_JOB
    ) -> None:
        self.settings = settings
        self.advice = advice
        self.maximum_idle = maximum_idle
        self.secrets = (settings.password.get_secret_value(),)
        self._idle: list[tuple[float, connection]] = []
        self._guard = threading.Lock()

    @contextmanager
    def transaction(self, name: str, *, settings: str = "", **limits: float) -> Iterator[Any]:
        """A cursor inside one transaction; `name` says in errors what was being done."""
        with self.borrowed(name) as held, transaction(held, settings=settings, **limits) as work:
            yield work

    @contextmanager
    def borrowed(self, name: str) -> Iterator[connection]:
        """For a caller who ends the transactions himself; one left open is given up."""
        with door(self.settings.address, name, self.secrets, self.advice):
            held = self._borrow()
            try:
                yield held
            finally:
                self._give_back(held)

    def close(self) -> None:
        """Closes the idle connections; the next call opens new ones."""
        with self._guard:
            idle, self._idle = self._idle, []
        for _, held in idle:
            held.close()

    def _borrow(self) -> connection:
        while True:
            with self._guard:
                if not self._idle:
                    break
                given_back_at, held = self._idle.pop()
            if time.monotonic() - given_back_at < IDLE_SECONDS and not _has_ended(held):
                return held
            held.close()
        return connect(self.settings)

    def _give_back(self, held: connection) -> None:
        is_clean = not held.closed and held.info.transaction_status == TRANSACTION_STATUS_IDLE
        with self._guard:
            if is_clean and len(self._idle) < self.maximum_idle:
                self._idle.append((time.monotonic(), held))
                return
        held.close()


def _has_ended(held: connection) -> bool:
    """An idle server says nothing: what can be read is its farewell."""
    if held.closed:
        return True
    poll = select.poll()
    poll.register(held.fileno(), select.POLLIN)
    return bool(poll.poll(0))
