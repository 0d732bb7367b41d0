"""Creates the staging ledger and the jobs' tables; what stands already is left as it is."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

from etl.ledger.migrations import migrate, read_migrations
from etl.staging.database.database import StagingDatabase
from etl.staging.ledger.queries import SQL_DIRECTORY, statement
from etl.staging.migrate.adopting import refuse_foreign_ledger
from etl.statements.staging.tables import StagingTable, staging_table_statements


def install(database: StagingDatabase, tables: Iterable[StagingTable]) -> list[str]:
    """The names of what was made: migrations and tables."""
    made = install_ledger(database)
    return made + [table.name for table in tables if _create_table(database, table)]


def install_ledger(database: StagingDatabase) -> list[str]:
    with database.transaction("look for another system's ledger") as cursor:
        cursor.execute(statement("foreign_ledger"), {"schema": database.schema})
        ((tables, _),) = cursor.fetchall()
    refuse_foreign_ledger(database.settings.address, database.schema, tables)
    return migrate(Transactions(database), read_migrations(SQL_DIRECTORY / "migrations"), statement)


def _create_table(database: StagingDatabase, table: StagingTable) -> bool:
    with database.transaction(f"create {table.name}") as cursor:
        cursor.execute(statement("lock_migrations"))
        cursor.execute(statement("table_columns"), {"table": table.name})
        if cursor.fetchall():
            return False
        for text in staging_table_statements(table):
            cursor.execute(text)
    return True


class Transactions:
    """The staging database as the migrations see it."""

    def __init__(self, database: StagingDatabase) -> None:
        self._database = database

    def transaction(self, name: str, **limits: float) -> AbstractContextManager[Any]:
        return self._database.rows(name, **limits)
