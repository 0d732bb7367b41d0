"""What a target should look like: columns from the frame, keys and foreign keys from the source's definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pyspark.sql.types import StructType

from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.tables.models import TableConfig
from etl.errors import SchemaMismatchError
from etl.load.columns import refuse_columns
from etl.load.postgresql.target.catalog import TargetColumn, TargetTable, UniqueKey
from etl.model import POSTGRESQL_TYPE, Column, Destination, ForeignKey, TableDefinition
from etl.statements.postgresql.naming import Table
from etl.statements.postgresql.tables import ForeignKeyLink, NewColumn
from etl.statements.types import column_of, is_wide_numeric, spark_type_of

NO_TABLES: Mapping[str, TableConfig] = MappingProxyType({})


@dataclass(frozen=True)
class Design:
    """A target that does not stand yet, and the frame's columns for one that does."""

    table: Table
    columns: tuple[Column, ...]
    new_columns: tuple[NewColumn, ...]
    key: tuple[str, ...]
    match: tuple[str, ...]
    null_safe: bool
    unique_keys: tuple[UniqueKey, ...] = ()
    links: tuple[ForeignKeyLink, ...] = ()
    optional: frozenset[str] = frozenset()
    """Columns that the source, as far as it is known, lets be NULL."""

    def as_target(self) -> TargetTable:
        """The table as it will stand right after CREATE TABLE, before foreign keys."""
        columns = tuple(TargetColumn(column.name, column.type, column.not_null) for column in self.new_columns)
        return TargetTable(self.table, columns, self.unique_keys)


def design_target(
    schema: StructType,
    config: PostgreSQLTableLoadConfig,
    definitions: Mapping[str, TableDefinition],
    tables: Mapping[str, TableConfig] = NO_TABLES,
) -> Design:
    columns = frame_columns(schema)
    refuse_columns(config, columns)
    match = config.conflict_target or config.key
    _refuse_missing(config, columns, (*config.key, *match))
    definition = definitions.get(config.table_name)
    table = Table(config.target_schema, config.target_name)
    null_safe = config.null_safe_key
    return Design(
        table=table,
        columns=columns,
        new_columns=tuple(_new_column(column, config, definition) for column in columns),
        key=config.key,
        match=match,
        null_safe=null_safe,
        unique_keys=tuple(_unique_keys(config, definition, definitions, {column.name for column in columns})),
        links=tuple(_links(config, definition, definitions, tables, {column.name for column in columns})),
        optional=frozenset(column.name for column in columns if _is_optional(column, definition)),
    )


def frame_columns(schema: StructType) -> tuple[Column, ...]:
    return tuple(
        column_of(field.name, kind, _declared_type(kind, field.metadata.get(POSTGRESQL_TYPE)), field.nullable)
        for field in schema.fields
        for kind in [field.dataType.simpleString()]
    )


def links_between(
    parent: str, definitions: Mapping[str, TableDefinition], schema: str, tables: Mapping[str, TableConfig] = NO_TABLES
) -> list[ForeignKeyLink]:
    """Every foreign key that points at `parent` from another table, but for those of tables that want none."""
    return [
        _link(target_of(child.name, tables, schema), foreign_key, definitions, tables, child.name)
        for child in definitions.values()
        for foreign_key in child.foreign_keys
        if foreign_key.parent_table == parent and child.name != parent and _wants_links(child.name, tables)
    ]


def target_of(name: str, tables: Mapping[str, TableConfig], schema: str) -> Table:
    """Where a table's entry puts it; one without an entry stands in `schema` under its own name."""
    entry = _entry(name, tables)
    return Table(entry.target_schema, entry.target_name) if entry else Table(schema, name)


def _entry(name: str, tables: Mapping[str, TableConfig]) -> PostgreSQLTableLoadConfig | None:
    entry = tables[name].loads.get(Destination.POSTGRESQL) if name in tables else None
    return entry if isinstance(entry, PostgreSQLTableLoadConfig) else None


def _wants_links(name: str, tables: Mapping[str, TableConfig]) -> bool:
    entry = _entry(name, tables)
    return entry is None or entry.foreign_keys


def _declared_type(spark_type: str, declared: str | None) -> str | None:
    """The type of the source, unless a transformer has made another Spark type of the column."""
    if declared is None:
        return None
    natural = spark_type_of(declared)
    is_number_of_it = is_wide_numeric(declared) and natural.replace("string", "decimal") in spark_type
    return declared if natural == spark_type or is_number_of_it else None


