"""Brings a schema up to date: numbered files, each once, each in its own transaction.

`named` gives the statements that lock, look and record; the ledger's own are the default.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from etl.errors import TerminalError
from etl.ledger.statements import MIGRATIONS_DIRECTORY, statement

MIGRATION_TIMEOUT_SECONDS = 300


Named = Callable[[str], str]


class Transactions(Protocol):
    """A database; rows come as dicts."""

    def transaction(
        self, name: str, *, statement_timeout_seconds: float = ..., lock_timeout_seconds: float = ...
    ) -> AbstractContextManager[Any]: ...


@dataclass(frozen=True)
class Migration:
    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_migrations(directory: Path = MIGRATIONS_DIRECTORY) -> list[Migration]:
    """In the order of their numbers."""
    return [Migration(file.stem, file.read_text(encoding="utf-8")) for file in sorted(directory.glob("*.sql"))]


def migrate(database: Transactions, migrations: list[Migration], named: Named = statement) -> list[str]:
    """Applies what is missing and returns its names; runs that start at once wait for one another."""
    with database.transaction("read migrations") as cursor:
        missing = missing_of(migrations, applied_in(cursor, named))
    return [migration.name for migration in missing if _apply(database, migration, migrations, named)]


def exist(cursor: Any, named: Named = statement) -> bool:
    """Whether any has been applied: a first migration stands with all it makes, or not at all."""
    cursor.execute(named("ledger_exists"))
    return bool(cursor.fetchone()["has_table"])


def _apply(database: Transactions, migration: Migration, migrations: list[Migration], named: Named) -> bool:
    """False where another run was faster."""
    limits = {
        "statement_timeout_seconds": MIGRATION_TIMEOUT_SECONDS,
        "lock_timeout_seconds": MIGRATION_TIMEOUT_SECONDS,
    }
    with database.transaction(f"migration {migration.name}", **limits) as cursor:
        cursor.execute(named("lock_migrations"))
        bootstrap(cursor, named)
        if migration not in missing_of(migrations, applied_in(cursor, named)):
            return False
        cursor.execute(migration.text)
        cursor.execute(named("record_migration"), {"name": migration.name, "sha256": migration.sha256})
        return True


def bootstrap(cursor: Any, named: Named) -> None:
    """The schema and the table of what was applied, where they are not there."""
    cursor.execute(named("ledger_exists"))
    found = cursor.fetchone()
    if not found["has_schema"]:
        cursor.execute(named("create_schema"))
    if not found["has_table"]:
        cursor.execute(named("create_migrations"))


def applied_in(cursor: Any, named: Named) -> dict[str, str]:
    """What was applied, by name, with its SHA-256."""
    if not exist(cursor, named):
        return {}
    cursor.execute(named("applied_migrations"))
    return {row["name"]: row["sha256"] for row in cursor.fetchall()}


def missing_of(migrations: list[Migration], applied: dict[str, str]) -> list[Migration]:
    """Refuses a ledger that a newer version has changed, and migrations edited after they were applied."""
    known = {migration.name: migration for migration in migrations}
    unknown = sorted(set(applied) - set(known))
    if unknown:
        raise TerminalError(
            f"the ledger has migrations that this version does not know: {', '.join(unknown)};"
            " use the version that applied them, or a newer one"
        )
    edited = sorted(name for name, sha256 in applied.items() if known[name].sha256 != sha256)
    if edited:
        raise TerminalError(
            f"migrations were edited after they had been applied: {', '.join(edited)};"
            " restore the files and put the change into a new migration"
        )
    return [migration for migration in migrations if migration.name not in applied]
