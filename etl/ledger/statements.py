"""The ledger's SQL, by name, from sql/postgresql/ledger."""

from __future__ import annotations

from etl.statements.named import POSTGRESQL_DIRECTORY, named_statements

SQL_DIRECTORY = POSTGRESQL_DIRECTORY / "ledger"
MIGRATIONS_DIRECTORY = SQL_DIRECTORY / "migrations"


def statement(name: str) -> str:
    """The text of one named statement; a name that does not stand in the files is a mistake of the program."""
    return named_statements(SQL_DIRECTORY / "queries")[name]
