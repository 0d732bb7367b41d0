"""One number a column, equal in Spark, PostgreSQL and ClickHouse for equal rows in any order.

Each row adds a term and the terms are summed, so order does not matter and a set of rows can be checked where it
stands. A checksum reads `sum/count`: the sum of the terms of non-NULL values, and how many there were. Every bit of a
value is in its term:

    text, uuid, binary   the first 32 bits of the value's MD5, the one digest all three stores have
    boolean              0 or 1
    integers, date (in days), timestamp (in µs)   the number n, mixed
    decimal              its digits without the point, as a number, mixed; one wider than Spark's the MD5 of its digits
    float, double        the 64 bits of the double, as a number, mixed; all NaN are one
    arrays of text and integers   MD5 of the elements joined by a control character, NULL as another
    arrays of the others          MD5 of the elements' terms joined by commas

Mixed means (n + C)² modulo P: a plain sum would not see one value go up and another go down by the same, which is what
rounding does. Arrays read `sum/count/arrays`: empty ones add no term, and the third number tells them from NULL.

`*` stands for a number that a store cannot say: the sum where PostgreSQL re-writes the text it is given (jsonb, inet,
interval) or a type has no common form, the arrays in ClickHouse, which keeps an empty one for NULL.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from etl.model import Checksums, Column
from etl.statements.numerics import without_zeros
from etl.statements.quoting import clickhouse_column, postgresql_column, spark_identifier
from etl.statements.types import SPARK_DIGITS, array_element

P = 1_000_000_007
"""A prime below 2^30: the sum of 2^33 such terms still fits a signed 64-bit integer."""
C = 618_033_989
"""Any number below P will do: (n + C)² tells n from -n."""

_NAN_BITS = 0x7FF8_0000_0000_0000
_SEPARATOR, _NULL = 31, 30
_LONG_DIGITS = 18

_INTEGERS = {"tinyint", "smallint", "int", "bigint"}
_TEXT_KEPT_BY_POSTGRESQL = re.compile(
    r"text|character varying(\(\d+\))?|character(\(\d+\))?|uuid|name|json|citext|numeric(\(\d+,-?\d+\))?"
)


@dataclass(frozen=True)
class _Term:
    """`value` is summed where `counted` is true; no value: only the count is known. `mixed`: the value is a number n
    whose term is to be made of it."""

    value: str | None
    counted: str
    mixed: bool = False
    is_array: bool = False


def spark_checksum_terms(columns: Sequence[Column]) -> list[str]:
    """What to select first, in Spark SQL: the bits of a double are to be had from Java's own method alone, which is
    not allowed within an aggregate."""
    selected = []
    for position, column in enumerate(columns):
        term = _spark_term(column)
        selected.append(f"CASE WHEN {term.counted} THEN {term.value or '1L'} END AS {_term_name(position)}")
        if term.is_array:
            array = spark_identifier(column.name)
            selected.append(f"CASE WHEN {array} IS NOT NULL THEN 1L END AS {_arrays_name(position)}")
    return selected


def spark_checksum_sums(columns: Sequence[Column]) -> dict[str, str]:
    """Column name → aggregate expression over what `spark_checksum_terms` selects."""
    return {column.name: _spark_sum(_spark_term(column), position) for position, column in enumerate(columns)}


def postgresql_checksum_columns(columns: Sequence[Column], alias: str) -> dict[str, str]:
    """Column name → aggregate expression over `alias`.column in PostgreSQL; the session's zone is UTC."""
    return {column.name: _postgresql_text(column, postgresql_column(alias, column.name)) for column in columns}


def clickhouse_checksum_columns(columns: Sequence[Column], alias: str) -> dict[str, str]:
    """Column name → aggregate expression over `alias`.column in ClickHouse."""
    return {column.name: _clickhouse_text(column, clickhouse_column(alias, column.name)) for column in columns}


