"""Raw staging for Spark's JDBC writer, which knows numbers, booleans and text only.

What it cannot say exactly travels as text or as a number (arrays as JSON, bytes as hexadecimal digits, days and
microseconds since 1970) and is cast by the server on its way into the typed staging table. Floats are among it: the
server reads the numbers of an INSERT … VALUES, which the driver sends, to some digits only, whatever its settings say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from etl.model import Column
from etl.statements.clickhouse.tables import ColumnShape, TableShape
from etl.statements.quoting import clickhouse_identifier, clickhouse_literal, clickhouse_name, spark_identifier
from etl.statements.types import array_element, clickhouse_type_of

ROW = "etl_row"
"""Position of a row in its frame, the same in every attempt: rows that a second attempt sent again show by it."""

_FIRST_DAY, _LAST_DAY = -25567, 120529
_FIRST_MICRO, _LAST_MICRO = _FIRST_DAY * 86_400_000_000, (_LAST_DAY + 1) * 86_400_000_000 - 1
_AS_IT_IS = {"boolean", "tinyint", "smallint", "int", "bigint", "string", "void"}
_FLOATS = ("float", "double")


@dataclass(frozen=True)
class RawColumn:
    """How one column travels: Spark's expression, its type in the raw table, and the server's way back."""

    name: str
    raw_name: str
    spark: str
    raw_type: str
    typed: str
    out_of_range: str | None


def raw_columns(columns: Sequence[Column]) -> tuple[RawColumn, ...]:
    return tuple(_raw_column(column, f"c{position}") for position, column in enumerate(columns))


def raw_shape(columns: Sequence[RawColumn]) -> TableShape:
    shapes = [ColumnShape(ROW, "Int64"), *(ColumnShape(c.raw_name, f"Nullable({c.raw_type})") for c in columns)]
    return TableShape(tuple(shapes), "MergeTree", order_by="")


def check_raw(database: str, raw: str, columns: Sequence[RawColumn]) -> str:
    """One row: rows, distinct rows, then NULLs and values out of ClickHouse's range of each column."""
    counts = [f"countIf(isNull({clickhouse_identifier(c.raw_name)})), {_range_count(c)}" for c in columns]
    return f"SELECT {', '.join(['count()', f'uniqExact({ROW})', *counts])} FROM {clickhouse_name(database, raw)}"


def insert_typed(database: str, into: str, raw: str, columns: Sequence[RawColumn]) -> str:
    """Each row once, whatever attempts sent it."""
    names = ", ".join(clickhouse_identifier(column.name) for column in columns)
    typed = ", ".join(column.typed for column in columns)
    return f"""INSERT INTO {clickhouse_name(database, into)} ({names})
SELECT {typed}
FROM (SELECT * FROM {clickhouse_name(database, raw)} LIMIT 1 BY {ROW})"""


def _raw_column(column: Column, raw_name: str) -> RawColumn:
    source, raw, kind = spark_identifier(column.name), clickhouse_identifier(raw_name), column.spark_type
    if array_element(kind) is None:
        outside = _outside(raw, kind)
        return RawColumn(column.name, raw_name, _spark(source, kind), _raw_type(kind), _typed(raw, kind), outside)
    json_type = clickhouse_literal(_json_type(kind))
    elements = f"JSONExtract(ifNull({raw}, '[]'), {json_type})"
    scalar = _innermost(kind)
    outside = _outside("x", scalar)
    return RawColumn(
        column.name,
        raw_name,
        f"to_json({_spark_array(source, kind, 0)})",
        "String",
        _typed_array(elements, kind, 0),
        f"arrayExists(x -> ifNull({outside}, 0), arrayFlatten({elements}))" if outside else None,
    )


def _spark(value: str, kind: str) -> str:
    if kind == "binary":
        return f"hex({value})"
    if kind == "date":
        return f"unix_date({value})"
    if kind == "timestamp":
        return f"unix_micros({value})"
    return f"cast({value} AS string)" if _is_number_as_text(kind) or kind == "void" else value


def _is_number_as_text(kind: str) -> bool:
    return kind.startswith("decimal") or kind in _FLOATS


def _raw_type(kind: str) -> str:
    if kind in ("date", "timestamp"):
        return "Int64" if kind == "timestamp" else "Int32"
    return clickhouse_type_of(kind, nullable=False) if kind in _AS_IT_IS else "String"


def _typed(raw: str, kind: str) -> str:
    if kind == "binary":
        return f"unhex({raw})"
    if kind == "date":
        return f"addDays(toDate32('1970-01-01'), {raw})"
    if kind == "timestamp":
        return f"fromUnixTimestamp64Micro({raw}, 'UTC')"
    if _is_number_as_text(kind):
        return f"CAST({raw}, {clickhouse_literal(clickhouse_type_of(kind, nullable=True))})"
    return raw


def _spark_array(value: str, kind: str, depth: int) -> str:
    element = array_element(kind)
    assert element is not None  # noqa: S101 - callers pass arrays only
    item = f"x{depth}"
    if array_element(element):
        return f"transform({value}, {item} -> {_spark_array(item, element, depth + 1)})"
    return f"transform({value}, {item} -> {_spark(item, element)})"


def _json_type(kind: str) -> str:
    element = array_element(kind)
    if element is None:
        return f"Nullable({_raw_type(kind)})"
    return f"Array({_json_type(element)})"


def _typed_array(value: str, kind: str, depth: int) -> str:
    element = array_element(kind)
    assert element is not None  # noqa: S101 - callers pass arrays only
    item = f"x{depth}"
    if array_element(element):
        return f"arrayMap({item} -> {_typed_array(item, element, depth + 1)}, {value})"
    return f"arrayMap({item} -> {_typed(item, element)}, {value})"


def _innermost(kind: str) -> str:
    element = array_element(kind)
    return kind if element is None else _innermost(element)


def _outside(value: str, kind: str) -> str | None:
    if kind == "date":
        return f"({value} < {_FIRST_DAY} OR {value} > {_LAST_DAY})"
    if kind == "timestamp":
        return f"({value} < {_FIRST_MICRO} OR {value} > {_LAST_MICRO})"
    return None


def _range_count(column: RawColumn) -> str:
    return f"countIf({column.out_of_range})" if column.out_of_range else "0"
