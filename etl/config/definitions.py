"""The schema of a configured table, where it is known offline, under the table's own name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from etl.config.models import FileSource, PostgreSQLSource, TableConfig
from etl.config.schema import Schema
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
    own_names = {
        config.source.table: name for name, config in tables.items() if isinstance(config.source, PostgreSQLSource)
    }
    return {
        name: replace(
            config.definition,
            foreign_keys=tuple(
                replace(key, parent_table=own_names.get(key.parent_table, key.parent_table))
                for key in config.definition.foreign_keys
            ),
        )
        for name, config in tables.items()
        if config.definition is not None
    }
