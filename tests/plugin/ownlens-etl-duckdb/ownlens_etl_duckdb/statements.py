"""Description → SQL text. Every name passes `name`."""

from __future__ import annotations

from collections.abc import Sequence

from etl.model import Column

_TYPES = {
    "boolean": "BOOLEAN",
    "tinyint": "TINYINT",
    "smallint": "SMALLINT",
    "int": "INTEGER",
    "bigint": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "binary": "BLOB",
    "date": "DATE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
}


def name(*parts: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def duckdb_type(spark_type: str) -> str | None:
    """None where DuckDB's column would not be what the frame has."""
    if spark_type.startswith("array<"):
        element = duckdb_type(spark_type.removeprefix("array<").removesuffix(">"))
        return f"{element}[]" if element else None
    if spark_type.startswith("decimal("):
        return spark_type.upper()
    return _TYPES.get(spark_type)


def columns_ddl(columns: Sequence[Column]) -> str:
    return ", ".join(f"{name(column.name)} {duckdb_type(column.spark_type)}" for column in columns)


def same(columns: Sequence[str], left: str, right: str) -> str:
    """Whether rows agree in these columns; NULL is a value like any other."""
    tests = [f"{left}.{name(column)} IS NOT DISTINCT FROM {right}.{name(column)}" for column in columns]
    return " AND ".join(tests) or "true"


def listed(columns: Sequence[str], of: str = "") -> str:
    return ", ".join((f"{of}." if of else "") + name(column) for column in columns)
