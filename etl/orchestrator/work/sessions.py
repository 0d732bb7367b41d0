"""Ends what an attempt's tools are doing in PostgreSQL: a process that is killed leaves its statement running there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import structlog

from etl.config.settings import PostgreSQLSettings, Settings
from etl.errors import EtlError
from etl.fencing import Fence
from etl.orchestrator.database.queries import statement
from etl.postgresql.pool import Database

TIMEOUT_SECONDS = 10.0

log = structlog.get_logger(__name__)


def cancel_sessions(settings: Settings, run_id: int, token: int, *, terminates: bool = False) -> int:
    """How many sessions of the attempt, on all configured servers, were told to end what they are doing; `terminates`
    ends the sessions themselves. A server that does not answer, or a role without the right, is told in the log."""
    session = Fence(settings.orchestrator_schema, run_id, token).session
    return sum(_cancel_on(server, session, terminates=terminates) for server in servers_of(settings))


def servers_of(settings: Settings) -> list[PostgreSQLSettings]:
    """Each once for each role that the tools go there by: a role may end its own sessions."""
    configured = (
        settings.ledger,
        settings.postgresql,
        settings.staging,
        settings.source,
        settings.orchestrator,
    )
    found = {(server.host, server.port, server.user): server for server in reversed(configured) if server is not None}
    return list(found.values())


def _cancel_on(server: PostgreSQLSettings, session: str, *, terminates: bool) -> int:
    with closing(Database(server)) as database:
        return sum(_cancel(database, found, terminates=terminates) for found in _find(database, session))


def _find(database: Database, session: str) -> Iterator[dict[str, Any]]:
    try:
        with database.transaction(
            "look for an attempt's sessions", statement_timeout_seconds=TIMEOUT_SECONDS
        ) as cursor:
            cursor.execute(statement("sessions_of_attempt"), {"session": f"(^| ){session}( |$)"})
            rows = cursor.fetchall()
    except EtlError as error:
        log.warning("sessions not looked for", server=database.settings.address, attempt=session, error=error.message)
        return
    yield from rows


def _cancel(database: Database, found: dict[str, Any], *, terminates: bool) -> bool:
    """Each in a transaction of its own: one that is refused holds up no other."""
    name = "terminate_session" if terminates else "cancel_session"
    facts = {"server": database.settings.address, "pid": found["pid"], "session": found["name"]}
    try:
        with database.transaction(name.replace("_", " "), statement_timeout_seconds=TIMEOUT_SECONDS) as cursor:
            cursor.execute(statement(name), {"pid": found["pid"]})
            was_there = bool(cursor.fetchone()["was_there"])
    except EtlError as error:
        log.warning("session not ended", **facts, user=found["user_name"], error=error.message)
        return False
    if was_there:
        log.info("session terminated" if terminates else "statement of a session cancelled", **facts)
    return was_there
