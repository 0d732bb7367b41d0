"""Creates the orchestrator's tables; what stands already is left as it is."""

from __future__ import annotations

from etl.errors import StoreError
from etl.ledger.migrations import Migration, read_migrations
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.queries import SQL_DIRECTORY, statement
from etl.postgresql.door import sqlstate

DUPLICATE_OBJECT = "42710"


def install(database: OrchestratorDatabase) -> list[str]:
    """The names of the migrations that were applied."""
    applied = []
    with database.transaction("look for what stands") as cursor:
        cursor.execute(statement("ledger_exists"))
        found = dict(cursor.fetchone() or {})
        if not found["has_schema"]:
            cursor.execute(statement("create_schema"))
        if not found["has_table"]:
            cursor.execute(statement("create_migrations"))
        cursor.execute(statement("applied_migrations"))
        known = {row["name"] for row in cursor.fetchall()}
    for migration in read_migrations(SQL_DIRECTORY / "migrations"):
        if migration.name not in known:
            _apply(database, migration)
            applied.append(migration.name)
    return applied


def _apply(database: OrchestratorDatabase, migration: Migration) -> None:
    record = {"name": migration.name, "sha256": migration.sha256}
    if "ne statement at a time" in migration.text:
        for text in filter(None, map(str.strip, _bare(migration.text).split(";"))):
            _once(database, migration.name, text)
        with database.transaction("record") as cursor:
            cursor.execute(statement("record_migration"), record)
    else:
        with database.transaction(f"migration {migration.name}") as cursor:
            cursor.execute(migration.text)
            cursor.execute(statement("record_migration"), record)


def _once(database: OrchestratorDatabase, name: str, text: str) -> None:
    try:
        database.alone(f"migration {name}", text)
    except StoreError as error:
        if sqlstate(error) != DUPLICATE_OBJECT:
            raise


def _bare(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
