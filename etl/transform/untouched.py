"""Rows that leave a table's transform as they came: told without Spark, of the many tables that are small and clean.

Nothing is transformed here. Where a step would alter, reject or merge a single row, or is not known here, the answer is
None and the table goes through the steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.types import DataType, StringType, StructField, StructType

from etl.config.tables.models import TableConfig, TransformConfig
from etl.model import HIDDEN, POSTGRESQL_TYPE, UNREADABLE, Destination, TableDefinition
from etl.transform.apart import refuse_words
from etl.transform.keys import is_unique_at_source
from etl.transform.outcome import final_field
from etl.transform.ranges import limits
from etl.transform.steps import trimmed_names
from etl.transform.text import is_clean

_KNOWN = frozenset({"trim", "drop", "allowed", "normalize_case", "required"})
"""Steps that may find nothing to do."""


class Untouched(NamedTuple):
    """The rows that were read, and the columns of them that every store is to get."""

    rows: pa.Table
    fields: tuple[StructField, ...]


def untouched(
    rows: pa.Table,
    schema: StructType,
    table: TableConfig,
    definition: TableDefinition | None,
    destinations: tuple[Destination, ...],
    given: Mapping[str, str],
) -> Untouched | None:
    """`schema` is that of the rows as read, hidden columns included; `given` are the types that the source enforces."""
    transform = table.transform
    if not set(_steps_of(transform)) <= _KNOWN or (table.key and not is_unique_at_source(table, definition)):
        return None
    if UNREADABLE in rows.column_names and rows[UNREADABLE].null_count < rows.num_rows:
        return None
    visible = [field for field in schema.fields if not field.name.startswith(HIDDEN)]
    types = {field.name: field.metadata.get(POSTGRESQL_TYPE, "") for field in visible}
    present = _never_null_here(table)
    kept = [field for field in visible if field.name not in transform.drop]
    kinds = {field.name: field.dataType for field in visible}
    trimmed = trimmed_names(table, definition, visible, types)
    if not all(isinstance(kinds.get(name), StringType) for name in trimmed):
        return None
    is_as_it_should_be = (
        all(name in types and not rows[name].null_count for name in present)
        and all(is_clean(rows[name]) for name in trimmed)
        and all(_is_allowed(rows, name, kinds, transform) for name in {*transform.allowed, *transform.normalize_case})
        and all(limit.holds(rows[limit.name]) for limit in limits(destinations, kept, types, given))
    )
    if not is_as_it_should_be:
        return None
    guaranteed = {column.name for column in definition.columns if not column.nullable} if definition else set()
    fields = tuple(final_field(field, types[field.name], present | guaranteed) for field in kept)
    names = [field.name for field in fields]
    refuse_words(table, destinations, names, [field.name for field in fields if not field.nullable])
    return Untouched(rows, fields)


def _steps_of(transform: TransformConfig) -> Iterator[str]:
    """Those that the entry gives something to do."""
    for name, default in TransformConfig.model_fields.items():
        if getattr(transform, name) != default.get_default(call_default_factory=True):
            yield name


def _never_null_here(table: TableConfig) -> set[str]:
    dated = {table.date_column} if table.date_column else set()
    is_null_safe = any(load.null_safe_key for load in table.loads.values())
    return {*table.transform.required, *dated, *(() if is_null_safe else table.key)}


def _is_allowed(rows: pa.Table, name: str, kinds: Mapping[str, DataType], transform: TransformConfig) -> bool:
    """Whether each value is one of the list, in the list's own spelling."""
    allowed = transform.allowed.get(name, ())
    if not isinstance(kinds.get(name), StringType) or len({one.lower() for one in allowed}) < len(allowed):
        return False
    if not allowed:
        return True
    return pc.all(pc.is_in(rows[name].drop_null(), pa.array(allowed, pa.string()))).as_py() is not False