def is_summed_by_postgresql(column: Column) -> bool:
    """Whether PostgreSQL's checksum of this column says more than how many values there are."""
    return _postgresql_term(column, "x").value is not None


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
    ours, theirs = one.split("/"), other.split("/")
    pairs = zip(ours, theirs, strict=False)
    return len(ours) == len(theirs) and all("*" in pair or pair[0] == pair[1] for pair in pairs)


def _mixed(number: str) -> str:
    """`number` is within ±P. Said the same in all three."""
    return f"({number} + {C}) * ({number} + {C}) % {P}"


def _is_uuid(column: Column) -> bool:
    return column.postgresql_type.removesuffix("[]") == "uuid"


def _is_padded(column: Column) -> bool:
    """char(n): blanks at the end mean nothing, and PostgreSQL's text has none."""
    return re.fullmatch(r"character(\(\d+\))?", column.postgresql_type) is not None


def _text(column: Column, value: str, trim: str) -> str:
    """Text in the one form of it that every store can give: `trim` is the store's function for blanks at the end."""
    value = f"lower({value})" if _is_uuid(column) else value
    return f"{trim}({value})" if _is_padded(column) else value


def _is_joinable(element: str) -> bool:
    return element == "string" or element in _INTEGERS


def _scale(decimal_type: str) -> int:
    return int(decimal_type.rstrip(")").split(",")[1])


def _digits(decimal_type: str) -> int:
    return int(decimal_type.removeprefix("decimal(").split(",")[0])


def _is_wider_than_spark(kind: str) -> bool:
    """A decimal of the store's own: in Spark it is text."""
    return kind.startswith("decimal") and _digits(kind) > SPARK_DIGITS


# --- Spark ----------------------------------------------------------------------------------------------------------


def _term_name(position: int) -> str:
    return f"_etl_term_{position}"


def _arrays_name(position: int) -> str:
    return f"_etl_arrays_{position}"


def _spark_sum(term: _Term, position: int) -> str:
    name = _term_name(position)
    total = f"coalesce(sum({_mixed(name) if term.mixed else name}), 0)" if term.value else "'*'"
    arrays = f", '/', count({_arrays_name(position)})" if term.is_array else ""
    return f"concat({total}, '/', count({name}){arrays})"


def _spark_term(column: Column) -> _Term:
    name, kind = spark_identifier(column.name), column.spark_type
    if element := array_element(kind):
        return _Term(_spark_array(column, name, element), f"size({name}) > 0", is_array=True)
    present = f"{name} IS NOT NULL"
    if kind in ("string", "binary"):
        return _Term(_spark_digest(_text(column, name, "rtrim")), present)
    if kind == "boolean":
        return _Term(f"cast({name} AS bigint)", present)
    if _is_wider_than_spark(kind):
        return _Term(_spark_digest(without_zeros(name)), present)
    number = _spark_number(name, kind)
    return _Term(number, present, mixed=number is not None)


def _spark_number(value: str, kind: str) -> str | None:
    if kind in _INTEGERS:
        return f"cast({value} AS bigint) % {P}"
    if _is_wider_than_spark(kind):
        return None
    if kind.startswith("decimal"):
        return f"{_spark_digits(value, kind)} % {P}"
    if kind in ("float", "double"):
        bits = f"java_method('java.lang.Double', 'doubleToLongBits', cast({value} AS double))"
        return f"cast({bits} AS bigint) % {P}"
    if kind == "date":
        return f"cast(unix_date({value}) AS bigint) % {P}"
    if kind == "timestamp":
        return f"unix_micros({value}) % {P}"
    return None


def _spark_digits(value: str, kind: str) -> str:
    if _digits(kind) <= _LONG_DIGITS:
        return f"cast({value} * {10 ** _scale(kind)}BD AS bigint)"
    # a product would have more digits than a decimal holds
    return f"cast(replace(cast({value} AS string), '.', '') AS decimal(38,0))"


def _spark_digest(value: str) -> str:
    return f"cast(conv(substring(md5(cast({value} AS binary)), 1, 8), 16, 10) AS bigint)"


