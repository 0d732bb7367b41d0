"""What PostgreSQL's errors mean to a caller who may try again: one table, whatever the driver."""

from __future__ import annotations

import re

from etl.errors import ConnectionLostError, ContentionError, OverloadedError, TransientError

CANCELED = "57014"
LOCK_NOT_AVAILABLE = "55P03"
DEADLOCK = "40P01"
SERIALIZATION_FAILURE = "40001"
TOO_MANY_CONNECTIONS = "53300"
FOREIGN_KEY_VIOLATION = "23503"
UNIQUE_VIOLATION = "23505"
CHECK_VIOLATION = "23514"
EXCLUSION_VIOLATION = "23P01"
INSUFFICIENT_PRIVILEGE = "42501"

_LIMIT_EXCEEDED = "54000"

_CONTENTION = frozenset({SERIALIZATION_FAILURE, DEADLOCK, LOCK_NOT_AVAILABLE, CANCELED})
_OVERLOADED = frozenset({"53000", "53200", TOO_MANY_CONNECTIONS, "53400"})
_LOST = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03", "25P04"})

_FULL = re.compile(r"too many clients|remaining connection slots|no more connections allowed", re.IGNORECASE)
_FINAL = re.compile(
    r"authentication failed|no pg_hba\.conf entry|does not exist|no password supplied|permission denied"
    r"|certificate|does not support SSL|SCRAM",
    re.IGNORECASE,
)


def is_row_too_big(code: str | None, said: str) -> bool:
    """For a page. Keys that no index takes, and other limits, have the same SQLSTATE."""
    return code == _LIMIT_EXCEEDED and said.startswith("row is too big")


def transient_kind(code: str | None, said: str, error_class: type[BaseException]) -> type[TransientError] | None:
    """None: trying again does not help. Decided by SQLSTATE; without one, because no answer came or the server closed
    the door while connecting, by what libpq `said` and psycopg2's class of error."""
    if code:
        return _kind_of(code)
    if not _is_of_the_connection(error_class):
        return None
    if _FULL.search(said):
        return OverloadedError
    return None if _FINAL.search(said) else ConnectionLostError


def _kind_of(code: str) -> type[TransientError] | None:
    if code in _CONTENTION:
        return ContentionError
    if code in _OVERLOADED:
        return OverloadedError
    return ConnectionLostError if code in _LOST or code.startswith("08") else None


def _is_of_the_connection(error_class: type[BaseException]) -> bool:
    """By name, since this room knows no driver. A COPY that breaks off raises DatabaseError itself; its other
    subclasses without a SQLSTATE are mistakes in the driver's use."""
    names = [each.__name__ for each in error_class.__mro__]
    return names[0] == "DatabaseError" or "OperationalError" in names or "InterfaceError" in names
