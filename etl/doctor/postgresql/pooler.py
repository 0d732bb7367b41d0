"""Is a pooler between us and the server, and does a session stay with its client?

A client of PgBouncer is told a process id that is not the server process's, so that it can be told from the server
itself. Its mode betrays itself where a server process serves two clients, each of which is still connected.
"""

from __future__ import annotations

import threading
from enum import StrEnum

import psycopg2

from etl.doctor.findings import Answer, failed, ok, warning
from etl.doctor.postgresql.server import Server, asked, session
from etl.postgresql.door import door
from etl.postgresql.silence import WatchedConnection, give_up

_TRIES = 5
_WAIT_SECONDS = 3.0


class Mode(StrEnum):
    NONE = "none"
    SESSION = "session"
    EXHAUSTED = "exhausted"
    """Likewise, and a second client gets no server process."""
    TRANSACTION = "transaction"
    STATEMENT = "statement"


def pooler(server: Server) -> Answer:
    with door(server.settings, "look for a pooler"):
        mode = _mode(server)
    said = f"PgBouncer or the like, in {mode} mode"
    if mode is Mode.NONE:
        return ok("none, a direct connection")
    if mode is Mode.TRANSACTION:
        return ok(f"{said}; `etl staging migrate` and `etl orchestrator migrate` want the server itself")
    if mode is Mode.STATEMENT:
        return failed(said, expected="pool_mode = transaction", next_step="pool_mode = transaction in pgbouncer.ini")
    if mode is Mode.EXHAUSTED:
        return failed(
            "PgBouncer or the like, with no server connection for a second session",
            expected="one for each session of a run",
            next_step="pool_mode = transaction, or a larger default_pool_size in pgbouncer.ini",
        )
    return warning(
        f"{said}: each session of a run keeps one of its connections",
        expected="pool_mode = transaction, or a pool as large as the sessions of a run",
        next_step="pool_mode = transaction, or default_pool_size as `connections` says, in pgbouncer.ini",
    )


def _mode(server: Server) -> Mode:
    if _process_id(server.held) == server.held.info.backend_pid:
        return Mode.NONE
    with session(server.settings) as other:
        watch = threading.Timer(_WAIT_SECONDS, give_up, [other])
        watch.daemon = True
        watch.start()
        try:
            return _mode_between(server.held, other)
        except psycopg2.OperationalError:
            if other.is_given_up:
                return Mode.EXHAUSTED
            if not other.closed:
                raise
            # PgBouncer hangs up on whoever begins a transaction there, and libpq keeps its reason to itself
            _process_id(server.held)
            return Mode.STATEMENT
        finally:
            watch.cancel()


def _mode_between(one: WatchedConnection, other: WatchedConnection) -> Mode:
    """Whoever keeps its session keeps its process, which no other client meets meanwhile."""
    for _ in range(_TRIES):
        others = _process_id_in_transaction(other)
        mine = {_process_id(one), _process_id(one)}
        if len(mine) > 1 or others in mine:
            return Mode.TRANSACTION
    return Mode.SESSION


def _process_id(held: WatchedConnection) -> int:
    [row] = asked(held, "SELECT pg_backend_pid() AS process_id")
    return int(row["process_id"])


def _process_id_in_transaction(held: WatchedConnection) -> int:
    with held.cursor() as cursor:
        cursor.execute("BEGIN")
        found = _process_id(held)
        cursor.execute("ROLLBACK")
    return found
