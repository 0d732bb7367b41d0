"""Gives every column a type that all stores know, before the table's own steps."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    DataType,
    DayTimeIntervalType,
    MapType,
    NullType,
    StructField,
    StructType,
    TimestampNTZType,
    VariantType,
    YearMonthIntervalType,
)

from etl.errors import SourceError
from etl.model import HIDDEN, POSTGRESQL_TYPE, TRANSACTION, UNREADABLE, WATERMARK
from etl.statements.spark_values import JSON_OPTIONS
from etl.transform.draft import column_of

_JSON = "jsonb"
_OURS = (WATERMARK, TRANSACTION, UNREADABLE)


def conform(frame: DataFrame, table: str) -> DataFrame:
    """Nested values become JSON, intervals and columns that are NULL throughout text; a clock without zone is UTC's."""
    _refuse_names(frame, table)
    visible = [field for field in frame.schema.fields if not field.name.startswith(HIDDEN)]
    changed = {field.name: column for field in visible if (column := _conformed(field)) is not None}
    return frame.withColumns(changed) if changed else frame


def _conformed(field: StructField) -> Column | None:
    """None where the column is as it should be."""
    if _is_nested(field.dataType):
        return F.to_json(column_of(field.name), JSON_OPTIONS).alias(field.name, metadata={POSTGRESQL_TYPE: _JSON})
    change = _changes(field.dataType)
    return change(column_of(field.name)).alias(field.name, metadata={}) if change else None


def _is_nested(data_type: DataType) -> bool:
    nested = (StructType, MapType, VariantType)
    if isinstance(data_type, ArrayType):
        return isinstance(data_type.elementType, (*nested, ArrayType))
    return isinstance(data_type, nested)


def _changes(data_type: DataType) -> Callable[[Column], Column] | None:
    if isinstance(data_type, NullType | DayTimeIntervalType | YearMonthIntervalType):
        return lambda value: value.cast("string")
    if isinstance(data_type, TimestampNTZType):
        return lambda value: value.cast("timestamp")
    if isinstance(data_type, ArrayType) and isinstance(data_type.elementType, NullType):
        return lambda value: value.cast("array<string>")
    if isinstance(data_type, ArrayType) and isinstance(data_type.elementType, TimestampNTZType):
        return lambda value: value.cast("array<timestamp>")
    return None


def _refuse_names(frame: DataFrame, table: str) -> None:
    """Of files, that is: what the source database calls its columns was looked at before."""
    seen: dict[str, str] = {}
    for name in frame.columns:
        other = seen.setdefault(name.casefold(), name)
        if other is not name:
            raise SourceError(
                f"{table}: expected column names that differ by more than case, found {other!r} and {name!r}; "
                "rename one of them at the source",
                table=table,
            )
    if taken := [name for name in frame.columns if name.casefold().startswith(HIDDEN) and name not in _OURS]:
        raise SourceError(
            f"{table}: expected column names that do not begin with {HIDDEN}, which are this tool's own, "
            f"found {', '.join(map(repr, taken))}; rename them at the source",
            table=table,
        )
