"""A PostgreSQL that is reached: where, how, which version, and what is true of any."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from etl.config.settings import PostgreSQLSettings
from etl.config.urls import is_loopback
from etl.doctor.clock import Reading, compared
from etl.doctor.examination import CONNECT_SECONDS, STATEMENT_SECONDS, Clock
from etl.doctor.findings import Answer, failed, not_asked, ok, warning
from etl.postgresql.connection import connect, opening
from etl.postgresql.door import door
from etl.postgresql.silence import WatchedConnection
from etl.statements.named import POSTGRESQL_DIRECTORY, named_statements
from etl.statements.quoting import postgresql_identifier

PART = "doctor"
QUERIES = POSTGRESQL_DIRECTORY / "doctor" / "queries"

_VERIFIED = ("verify-ca", "verify-full")


@dataclass(frozen=True, eq=False)
class Server:
    """`facts` are the columns of server_facts; the clock was read around them."""

    settings: PostgreSQLSettings
    held: WatchedConnection
    facts: Mapping[str, Any]
    clock: Reading

    @property
    def user(self) -> str:
        return str(self.facts["user_name"])

    def ask(self, name: str, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The rows of a named statement."""
        return self.ask_text(name, named_statements(QUERIES)[name], values)

    def ask_text(
        self, name: str, text: str, values: Mapping[str, Any] | None = None, settings: str = ""
    ) -> list[dict[str, Any]]:
        with door(self.settings, name):
            return asked(self.held, text, values, settings)


def asked(
    held: WatchedConnection, text: str, values: Mapping[str, Any] | None = None, settings: str = ""
) -> list[dict[str, Any]]:
    """One transaction in one round trip, which any pooler takes, with limits of its own."""
    with held.cursor() as cursor:
        cursor.execute(f"{opening(STATEMENT_SECONDS, STATEMENT_SECONDS, settings)}; {text}", values)
        return [dict(row) for row in cursor.fetchall()] if cursor.description else []


def hurried(settings: PostgreSQLSettings) -> PostgreSQLSettings:
    """The same server, which is given up sooner than a run would."""
    return settings.model_copy(
        update={"connect_timeout_seconds": min(settings.connect_timeout_seconds, CONNECT_SECONDS)}
    )


@contextmanager
def session(settings: PostgreSQLSettings) -> Iterator[WatchedConnection]:
    with closing(connect(hurried(settings), PART)) as held:
        held.autocommit = True
        yield held


@contextmanager
def opened(settings: PostgreSQLSettings, clock: Clock) -> Iterator[Server]:
    """Raises our errors where it cannot be reached or signed in to."""
    with door(settings, "connect"), session(settings) as held:
        asked(held, "SELECT 1")  # what the first statement waits for is not the clock's
        began = clock()
        [facts] = asked(held, named_statements(QUERIES)["server_facts"])
        reading = Reading(began, clock(), facts["seconds"])
        yield Server(settings, held, facts, reading)


def connection(server: Server) -> Answer:
    return ok(f"PostgreSQL {server.facts['version_name']} at {server.settings.address}, as {server.user}")


def tls(server: Server) -> Answer:
    settings, info = server.settings, server.held.info
    if is_loopback(settings.host):
        return ok("encrypted" if info.ssl_in_use else "none, and none needed on loopback")
    wish = "sslmode=verify-full in its URL, and ETL_POSTGRES_CA_FILE (the source: ETL_SOURCE_POSTGRES_CA_FILE)"
    if not info.ssl_in_use:
        return warning(
            f"none: password and rows travel in the clear (sslmode={settings.sslmode})",
            expected="TLS with a verified certificate off loopback",
            next_step=f"ssl = on at the server; {wish}",
        )
    if settings.sslmode not in _VERIFIED:
        return warning(
            f"encrypted, and whose certificate it is is not looked at (sslmode={settings.sslmode})",
            expected="sslmode=verify-full",
            next_step=wish,
        )
    return ok(f"{info.ssl_attribute('protocol')}, certificate verified (sslmode={settings.sslmode})")


def version(oldest: int) -> Callable[[Server], Answer]:
    def look(server: Server) -> Answer:
        found, wanted = server.facts["version_name"], f"PostgreSQL {oldest // 10_000} or newer"
        if server.facts["version"] < oldest:
            return failed(str(found), expected=wanted, next_step=f"upgrade the server to {wanted}")
        return ok(f"{found} ({wanted} is needed)")

    return look


def writable(server: Server) -> Answer:
    if server.facts["is_standby"]:
        return failed("a standby, which takes no writes", expected="the primary", next_step="name the primary's host")
    if server.facts["is_read_only"]:
        return failed(
            "transactions are read-only (default_transaction_read_only)",
            expected="a session that may write",
            next_step=f"ALTER ROLE {postgresql_identifier(server.user)} RESET default_transaction_read_only; or, where "
            "server or database have it set, off there",
        )
    return ok("yes")


def standby(server: Server) -> Answer:
    """Of a source: reading from a standby works, and may be cut off."""
    if not server.facts["is_standby"]:
        return ok("a primary")
    return warning(
        "a standby, which cancels a read that holds up its replay for too long",
        expected="a run's snapshot that lives until it is read",
        next_step="hot_standby_feedback = on, or max_standby_streaming_delay longer than a night's reading, there",
    )


def clock(server: Server) -> Answer:
    return compared(server.clock)


def space(server: Server) -> Answer:
    size = server.facts["database_bytes"] / 2**20
    return not_asked(f"no statement tells what is free; the database has {size:,.0f} MiB")
