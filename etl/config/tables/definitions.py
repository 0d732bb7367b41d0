"""The schema of a configured table, where it is known offline, under the table's own name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from etl.config.tables.models import FileSource, PostgreSQLSource, TableConfig
from etl.config.tables.schema import Schema
from etl.model import ColumnDefinition, TableDefinition


def definition_of(config: TableConfig, schema: Schema) -> TableDefinition | None:
    """The source's columns under the table's own name: from the entry's `columns`, else from the schema."""
    source = config.source
    if source.columns:
        null_safe = any(load.null_safe_key for load in config.loads.values())
        columns = tuple(
            ColumnDefinition(name, written, nullable=null_safe or name not in config.key)
            for name, written in source.columns.items()
        )
        return TableDefinition(config.name, columns, primary_key=config.key)
    if isinstance(source, FileSource):
        return None
    found = schema.get((source.schema_name, source.table))
    return replace(found, name=config.name) if found else None


def definitions_of(tables: Mapping[str, TableConfig]) -> dict[str, TableDefinition]:
    """Schemas by the table's own name; a foreign key names its parent so, too, where the parent is configured."""
    parents = ParentNames(tables.values())
    return {
        name: parents.put_into(config.definition, config)
        for name, config in tables.items()
        if config.definition is not None
    }


class ParentNames:
    """Foreign keys name source tables; loaders and the order of publication know the configuration's names."""

    def __init__(self, tables: Iterable[TableConfig]) -> None:
        self._by_source: dict[tuple[str, str], str] = {}
        self._by_table: dict[str, list[str]] = {}
        for config in tables:
            if isinstance(config.source, PostgreSQLSource):
                self._by_source[config.source.schema_name, config.source.table] = config.name
                self._by_table.setdefault(config.source.table, []).append(config.name)

    def put_into(self, definition: TableDefinition, config: TableConfig) -> TableDefinition:
        keys = (replace(key, parent_table=self._name(key.parent_table, config)) for key in definition.foreign_keys)
        return replace(definition, name=config.name, foreign_keys=tuple(keys))

    def _name(self, parent: str, child: TableConfig) -> str:
        """A key does not say its parent's schema: the child's own, else the only one that has such a table."""
        schema = child.source.schema_name if isinstance(child.source, PostgreSQLSource) else ""
        elsewhere = self._by_table.get(parent, [])
        return self._by_source.get((schema, parent)) or (elsewhere[0] if len(elsewhere) == 1 else parent)
