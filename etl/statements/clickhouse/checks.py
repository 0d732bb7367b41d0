"""Statements that say what stands in a table: how many rows and one checksum a column."""

from __future__ import annotations

from collections.abc import Sequence

from etl.model import Column
from etl.statements.checksum import clickhouse_checksum_columns
from etl.statements.clickhouse.changes import STORED
from etl.statements.quoting import clickhouse_name


def summarise(database: str, table: str, columns: Sequence[Column], *, final: bool, where: str = "") -> str:
    """One row: count, then the checksum of each column in order."""
    sums = clickhouse_checksum_columns(columns, STORED)
    values = ", ".join(["count()", *(sums[column.name] for column in columns)])
    condition = f" WHERE {where}" if where else ""
    return f"SELECT {values} FROM {clickhouse_name(database, table)} AS {STORED}{' FINAL' if final else ''}{condition}"
