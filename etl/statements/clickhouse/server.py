"""What the server says of itself and of its user's rights; nothing is written."""

from __future__ import annotations

from etl.statements.quoting import clickhouse_identifier

SERVER_FACTS = """SELECT
    version(), currentUser(), serverTimezone(), toFloat64(now64(6)),
    (SELECT value FROM system.settings WHERE name = 'readonly')"""

DISKS = "SELECT name, free_space, total_space FROM system.disks ORDER BY free_space"


def check_grant(privileges: str, on: str) -> str:
    """One row with 1 where the user may do all of this with what `on` names, else 0."""
    return f"CHECK GRANT {privileges} ON {on}"


def grant(privileges: str, on: str, user: str) -> str:
    return f"GRANT {privileges} ON {on} TO {clickhouse_identifier(user)}"


def all_tables(database: str) -> str:
    """What a right is `ON`, of each table of the database, those to come included."""
    return f"{clickhouse_identifier(database)}.*"


def create_database(database: str) -> str:
    return f"CREATE DATABASE {clickhouse_identifier(database)} ENGINE = Atomic"
