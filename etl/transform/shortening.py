"""Masks that leave a part of the value: its first characters, its ends, its month or year, the step it is on."""

from __future__ import annotations

from pyspark.sql.types import DataType, DateType, DecimalType, DoubleType, FloatType, StringType, TimestampType

from etl.config.tables.masks import Partial, Truncation
from etl.statements.quoting import spark_literal


def partial(text: str, kept: Partial) -> str:
    """`4111111111111111` → `************1111`; where the parts that stand would be the whole, none stands."""
    shown, length, fill = kept.first + kept.last, f"char_length({text})", spark_literal(kept.fill)
    ends = f"concat(left({text}, {kept.first}), repeat({fill}, {length} - {shown}), right({text}, {kept.last}))"
    return f"CASE WHEN {length} > {shown} THEN {ends} ELSE repeat({fill}, {length}) END"


def truncated(value: str, kind: DataType, to: Truncation) -> str:
    """Of the same type, and never further from 0, so that it always has room."""
    if isinstance(kind, DateType):
        return f"trunc({value}, {spark_literal(str(to))})"
    if isinstance(kind, TimestampType):
        return f"date_trunc({spark_literal(str(to))}, {value})"
    if isinstance(kind, StringType):
        return f"left({value}, {to})"
    return f"CAST({value} - {value} % {_step(to, kind)} AS {kind.simpleString()})"


def _step(to: Truncation, kind: DataType) -> str:
    if isinstance(kind, DoubleType | FloatType):
        return f"{to}D"
    return f"{to}BD" if isinstance(kind, DecimalType) else f"{to}L"
