"""The source's own schema, read live."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import cursor as Cursor

from etl.config.settings import PostgreSQLSettings
from etl.config.tables.column_names import impossible_at_the_source
from etl.errors import ContentionError, SourceError
from etl.extract.postgresql.door import source_door
from etl.model import HIDDEN, ColumnDefinition, ForeignKey, TableDefinition
from etl.nearest import suggestion
from etl.statements.source.catalog import MEANINGLESS, NAMES, TABLES
from etl.statements.source.window import lock_statement

Place = tuple[str, str]
"""Schema and table."""
_LOCKABLE, _WITH_BLOCKS = frozenset("rp"), frozenset("rpm")


@dataclass(frozen=True)
class SourceTable:
    """One table of the source. `blocks` is 0 for what has none (views, foreign tables)."""

    schema: str
    definition: TableDefinition
    kind: str
    blocks: int

    @property
    def is_stored(self) -> bool:
        return self.kind in _WITH_BLOCKS

    @property
    def is_lockable(self) -> bool:
        return self.kind in _LOCKABLE

    @property
    def place(self) -> Place:
        return self.schema, self.definition.name

    @property
    def qualified_name(self) -> str:
        """For people: `a.b` and `c` read as `a` and `b.c` do."""
        return ".".join(self.place)


@dataclass(frozen=True)
class Catalog:
    """What was read and is locked for the run, and why the others cannot be read."""

    tables: Mapping[Place, SourceTable]
    refused: Mapping[Place, str]


def read_catalog(cursor: Cursor, settings: PostgreSQLSettings, tables: Sequence[Place]) -> Catalog:
    """All at once; where that fails, one by one: a table that is missing, locked or forbidden stops no other."""
    wanted = list(dict.fromkeys(tables))
    try:
        return Catalog(_read_and_lock(cursor, settings, wanted), {})
    except (ContentionError, SourceError) as error:
        refusal = str(error)
    if len(wanted) == 1:
        return Catalog({}, {wanted[0]: refusal})
    single = [read_catalog(cursor, settings, [table]) for table in wanted]
    return Catalog(
        {name: table for catalog in single for name, table in catalog.tables.items()},
        {name: reason for catalog in single for name, reason in catalog.refused.items()},
    )


def _read_and_lock(cursor: Cursor, settings: PostgreSQLSettings, wanted: Sequence[Place]) -> dict[Place, SourceTable]:
    doing = f"reading the schema of {'.'.join(wanted[0]) if len(wanted) == 1 else f'{len(wanted)} tables'}"
    with savepoint(cursor), source_door(settings, doing):
        schemas, tables = zip(*wanted, strict=True)
        cursor.execute(TABLES, {"schemas": list(schemas), "tables": list(tables), "meaningless": MEANINGLESS})
        found = {table.place: table for table in map(_source_table, cursor.fetchall())}
        if missing := [".".join(place) for place in wanted if place not in found]:
            cursor.execute(NAMES)
            raise _missing_tables(missing, [f"{schema}.{table}" for schema, table in cursor.fetchall()])
        for table in found.values():
            _refuse_names(table)
        lockable = [table.place for table in found.values() if table.is_lockable]
        if lockable:
            cursor.execute(lock_statement(lockable))
    return found


@contextmanager
def savepoint(cursor: Cursor) -> Iterator[None]:
    """A statement that fails would end the transaction, and the run's snapshot with it."""
    cursor.execute("SAVEPOINT asked")
    try:
        yield
    except (SourceError, ContentionError):
        cursor.execute("ROLLBACK TO SAVEPOINT asked")
        raise
    cursor.execute("RELEASE SAVEPOINT asked")


def _source_table(row: tuple[Any, ...]) -> SourceTable:
    schema, name, kind, blocks, columns, primary_key, unique_keys, foreign_keys = row
    definition = TableDefinition(
        name=name,
        columns=tuple(ColumnDefinition(**column) for column in columns),
        primary_key=tuple(primary_key),
        unique_keys=tuple(tuple(key) for key in unique_keys),
        foreign_keys=tuple(
            ForeignKey(tuple(key["columns"]), key["parent"], tuple(key["parent_columns"])) for key in foreign_keys
        ),
    )
    return SourceTable(schema, definition, kind, int(blocks) if kind in _WITH_BLOCKS else 0)


def _missing_tables(missing: Sequence[str], existing: Iterable[str]) -> SourceError:
    names = list(existing)
    lines = [f"  {name}: {suggestion(name, names)}" for name in missing]
    return SourceError(
        "\n".join(["the source lacks tables that the configuration names (or this user may not see them):", *lines])
    )


def _refuse_names(table: SourceTable) -> None:
    if faults := impossible_at_the_source(list(table.definition.column_names)):
        raise SourceError(
            f"{table.qualified_name}: expected column names that differ by more than case and do not begin with "
            f"{HIDDEN}, found {'; '.join(faults)}; read the table through a view that renames them",
            table=table.definition.name,
        )
