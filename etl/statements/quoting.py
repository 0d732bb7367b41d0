"""Identifiers and literals, one function per dialect; every generated statement goes through these.

PostgreSQL doubles the double quote and knows no backslash escape inside identifiers; ClickHouse and Spark quote with
backticks, and ClickHouse also reads backslashes there.
"""

from __future__ import annotations

from etl.errors import UsageError
from etl.postgresql_types import IDENTIFIER_BYTES


def postgresql_identifier(name: str) -> str:
    """`"name"`; refuses what PostgreSQL would cut off at 63 bytes without a word."""
    _refuse_impossible(name)
    size = len(name.encode())
    if size > IDENTIFIER_BYTES:
        raise UsageError(
            f"expected an identifier of at most {IDENTIFIER_BYTES} bytes, found {name!r} ({size} bytes), "
            "which PostgreSQL would cut off; give the table or column a shorter target name"
        )
    return postgresql_known_identifier(name)


def postgresql_known_identifier(name: str) -> str:
    """`"name"` as the catalog gave it. It stands there, so the server has room for it: a database of another encoding
    than UTF-8 takes fewer bytes for a name than we count."""
    _refuse_impossible(name)
    return '"' + name.replace('"', '""') + '"'


def postgresql_name(schema: str, table: str) -> str:
    return f"{postgresql_identifier(schema)}.{postgresql_identifier(table)}"


def postgresql_column(alias: str, name: str) -> str:
    return f"{alias}.{postgresql_identifier(name)}"


def postgresql_literal(text: str) -> str:
    """A string literal that means the same whatever standard_conforming_strings says."""
    if "\0" in text:
        raise UsageError("expected text without NUL characters, which PostgreSQL cannot hold")
    quoted = text.replace("'", "''")
    return f"E'{quoted.replace(chr(92), chr(92) * 2)}'" if "\\" in quoted else f"'{quoted}'"


def clickhouse_identifier(name: str) -> str:
    _refuse_impossible(name)
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def clickhouse_name(database: str, table: str) -> str:
    return f"{clickhouse_identifier(database)}.{clickhouse_identifier(table)}"


def clickhouse_column(alias: str, name: str) -> str:
    return f"{alias}.{clickhouse_identifier(name)}"


def clickhouse_literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0") + "'"


def spark_identifier(name: str) -> str:
    _refuse_impossible(name)
    return "`" + name.replace("`", "``") + "`"


def spark_literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _refuse_impossible(name: str) -> None:
    if not name or "\0" in name:
        raise UsageError(f"expected a non-empty identifier without NUL characters, found {name!r}")