def _spark_array(column: Column, name: str, element: str) -> str | None:
    if _is_joinable(element):
        joined = f"array_join({name}, char({_SEPARATOR}), char({_NULL}))"
        return _spark_digest(_text(column, joined, "rtrim"))
    term = _spark_element("x", element)
    if term is None:
        return None
    return _spark_digest(f"array_join(transform({name}, x -> CASE WHEN x IS NOT NULL THEN {term} END), ',', '-')")


def _spark_element(value: str, kind: str) -> str | None:
    if kind == "boolean":
        return f"cast(cast({value} AS bigint) AS string)"
    if kind == "binary":
        return f"cast({_spark_digest(value)} AS string)"
    number = _spark_number(value, kind)
    return f"cast(cast({_mixed(f'({number})')} AS bigint) AS string)" if number else None


# --- PostgreSQL -----------------------------------------------------------------------------------------------------


def _postgresql_text(column: Column, name: str) -> str:
    term = _postgresql_term(column, name)
    counted = f"count(*) FILTER (WHERE {term.counted})::text"
    arrays = f" || '/' || count({name})::text" if term.is_array else ""
    if term.value is None:
        return f"'*/' || {counted}{arrays}"
    value = _mixed(f"({term.value})") if term.mixed else term.value
    return f"coalesce(sum({value}) FILTER (WHERE {term.counted}), 0)::text || '/' || {counted}{arrays}"


def _postgresql_term(column: Column, name: str) -> _Term:
    kind, present = column.spark_type, f"{name} IS NOT NULL"
    if element := array_element(kind):
        if not column.postgresql_type.endswith("[]"):
            return _Term(None, present, is_array=True)
        return _Term(_postgresql_array(column, name, element), f"cardinality({name}) > 0", is_array=True)
    if kind == "string":
        kept = _TEXT_KEPT_BY_POSTGRESQL.fullmatch(column.postgresql_type)
        return _Term(_postgresql_digest(f"{name}::text") if kept else None, present)
    if kind == "binary":
        return _Term(_postgresql_digest(name), present)
    if kind == "boolean":
        return _Term(f"{name}::int", present)
    number = _postgresql_number(name, kind)
    return _Term(number, present, mixed=number is not None)


def _postgresql_number(value: str, kind: str) -> str | None:
    if kind in _INTEGERS:
        return f"{value}::bigint % {P}"
    if _is_wider_than_spark(kind):
        return None
    if kind.startswith("decimal"):
        whole = f"{value}::numeric * {10 ** _scale(kind)}"
        return f"({whole})::bigint % {P}" if _digits(kind) <= _LONG_DIGITS else f"({whole} % {P})::bigint"
    if kind in ("float", "double"):
        bits = f"('x' || encode(float8send({value}), 'hex'))::bit(64)::bigint"
        return f"CASE WHEN {value} = 'NaN' THEN {_NAN_BITS} ELSE {bits} END % {P}"
    if kind == "date":
        return f"({value} - DATE '1970-01-01')::bigint % {P}"
    if kind == "timestamp":
        return f"(extract(epoch FROM {value}) * 1000000)::bigint % {P}"
    return None


def _postgresql_digest(value: str) -> str:
    return f"('x' || substr(md5({value}), 1, 8))::bit(32)::bigint"


def _postgresql_array(column: Column, name: str, element: str) -> str | None:
    declared = column.postgresql_type.removesuffix("[]")
    # char(n) among them: its elements are filled up with blanks here, and nowhere else
    is_rewritten = not _TEXT_KEPT_BY_POSTGRESQL.fullmatch(declared) or declared.partition("(")[0] == "character"
    if element == "string" and is_rewritten:
        return None
    if _is_joinable(element):
        return _postgresql_digest(f"array_to_string({name}, chr({_SEPARATOR}), chr({_NULL}))")
    term = _postgresql_element("u.e", element)
    if term is None:
        return None
    joined = f"string_agg(coalesce(CASE WHEN u.e IS NOT NULL THEN {term} END, '-'), ',' ORDER BY u.o)"
    return _postgresql_digest(f"(SELECT {joined} FROM unnest({name}) WITH ORDINALITY AS u (e, o))")


