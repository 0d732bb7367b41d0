"""One number a column, equal in Spark, PostgreSQL and ClickHouse for equal rows in any order.

Each row adds a term and the terms are summed, so order does not matter and a set of rows can be checked where it
stands. A checksum reads `sum/count`: the sum of the terms of non-NULL values, and how many there were. Terms by type:

    text, uuid, binary   the first 32 bits of the value's MD5, the one digest all three stores have
    integers, date, timestamp (in µs)   the value modulo P
    decimal              the value itself; one wider than Spark's the MD5 of its digits, as above
    float, double        floor(value x 10^6) modulo P below 10^12; a digit each for NaN, infinity and larger ones
    arrays of text and integers   MD5 as above, of the elements joined by commas; empty and NULL arrays add nothing

`*` stands for the sum where a store re-writes the text it is given (jsonb, inet, char(n)) or a type has no common form:
there only the count is compared.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from etl.model import Checksums, Column
from etl.statements.numerics import without_zeros
from etl.statements.quoting import clickhouse_column, postgresql_column, spark_identifier
from etl.statements.types import SPARK_DIGITS, array_element

P = 1_000_000_007
"""A prime below 2^30: the sum of 2^33 such terms still fits a signed 64-bit integer."""

_INTEGERS = {"tinyint", "smallint", "int", "bigint"}
_TEXT_KEPT_BY_POSTGRESQL = re.compile(r"text|character varying(\(\d+\))?|uuid|name|numeric(\(\d+,-?\d+\))?")


@dataclass(frozen=True)
class _Term:
    """`value` is summed where `counted` is true; no value: only the count is known."""

    value: str | None
    counted: str


def spark_checksum_columns(columns: Sequence[Column]) -> dict[str, str]:
    """Column name → aggregate expression in Spark SQL."""
    return {column.name: _spark_text(_spark_term(column)) for column in columns}


def postgresql_checksum_columns(columns: Sequence[Column], alias: str) -> dict[str, str]:
    """Column name → aggregate expression over `alias`.column in PostgreSQL."""
    return {column.name: _postgresql_text(_postgresql_term(column, alias)) for column in columns}


def clickhouse_checksum_columns(columns: Sequence[Column], alias: str) -> dict[str, str]:
    """Column name → aggregate expression over `alias`.column in ClickHouse."""
    return {column.name: _clickhouse_text(_clickhouse_term(column, alias)) for column in columns}


def differences(expected: Checksums, found: Checksums) -> list[str]:
    """Each difference as a sentence; empty where the two agree on rows and on every column both know."""
    faults = [] if expected.rows == found.rows else [f"expected {expected.rows} rows, found {found.rows}"]
    faults += [
        f"column {name}: expected checksum {expected.columns[name]}, found {found.columns[name]}"
        for name in expected.columns
        if name in found.columns and not _equal(expected.columns[name], found.columns[name])
    ]
    return faults


def _equal(one: str, other: str) -> bool:
    (sum_one, count_one), (sum_other, count_other) = one.split("/"), other.split("/")
    return count_one == count_other and ("*" in (sum_one, sum_other) or Decimal(sum_one) == Decimal(sum_other))


# --- Spark ----------------------------------------------------------------------------------------------------------


def _spark_term(column: Column) -> _Term:
    name = spark_identifier(column.name)
    present = f"{name} IS NOT NULL"
    kind = column.spark_type
    if kind in ("string", "binary"):
        text = f"lower({name})" if column.postgresql_type == "uuid" else name
        return _Term(_spark_digest(text), present)
    if kind == "boolean":
        return _Term(f"cast({name} as bigint)", present)
    if kind in _INTEGERS:
        return _Term(f"cast({name} as bigint) % {P}", present)
    if _is_wider_than_spark(kind):
        return _Term(_spark_digest(without_zeros(name)), present)
    if kind.startswith("decimal"):
        return _Term(name, present)
    if kind in ("float", "double"):
        return _Term(_spark_floating(f"cast({name} as double)"), present)
    if kind == "date":
        return _Term(f"cast(unix_date({name}) as bigint) % {P}", present)
    if kind == "timestamp":
        return _Term(f"unix_micros({name}) % {P}", present)
    if _is_joinable(kind):
        return _Term(_spark_digest(f"array_join({name}, ',', 'NULL')"), f"size({name}) > 0")
    return _Term(None, f"size({name}) > 0" if array_element(kind) else present)


def _spark_digest(value: str) -> str:
    return f"cast(conv(substring(md5(cast({value} as binary)), 1, 8), 16, 10) as bigint)"


def _spark_floating(value: str) -> str:
    return (
        f"CASE WHEN isnan({value}) THEN 1L WHEN abs({value}) = double('infinity') THEN 2L "
        f"WHEN abs({value}) < 1e12D THEN cast(floor({value} * 1e6D) as bigint) % {P} ELSE 3L END"
    )


def _spark_text(term: _Term) -> str:
    count = f"cast(count_if({term.counted}) as string)"
    if term.value is None:
        return f"concat('*/', {count})"
    total = f"try_sum(CASE WHEN {term.counted} THEN {term.value} END)"
    # try_sum is NULL both for no rows (0) and for an overflow of decimal(38) (unknown)
    return f"concat(coalesce(cast({total} as string), if(count_if({term.counted}) = 0, '0', '*')), '/', {count})"


# --- PostgreSQL -----------------------------------------------------------------------------------------------------


def _postgresql_term(column: Column, alias: str) -> _Term:
    name = postgresql_column(alias, column.name)
    present = f"{name} IS NOT NULL"
    kind = column.spark_type
    if kind == "string":
        kept = _is_kept(column.postgresql_type)
        return _Term(_postgresql_digest(f"{name}::text") if kept else None, present)
    if kind == "binary":
        return _Term(_postgresql_digest(name), present)
    if kind == "boolean":
        return _Term(f"{name}::int", present)
    if kind in _INTEGERS:
        return _Term(f"{name}::bigint % {P}", present)
    if kind.startswith("decimal"):
        return _Term(f"{name}::numeric", present)
    if kind in ("float", "double"):
        return _Term(_postgresql_floating(f"{name}::double precision"), present)
    if kind == "date":
        return _Term(f"({name} - DATE '1970-01-01')::bigint % {P}", present)
    if kind == "timestamp":
        return _Term(f"(extract(epoch FROM {name}) * 1000000)::bigint % {P}", present)
    if _is_joinable(kind) and (kind != "array<string>" or _is_kept(column.postgresql_type.removesuffix("[]"))):
        return _Term(_postgresql_digest(f"array_to_string({name}, ',', 'NULL')"), f"cardinality({name}) > 0")
    return _Term(None, f"cardinality({name}) > 0" if column.postgresql_type.endswith("[]") else present)


def _is_kept(postgresql_type: str) -> bool:
    return _TEXT_KEPT_BY_POSTGRESQL.fullmatch(postgresql_type) is not None


def _postgresql_digest(value: str) -> str:
    return f"('x' || substr(md5({value}), 1, 8))::bit(32)::bigint"


def _postgresql_floating(value: str) -> str:
    return (
        f"CASE WHEN {value} = 'NaN' THEN 1 WHEN abs({value}) = 'Infinity' THEN 2 "
        f"WHEN abs({value}) < 1e12 THEN floor({value} * 1e6)::bigint % {P} ELSE 3 END"
    )


def _postgresql_text(term: _Term) -> str:
    count = f"count(*) FILTER (WHERE {term.counted})::text"
    if term.value is None:
        return f"'*/' || {count}"
    return f"coalesce(sum({term.value}) FILTER (WHERE {term.counted}), 0)::text || '/' || {count}"


# --- ClickHouse -----------------------------------------------------------------------------------------------------


def _clickhouse_term(column: Column, alias: str) -> _Term:
    name = clickhouse_column(alias, column.name)
    present = f"isNotNull({name})"
    kind = column.spark_type
    if kind in ("string", "binary"):
        text = f"lower({name})" if column.postgresql_type == "uuid" else name
        return _Term(_clickhouse_digest(f"assumeNotNull({text})"), present)
    if kind == "boolean":
        return _Term(f"toInt64({name})", present)
    if kind in _INTEGERS:
        return _Term(f"toInt64({name}) % {P}", present)
    if _is_wider_than_spark(kind):
        return _Term(_clickhouse_digest(_clickhouse_digits(f"toString(assumeNotNull({name}))")), present)
    if kind.startswith("decimal"):
        return _Term(f"toDecimal256({name}, {_scale(kind)})", present)
    if kind in ("float", "double"):
        return _Term(_clickhouse_floating(f"toFloat64({name})"), present)
    if kind == "date":
        return _Term(f"toInt64(toDate32({name})) % {P}", present)
    if kind == "timestamp":
        return _Term(f"toUnixTimestamp64Micro(toDateTime64({name}, 6, 'UTC')) % {P}", present)
    if _is_joinable(kind):
        joined = f"arrayStringConcat(arrayMap(x -> ifNull(toString(x), 'NULL'), {name}), ',')"
        return _Term(_clickhouse_digest(joined), f"notEmpty({name})")
    return _Term(None, f"notEmpty({name})" if array_element(kind) else present)


def _clickhouse_digest(value: str) -> str:
    return f"toInt64(reinterpretAsUInt32(reverse(substring(MD5({value}), 1, 4))))"


def _clickhouse_digits(text: str) -> str:
    """Without the zeros that a decimal's text may end in, as statements/numerics.py spells them."""
    return f"if(position({text}, '.') > 0, replaceRegexpOne({text}, '[.]?0+$', ''), {text})"


def _clickhouse_floating(value: str) -> str:
    return (
        f"multiIf(isNaN({value}), 1, isInfinite({value}), 2, "
        f"abs({value}) < 1e12, toInt64(floor({value} * 1e6)) % {P}, 3)"
    )


def _clickhouse_text(term: _Term) -> str:
    count = f"toString(countIf({term.counted}))"
    if term.value is None:
        return f"concat('*/', {count})"
    return f"concat(toString(ifNull(sumIf({term.value}, {term.counted}), 0)), '/', {count})"


def _scale(decimal_type: str) -> int:
    return int(decimal_type.rstrip(")").split(",")[1])


def _is_wider_than_spark(kind: str) -> bool:
    """A decimal of the store's own: in Spark it is text."""
    return kind.startswith("decimal") and int(kind.removeprefix("decimal(").split(",")[0]) > SPARK_DIGITS


def _is_joinable(kind: str) -> bool:
    element = array_element(kind)
    return element == "string" or element in _INTEGERS
