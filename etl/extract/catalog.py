"""The source's own schema, read live."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import cursor as Cursor

from etl.config.nearest import suggestion
from etl.errors import SourceError
from etl.model import ColumnDefinition, ForeignKey, TableDefinition
from etl.statements.source_catalog import NAMES, TABLES

_LOCKABLE, _WITH_BLOCKS = frozenset("rp"), frozenset("rpm")


@dataclass(frozen=True)
class SourceTable:
    """One table of the source. `blocks` is 0 for what has none (views, foreign tables)."""

    schema: str
    definition: TableDefinition
    kind: str
    blocks: int

    @property
    def is_lockable(self) -> bool:
        return self.kind in _LOCKABLE

    @property
    def qualified_name(self) -> str:
        return f"{self.schema}.{self.definition.name}"


def read_tables(cursor: Cursor, tables: Sequence[tuple[str, str]]) -> dict[str, SourceTable]:
    """By `schema.table`; all that are missing are named at once."""
    wanted = list(dict.fromkeys(tables))
    cursor.execute(TABLES, {"schemas": [schema for schema, _ in wanted], "tables": [table for _, table in wanted]})
    found = {table.qualified_name: table for table in map(_source_table, cursor.fetchall())}
    missing = [f"{schema}.{table}" for schema, table in wanted if f"{schema}.{table}" not in found]
    if missing:
        cursor.execute(NAMES)
        raise _missing_tables(missing, [f"{schema}.{table}" for schema, table in cursor.fetchall()])
    for table in found.values():
        _refuse_colliding_names(table)
    return found


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


def _refuse_colliding_names(table: SourceTable) -> None:
    """Spark and the lake know no letter case in names."""
    by_folded: dict[str, list[str]] = {}
    for name in table.definition.column_names:
        by_folded.setdefault(name.casefold(), []).append(name)
    collisions = [" and ".join(map(repr, names)) for names in by_folded.values() if len(names) > 1]
    if collisions:
        raise SourceError(
            f"{table.qualified_name}: expected column names that differ by more than case, "
            f"found {'; '.join(collisions)}; read the table through a view that renames one of them",
            table=table.definition.name,
        )