def _postgresql_element(value: str, kind: str) -> str | None:
    if kind == "boolean":
        return f"{value}::int::text"
    if kind == "binary":
        return f"({_postgresql_digest(value)})::text"
    number = _postgresql_number(value, kind)
    return f"({_mixed(f'({number})')})::text" if number else None


# --- ClickHouse -----------------------------------------------------------------------------------------------------


def _clickhouse_text(column: Column, name: str) -> str:
    term = _clickhouse_term(column, name)
    counted = f"toString(countIf({term.counted}))"
    arrays = ", '/*'" if term.is_array else ""
    if term.value is None:
        return f"concat('*/', {counted}{arrays})"
    value = _mixed(f"({term.value})") if term.mixed else term.value
    return f"concat(toString(ifNull(sumIf({value}, {term.counted}), 0)), '/', {counted}{arrays})"


def _clickhouse_term(column: Column, name: str) -> _Term:
    kind = column.spark_type
    if element := array_element(kind):
        return _Term(_clickhouse_array(column, name, element), f"notEmpty({name})", is_array=True)
    present = f"isNotNull({name})"
    if kind in ("string", "binary"):
        return _Term(_clickhouse_digest(f"assumeNotNull({_text(column, name, 'trimRight')})"), present)
    if kind == "boolean":
        return _Term(f"toInt64({name})", present)
    if _is_wider_than_spark(kind):
        return _Term(_clickhouse_digest(_clickhouse_digits(f"toString(assumeNotNull({name}))")), present)
    number = _clickhouse_number(name, kind)
    return _Term(number, present, mixed=number is not None)


def _clickhouse_number(value: str, kind: str) -> str | None:
    if kind in _INTEGERS:
        return f"toInt64({value}) % {P}"
    if _is_wider_than_spark(kind):
        return None
    if kind.startswith("decimal"):
        return f"toInt64(reinterpretAsInt256(toDecimal256({value}, {_scale(kind)})) % {P})"
    if kind in ("float", "double"):
        bits = f"reinterpretAsInt64(toFloat64({value}))"
        return f"toInt64(if(isNaN({value}), {_NAN_BITS}, {bits}) % {P})"
    if kind == "date":
        return f"toInt64(toDate32({value})) % {P}"
    if kind == "timestamp":
        return f"toUnixTimestamp64Micro(toDateTime64({value}, 6, 'UTC')) % {P}"
    return None


def _clickhouse_digest(value: str) -> str:
    return f"toInt64(reinterpretAsUInt32(reverse(substring(MD5({value}), 1, 4))))"


def _clickhouse_digits(text: str) -> str:
    """Without the zeros that a decimal's text may end in, as statements/numerics.py spells them."""
    return f"if(position({text}, '.') > 0, replaceRegexpOne({text}, '[.]?0+$', ''), {text})"


def _clickhouse_array(column: Column, name: str, element: str) -> str | None:
    if _is_joinable(element):
        texts = f"arrayMap(x -> ifNull(toString(x), char({_NULL})), {name})"
        joined = f"arrayStringConcat({texts}, char({_SEPARATOR}))"
        return _clickhouse_digest(_text(column, joined, "trimRight"))
    term = _clickhouse_element("assumeNotNull(x)", element)
    if term is None:
        return None
    return _clickhouse_digest(f"arrayStringConcat(arrayMap(x -> if(isNull(x), '-', {term}), {name}), ',')")


def _clickhouse_element(value: str, kind: str) -> str | None:
    if kind == "boolean":
        return f"toString(toInt64({value}))"
    if kind == "binary":
        return f"toString({_clickhouse_digest(value)})"
    number = _clickhouse_number(value, kind)
    return f"toString({_mixed(f'({number})')})" if number else None
