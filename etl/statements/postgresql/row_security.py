"""Row-level security: read as pg_dump does, so that PostgreSQL refuses a statement where it would leave rows out."""

from __future__ import annotations

from typing import Any

from etl.statements.quoting import postgresql_identifier

FAIL = "SET LOCAL row_security = off"
"""A table whose policies would hide rows from the role is refused; a role that sees all rows notices nothing."""
FILTER = "SET LOCAL row_security = on"

_RAISED_BY = "check_enable_rls"


def is_refused(error: Any) -> bool:
    """Of a driver's error. By the server's function: SQLSTATE has no code of its own, and the words are translated."""
    return getattr(getattr(error, "diag", None), "source_function", None) == _RAISED_BY


def explain(said: str, role: str) -> str:
    """What PostgreSQL said, naming the table, with the role and what its owner can do."""
    return (
        f"{said}: policies may hide rows from role {postgresql_identifier(role)} (a view: from its owner), and part "
        f"of a table would pass for the whole. Let the role see all rows (ALTER ROLE {postgresql_identifier(role)} "
        "BYPASSRLS; for the table's owner: ALTER TABLE … NO FORCE ROW LEVEL SECURITY)"
    )