def _refuse_missing(config: PostgreSQLTableLoadConfig, columns: tuple[Column, ...], needed: tuple[str, ...]) -> None:
    present = [column.name for column in columns]
    missing = sorted({name for name in needed if name not in present})
    if missing:
        raise SchemaMismatchError(
            f"expected the key columns {', '.join(missing)} in the frame of {config.table_name}, "
            f"found {', '.join(present)}; check `key`, `conflict_target` and the table's `transform` entry",
            table=config.table_name,
        )


def _new_column(column: Column, config: PostgreSQLTableLoadConfig, definition: TableDefinition | None) -> NewColumn:
    in_key = column.name in config.key and not config.null_safe_key
    return NewColumn(column.name, column.postgresql_type, in_key or _is_required(column, definition))


def _is_required(column: Column, definition: TableDefinition | None) -> bool:
    """NOT NULL at the source, and still the source's column: a transformer that changes a type may return NULL."""
    if definition is None or column.name not in definition.column_names:
        return False
    source = definition.column(column.name)
    return not source.nullable and source.type == column.postgresql_type


def _is_optional(column: Column, definition: TableDefinition | None) -> bool:
    if definition is None or not column.nullable or column.name not in definition.column_names:
        return False
    return definition.column(column.name).nullable


def _unique_keys(
    config: PostgreSQLTableLoadConfig,
    definition: TableDefinition | None,
    definitions: Mapping[str, TableDefinition],
    present: set[str],
) -> list[UniqueKey]:
    """The key, the conflict target, then the source's other keys; these last may be checked at a statement's end."""
    keys = []
    if config.key:
        keys.append(UniqueKey(config.key, primary=not config.null_safe_key, nulls_not_distinct=config.null_safe_key))
    if config.conflict_target and set(config.conflict_target) != set(config.key):
        keys.append(UniqueKey(config.conflict_target, nulls_not_distinct=config.null_safe_key))
    taken = {frozenset(key.columns) for key in keys}
    others = (*definition.unique_keys, definition.primary_key) if definition else ()
    for columns in others:
        if columns and present.issuperset(columns) and frozenset(columns) not in taken:
            taken.add(frozenset(columns))
            keys.append(UniqueKey(columns, immediate=_is_referenced(config.table_name, columns, definitions)))
    return keys


def _is_referenced(table: str, columns: tuple[str, ...], definitions: Mapping[str, TableDefinition]) -> bool:
    """A foreign key cannot point at a deferrable key."""
    return any(
        foreign_key.parent_table == table and set(foreign_key.parent_columns) == set(columns)
        for definition in definitions.values()
        for foreign_key in definition.foreign_keys
    )


def _links(
    config: PostgreSQLTableLoadConfig,
    definition: TableDefinition | None,
    definitions: Mapping[str, TableDefinition],
    tables: Mapping[str, TableConfig],
    present: set[str],
) -> list[ForeignKeyLink]:
    if definition is None or not config.foreign_keys:
        return []
    child = Table(config.target_schema, config.target_name)
    return [
        _link(child, foreign_key, definitions, tables, config.table_name)
        for foreign_key in definition.foreign_keys
        if present.issuperset(foreign_key.columns)
    ]


def _link(
    child: Table,
    foreign_key: ForeignKey,
    definitions: Mapping[str, TableDefinition],
    tables: Mapping[str, TableConfig],
    child_name: str,
) -> ForeignKeyLink:
    """A self-reference points at the child itself, wherever that stands."""
    is_self = foreign_key.parent_table == child_name
    parent = child if is_self else target_of(foreign_key.parent_table, tables, child.schema)
    deferred = is_self or child_name in _ancestors(foreign_key.parent_table, definitions)
    return ForeignKeyLink(child, foreign_key.columns, parent, foreign_key.parent_columns, deferred)


def _ancestors(table: str, definitions: Mapping[str, TableDefinition]) -> set[str]:
    """Every table that `table` refers to, directly or through others."""
    found: set[str] = set()
    waiting = [table]
    while waiting:
        definition = definitions.get(waiting.pop())
        parents = {key.parent_table for key in definition.foreign_keys} - found if definition else set()
        found |= parents
        waiting.extend(parents)
    return found
