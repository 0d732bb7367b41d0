"""What a store holds as text although the source's type is none: told in the plan and in the report, never silent."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame

from etl.config.destinations.load_config import TableLoadConfig, WithDecimals
from etl.config.tables.models import TableConfig
from etl.load.frames import columns_of
from etl.model import Column, TableDefinition
from etl.postgresql_types import base_type
from etl.statements.numerics import stored_numeric
from etl.statements.types import array_element, is_wide_numeric

_TEXT = frozenset({"text", "character varying", "character", "name", '"char"'})


def held_as_text(
    frame: DataFrame, load: TableLoadConfig, table: TableConfig, definition: TableDefinition | None
) -> dict[str, str]:
    """Column → the type that it has at the source."""
    at_source = _foreign_types(table, definition)
    found = {}
    for column in columns_of(frame):
        kind = at_source.get(column.name) if _is_text(column.postgresql_type) else None
        if kind is None and _is_text_in(column, load):
            kind = column.postgresql_type
        if kind is not None:
            found[column.name] = kind
    return found


def _foreign_types(table: TableConfig, definition: TableDefinition | None) -> Mapping[str, str]:
    """Enums, composites and so on, by the names that the store sees."""
    renamed = table.transform.rename
    columns = definition.columns if definition else ()
    return {renamed.get(column.name, column.name): column.stands_for for column in columns if column.stands_for}


def _is_text_in(column: Column, load: TableLoadConfig) -> bool:
    if not isinstance(load, WithDecimals):
        return False  # PostgreSQL's column has the source's own type
    kind: str | None = column.spark_type
    if is_wide_numeric(column.postgresql_type):
        kind = stored_numeric(column.name, column.postgresql_type, load.numeric_as, load.most_digits)
    element = array_element(kind or "") or kind
    if element == "binary":
        return load.holds_bytes_as_text
    return element == "string" and not _is_text(column.postgresql_type)


def _is_text(postgresql_type: str) -> bool:
    return base_type(postgresql_type).removesuffix("[]") in _TEXT
