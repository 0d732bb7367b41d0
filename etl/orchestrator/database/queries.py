"""The orchestrator's own statements, by name."""

from __future__ import annotations

from functools import cache

from etl.statements.named import POSTGRESQL_DIRECTORY, named_statements

SQL_DIRECTORY = POSTGRESQL_DIRECTORY / "orchestrator"


@cache
def statement(name: str) -> str:
    return named_statements(SQL_DIRECTORY / "queries")[name]
