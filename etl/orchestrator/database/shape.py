"""The shape of the orchestrator's tables: as they stand, and as the migrations make them.

The latter is made for a moment among the session's temporary tables, and asked of the same catalogs: what is wanted is
written once, in the migrations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from etl.ledger.migrations import Migration
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.queries import statement

LEDGER = "dw_etl_migrations"


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    is_required: bool
    is_identity: bool
    is_generated: bool
    default: str | None

    @property
    def is_given(self) -> bool:
        """Whether an INSERT that does not name it gets a value."""
        return self.is_identity or self.is_generated or self.default is not None


@dataclass(frozen=True)
class Constraint:
    """`kind` as the catalog has it: c check, f foreign key, p primary key, u unique."""

    table: str
    name: str
    kind: str
    is_valid: bool
    definition: str


@dataclass(frozen=True)
class Index:
    table: str
    name: str
    is_valid: bool
    is_unique: bool
    is_partial: bool
    is_of_constraint: bool
    definition: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    name: str
    kind: str = "r"
    owner: str = ""
    is_owned: bool = True
    columns: Mapping[str, Column] = field(default_factory=dict)
    constraints: Mapping[str, Constraint] = field(default_factory=dict)

    @property
    def primary_key(self) -> Constraint | None:
        return next((each for each in self.constraints.values() if each.kind == "p"), None)


@dataclass(frozen=True)
class Shape:
    tables: Mapping[str, Table]
    indexes: Mapping[str, Index]
    functions: frozenset[str]
    """Their names, with what tells one text from another."""


def standing_shape(database: OrchestratorDatabase) -> Shape:
    with database.transaction("read the shape of the tables") as cursor:
        return _read(cursor, _namespaces(cursor)["live"])


def wanted_shape(database: OrchestratorDatabase, migrations: Sequence[Migration]) -> Shape:
    """Nothing is left of what it makes, and nobody sees it."""
    with database.transaction("make the shape that is wanted") as cursor:
        cursor.execute("SET LOCAL search_path = pg_temp")
        for migration in migrations:
            cursor.execute(at_once(migration))
        shape = _read(cursor, _namespaces(cursor)["made"])
        cursor.connection.rollback()
    return shape


def at_once(migration: Migration) -> str:
    """Its text for tables that nobody uses yet: in one transaction."""
    return migration.text.replace(" CONCURRENTLY", "")


def _namespaces(cursor: Any) -> dict[str, int | None]:
    cursor.execute(statement("shape_namespace"))
    return dict(cursor.fetchone())


def _read(cursor: Any, namespace: int | None) -> Shape:
    def rows(name: str) -> list[dict[str, Any]]:
        cursor.execute(statement(name), {"namespace": namespace or 0})
        return [dict(row) for row in cursor.fetchall()]

    columns = [(row.pop("table_name"), Column(**row)) for row in rows("shape_columns")]
    constraints = [Constraint(row.pop("table_name"), **row) for row in rows("shape_constraints")]
    tables = {
        row["name"]: Table(
            **row,
            columns={column.name: column for table, column in columns if table == row["name"]},
            constraints={each.name: each for each in constraints if each.table == row["name"]},
        )
        for row in rows("shape_tables")
        if row["name"] != LEDGER
    }
    indexes = [Index(row.pop("table_name"), columns=tuple(row.pop("columns")), **row) for row in rows("shape_indexes")]
    return Shape(
        tables,
        {each.name: each for each in indexes if each.table != LEDGER},
        frozenset(row["name"] for row in rows("shape_functions")),
    )
