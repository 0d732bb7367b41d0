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

from collections.abc import Sequence
from dataclasses import dataclass

from etl.model import Checksums, Column
from etl.postgresql_types import base_type
from etl.statements.checksum_values import (
    CLICKHOUSE,
    INTEGERS,
    POSTGRESQL,
    SPARK,
    boolean_of,
    digest_of,
    element_of,
    is_wider_than_spark,
    mixed,
    number_of,
)
from etl.statements.numerics import without_zeros
from etl.statements.quoting import clickhouse_column, postgresql_column, spark_identifier
from etl.statements.types import array_element

_SEPARATOR, _NULL = 31, 30
_TEXT_KEPT_BY_POSTGRESQL = frozenset(
    {"text", "character varying", "character", "uuid", "name", "json", "citext", "numeric"}
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


def _is_uuid(column: Column) -> bool:
    return column.postgresql_type.removesuffix("[]") == "uuid"


def _is_padded(column: Column) -> bool:
    """char(n): blanks at the end mean nothing, and PostgreSQL's text has none."""
    return base_type(column.postgresql_type) == "character"


def _text(column: Column, value: str, trim: str) -> str:
    """Text in the one form of it that every store can give: `trim` is the store's function for blanks at the end."""
    value = f"lower({value})" if _is_uuid(column) else value
    return f"{trim}({value})" if _is_padded(column) else value


def _is_joinable(element: str) -> bool:
    return element == "string" or element in INTEGERS


# --- Spark ----------------------------------------------------------------------------------------------------------


def _term_name(position: int) -> str:
    return f"_etl_term_{position}"


def _arrays_name(position: int) -> str:
    return f"_etl_arrays_{position}"


def _spark_sum(term: _Term, position: int) -> str:
    name = _term_name(position)
    total = f"coalesce(sum({mixed(name) if term.mixed else name}), 0)" if term.value else "'*'"
    arrays = f", '/', count({_arrays_name(position)})" if term.is_array else ""
    return f"concat({total}, '/', count({name}){arrays})"


def _spark_term(column: Column) -> _Term:
    name, kind = spark_identifier(column.name), column.spark_type
    if element := array_element(kind):
        return _Term(_spark_array(column, name, element), f"size({name}) > 0", is_array=True)
    present = f"{name} IS NOT NULL"
    if kind in ("string", "binary"):
        return _Term(digest_of(SPARK, _text(column, name, "rtrim")), present)
    if kind == "boolean":
        return _Term(boolean_of(SPARK, name), present)
    if is_wider_than_spark(kind):
        return _Term(digest_of(SPARK, without_zeros(name)), present)
    number = number_of(SPARK, name, kind)
    return _Term(number, present, mixed=number is not None)


def _spark_array(column: Column, name: str, element: str) -> str | None:
    if _is_joinable(element):
        joined = f"array_join({name}, char({_SEPARATOR}), char({_NULL}))"
        return digest_of(SPARK, _text(column, joined, "rtrim"))
    term = element_of(SPARK, "x", element)
    if term is None:
        return None
    return digest_of(SPARK, f"array_join(transform({name}, x -> CASE WHEN x IS NOT NULL THEN {term} END), ',', '-')")


# --- PostgreSQL -----------------------------------------------------------------------------------------------------


def _postgresql_text(column: Column, name: str) -> str:
    term = _postgresql_term(column, name)
    counted = f"count(*) FILTER (WHERE {term.counted})::text"
    arrays = f" || '/' || count({name})::text" if term.is_array else ""
    if term.value is None:
        return f"'*/' || {counted}{arrays}"
    value = mixed(f"({term.value})") if term.mixed else term.value
    return f"coalesce(sum({value}) FILTER (WHERE {term.counted}), 0)::text || '/' || {counted}{arrays}"


def _postgresql_term(column: Column, name: str) -> _Term:
    kind, present = column.spark_type, f"{name} IS NOT NULL"
    if element := array_element(kind):
        if not column.postgresql_type.endswith("[]"):
            return _Term(None, present, is_array=True)
        return _Term(_postgresql_array(column, name, element), f"cardinality({name}) > 0", is_array=True)
    if kind == "string":
        kept = base_type(column.postgresql_type) in _TEXT_KEPT_BY_POSTGRESQL
        return _Term(digest_of(POSTGRESQL, f"{name}::text") if kept else None, present)
    if kind == "binary":
        return _Term(digest_of(POSTGRESQL, name), present)
    if kind == "boolean":
        return _Term(boolean_of(POSTGRESQL, name), present)
    number = number_of(POSTGRESQL, name, kind)
    return _Term(number, present, mixed=number is not None)


def _postgresql_array(column: Column, name: str, element: str) -> str | None:
    declared = column.postgresql_type.removesuffix("[]")
    # char(n) among them: its elements are filled up with blanks here, and nowhere else
    is_rewritten = base_type(declared) not in _TEXT_KEPT_BY_POSTGRESQL or base_type(declared) == "character"
    if element == "string" and is_rewritten:
        return None
    if _is_joinable(element):
        return digest_of(POSTGRESQL, f"array_to_string({name}, chr({_SEPARATOR}), chr({_NULL}))")
    term = element_of(POSTGRESQL, "u.e", element)
    if term is None:
        return None
    joined = f"string_agg(coalesce(CASE WHEN u.e IS NOT NULL THEN {term} END, '-'), ',' ORDER BY u.o)"
    return digest_of(POSTGRESQL, f"(SELECT {joined} FROM unnest({name}) WITH ORDINALITY AS u (e, o))")


# --- ClickHouse -----------------------------------------------------------------------------------------------------


def _clickhouse_text(column: Column, name: str) -> str:
    term = _clickhouse_term(column, name)
    counted = f"toString(countIf({term.counted}))"
    arrays = ", '/*'" if term.is_array else ""
    if term.value is None:
        return f"concat('*/', {counted}{arrays})"
    value = mixed(f"({term.value})") if term.mixed else term.value
    return f"concat(toString(ifNull(sumIf({value}, {term.counted}), 0)), '/', {counted}{arrays})"


def _clickhouse_term(column: Column, name: str) -> _Term:
    kind = column.spark_type
    if element := array_element(kind):
        return _Term(_clickhouse_array(column, name, element), f"notEmpty({name})", is_array=True)
    present = f"isNotNull({name})"
    if kind in ("string", "binary"):
        return _Term(digest_of(CLICKHOUSE, f"assumeNotNull({_text(column, name, 'trimRight')})"), present)
    if kind == "boolean":
        return _Term(boolean_of(CLICKHOUSE, name), present)
    if is_wider_than_spark(kind):
        return _Term(digest_of(CLICKHOUSE, _clickhouse_digits(f"toString(assumeNotNull({name}))")), present)
    number = number_of(CLICKHOUSE, name, kind)
    return _Term(number, present, mixed=number is not None)


def _clickhouse_digits(text: str) -> str:
    """Without the zeros that a decimal's text may end in, as statements/numerics.py spells them."""
    return f"if(position({text}, '.') > 0, replaceRegexpOne({text}, '[.]?0+$', ''), {text})"


def _clickhouse_array(column: Column, name: str, element: str) -> str | None:
    if _is_joinable(element):
        texts = f"arrayMap(x -> ifNull(toString(x), char({_NULL})), {name})"
        joined = f"arrayStringConcat({texts}, char({_SEPARATOR}))"
        return digest_of(CLICKHOUSE, _text(column, joined, "trimRight"))
    term = element_of(CLICKHOUSE, "assumeNotNull(x)", element)
    if term is None:
        return None
    return digest_of(CLICKHOUSE, f"arrayStringConcat(arrayMap(x -> if(isNull(x), '-', {term}), {name}), ',')")
