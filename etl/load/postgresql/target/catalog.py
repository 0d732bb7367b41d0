"""A target table as PostgreSQL's catalog describes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from etl.errors import SchemaMismatchError
from etl.postgresql.columns import StoredColumn
from etl.statements.postgresql.catalog import DESCRIBE_TABLE, LOCK_HOLDERS, TABLE_EXISTS
from etl.statements.postgresql.naming import Table

_TABLES = {"r", "p"}


@dataclass(frozen=True)
class TargetColumn(StoredColumn):
    collation: str = ""
    """The column's own, as SQL, where it is not that of its type."""
    loose_collation: str = ""
    """The column's collation, as SQL, where it calls different texts equal."""


@dataclass(frozen=True)
class UniqueKey:
    columns: tuple[str, ...]
    primary: bool = False
    immediate: bool = True
    nulls_not_distinct: bool = False


@dataclass(frozen=True)
class ForeignKeyConstraint:
    name: str
    child: Table
    columns: tuple[str, ...]
    parent: Table
    parent_columns: tuple[str, ...]


@dataclass(frozen=True)
class CheckConstraint:
    """`expression` speaks of the columns by their bare names, as PostgreSQL prints it."""

    name: str
    columns: tuple[str, ...]
    expression: str


@dataclass(frozen=True)
class ExclusionConstraint:
    """No two rows may agree in all `elements`, which are pairs of a column and an operator."""

    name: str
    elements: tuple[tuple[str, str], ...]
    definition: str
    deferrable: bool

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(column for column, _ in self.elements)


@dataclass(frozen=True)
class OwnSequence:
    """The sequence that fills `column` where an INSERT brings no value."""

    column: str
    name: Table
    ascending: bool = True
    may_advance: bool = True


@dataclass(frozen=True)
class TargetTable:
    """`foreign_keys` point at parents, `referenced_by` come from children; a self-reference is in `foreign_keys`."""

    table: Table
    columns: tuple[TargetColumn, ...]
    unique_keys: tuple[UniqueKey, ...] = ()
    foreign_keys: tuple[ForeignKeyConstraint, ...] = ()
    referenced_by: tuple[ForeignKeyConstraint, ...] = ()
    checks: tuple[CheckConstraint, ...] = ()
    exclusions: tuple[ExclusionConstraint, ...] = ()
    sequences: tuple[OwnSequence, ...] = ()
    columns_ever: int = 0
    """Dropped ones keep their places."""

    def column(self, name: str) -> TargetColumn | None:
        return next((column for column in self.columns if column.name == name), None)


def describe(cursor: Any, table: Table) -> TargetTable | None:
    """None where there is no such table; anything but a table is refused."""
    cursor.execute(DESCRIBE_TABLE, {"schema": table.schema, "name": table.name})
    row = cursor.fetchone()
    if row is None:
        return None
    found = row[0]
    if found["kind"] not in _TABLES:
        raise SchemaMismatchError(f"expected a table, found that {table} is a view, sequence or foreign table")
    links = [_foreign_key(entry) for entry in found["foreign_keys"] or []]
    return TargetTable(
        table=table,
        columns=tuple(TargetColumn(**entry) for entry in found["columns"] or []),
        unique_keys=tuple(_unique_key(entry) for entry in found["unique_keys"] or []),
        foreign_keys=tuple(link for link in links if link.child == table),
        referenced_by=tuple(link for link in links if link.child != table),
        checks=tuple(_check(entry) for entry in found["checks"] or []),
        exclusions=tuple(_exclusion(entry) for entry in found["exclusions"] or []),
        sequences=tuple(_sequence(entry) for entry in found["sequences"] or []),
        columns_ever=found["columns_ever"],
    )


def exists(cursor: Any, table: Table) -> bool:
    cursor.execute(TABLE_EXISTS, {"schema": table.schema, "name": table.name})
    return bool(cursor.fetchone()[0])


def lock_holders(cursor: Any, table: Table) -> str:
    """Who holds locks on the table, oldest transaction first, in words."""
    cursor.execute(LOCK_HOLDERS, {"schema": table.schema, "name": table.name})
    holders = [
        f"pid {pid} ({application or 'unnamed'}, {state or 'unknown'}, {seconds or 0} s)"
        for pid, application, state, seconds in cursor.fetchall()
    ]
    return ", ".join(holders) or "nobody any more"


def _unique_key(entry: dict[str, Any]) -> UniqueKey:
    return UniqueKey(tuple(entry["columns"]), entry["primary"], entry["immediate"], entry["nulls_not_distinct"])


def _check(entry: dict[str, Any]) -> CheckConstraint:
    return CheckConstraint(entry["name"], tuple(entry["columns"]), entry["expression"])


def _exclusion(entry: dict[str, Any]) -> ExclusionConstraint:
    elements = tuple((element["column"], element["operator"]) for element in entry["elements"])
    return ExclusionConstraint(entry["name"], elements, entry["definition"], entry["deferrable"])


def _sequence(entry: dict[str, Any]) -> OwnSequence:
    return OwnSequence(entry["column"], Table(entry["schema"], entry["name"]), entry["ascending"], entry["may_advance"])


def _foreign_key(entry: dict[str, Any]) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        name=entry["name"],
        child=Table(entry["child_schema"], entry["child"]),
        columns=tuple(entry["columns"]),
        parent=Table(entry["parent_schema"], entry["parent"]),
        parent_columns=tuple(entry["parent_columns"]),
    )
