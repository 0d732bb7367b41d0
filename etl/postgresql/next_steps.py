"""What somebody can do about an error that may pass, in the words of the tool that he uses."""

from __future__ import annotations

from dataclasses import dataclass

from etl.errors import ConnectionLostError, OverloadedError, TransientError
from etl.postgresql.sqlstates import (
    CANCELED,
    DEADLOCK,
    LOCK_NOT_AVAILABLE,
    SERIALIZATION_FAILURE,
    TOO_MANY_CONNECTIONS,
    is_row_too_big,
)

_BY_USER = "user request"


@dataclass(frozen=True)
class Advice:
    """`statement`, `lock`: where a limit is too short; `connections`: where the server takes no more of them;
    `page`: where a row is larger than one; `refused`: where no retry helps; `row_security` goes on where policies would
    hide rows."""

    statement: str
    lock: str
    connections: str
    page: str = "load fewer columns at once"
    refused: str = "the server's log has the details"
    row_security: str = ""


MAIN_JOB = Advice(
    statement="try again when the server is less busy",
    lock="try again",
    connections="lower --parallelism",
)


def lasting_step(code: str, said: str, advice: Advice) -> str:
    """What to do about an error that no retry mends; empty where nobody knows."""
    return f"a row has to fit a page: {advice.page}" if is_row_too_big(code, said) else advice.refused


def refused_step(said: str) -> str:
    """What to do where no session came about, and the server has no SQLSTATE for why: by what libpq `said`."""
    if "certificate" in said:
        return "name the authority that signed the server's certificate (ca_file), or the host that it is made out to"
    if "does not support SSL" in said:
        return "switch TLS on at the server (ssl = on), or ask for less of it (sslmode)"
    return "check the user, password and database of this URL"


def next_step(kind: type[TransientError], code: str, said: str, advice: Advice) -> str:
    if kind is ConnectionLostError:
        return "check that the server is up and can be reached"
    if kind is OverloadedError:
        if code in ("", TOO_MANY_CONNECTIONS):
            return f"raise max_connections, or {advice.connections}"
        return "the server is short of memory or of another resource: try again when it is less busy"
    return {
        CANCELED: "somebody cancelled it: try again"
        if _BY_USER in said
        else f"it took longer than it may: {advice.statement}",
        LOCK_NOT_AVAILABLE: f"another session held the rows or the table for too long: {advice.lock}",
        DEADLOCK: "it and another session waited for one another, and this one gave way: try again",
        SERIALIZATION_FAILURE: "another session changed the same rows meanwhile: try again",
    }[code]
