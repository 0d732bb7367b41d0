"""What the server says of itself and of its user's rights; nothing is written."""

from __future__ import annotations

from etl.statements.quoting import clickhouse_identifier

SERVER_FACTS = """SELECT
    version(), currentUser(), serverTimezone(), toFloat64(now64(6)),
    (SELECT value FROM system.settings WHERE name = 'readonly')"""

DISKS = "SELECT name, free_space, total_space FROM system.disks ORDER BY free_space"


def check_grant(privilege: str, database: str) -> str:
    """One row with 1 where the user may do this with any table of the database, else 0."""
    return f"CHECK GRANT {privilege} ON {clickhouse_identifier(database)}.*"


def grant(privileges: str, database: str, user: str) -> str:
    return f"GRANT {privileges} ON {clickhouse_identifier(database)}.* TO {clickhouse_identifier(user)}"


def create_database(database: str) -> str:
    return f"CREATE DATABASE {clickhouse_identifier(database)} ENGINE = Atomic"
