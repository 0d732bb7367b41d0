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

from etl.model import Checksums, Column
from etl.statements.checksum_stores import IN_CLICKHOUSE, IN_POSTGRESQL, IN_SPARK, Store, Term, is_joinable
from etl.statements.checksum_values import boolean_of, digest_of, element_of, is_wider_than_spark, mixed, number_of
from etl.statements.quoting import clickhouse_column, postgresql_column, spark_identifier
from etl.statements.types import array_element


def spark_checksum_terms(columns: Sequence[Column]) -> list[str]:
    """What to select first, in Spark SQL: the bits of a double are to be had from Java's own method alone, which is
    not allowed within an aggregate."""
    selected = []
    for position, column in enumerate(columns):
        term = _term(IN_SPARK, column, spark_identifier(column.name))
        selected.append(f"CASE WHEN {term.counted} THEN {term.value or '1L'} END AS {_term_name(position)}")
        if term.is_array:
            array = spark_identifier(column.name)
            selected.append(f"CASE WHEN {array} IS NOT NULL THEN 1L END AS {_arrays_name(position)}")
    return selected


def spark_checksum_sums(columns: Sequence[Column]) -> dict[str, str]:
    """Column name → aggregate expression over what `spark_checksum_terms` selects."""
    return {column.name: _spark_sum(column, position) for position, column in enumerate(columns)}


def postgresql_checksum_columns(columns: Sequence[Column], alias: str) -> dict[str, str]:
    """Column name → aggregate expression over `alias`.column in PostgreSQL; the session's zone is UTC."""
    return {column.name: _postgresql_text(column, postgresql_column(alias, column.name)) for column in columns}


def clickhouse_checksum_columns(columns: Sequence[Column], alias: str) -> dict[str, str]:
    """Column name → aggregate expression over `alias`.column in ClickHouse."""
    return {column.name: _clickhouse_text(column, clickhouse_column(alias, column.name)) for column in columns}


def is_summed_by_postgresql(column: Column) -> bool:
    """Whether PostgreSQL's checksum of this column says more than how many values there are."""
    return _term(IN_POSTGRESQL, column, "x").value is not None


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


def _term(store: Store, column: Column, name: str) -> Term:
    """What the column's type means for its term, in every store."""
    kind = column.spark_type
    present = store.present.format(v=name)
    if element := array_element(kind):
        if not store.is_array(column):
            return Term(None, present, is_array=True)
        text = _array_text(store, column, name, element)
        return Term(_digest(store, text), store.filled.format(v=name), is_array=True)
    if kind in ("string", "binary"):
        return Term(_digest(store, store.text(column, name)), present)
    if kind == "boolean":
        return Term(boolean_of(store.place, name), present)
    if is_wider_than_spark(kind):
        return Term(_digest(store, store.digits(name)), present)
    number = number_of(store.place, name, kind)
    return Term(number, present, mixed=number is not None)


def _array_text(store: Store, column: Column, name: str, element: str) -> str | None:
    if is_joinable(element):
        return store.joined(column, name)
    term = element_of(store.place, store.element, element)
    return None if term is None else store.listed.format(v=name, term=term)


def _digest(store: Store, text: str | None) -> str | None:
    return None if text is None else digest_of(store.place, text)


def _term_name(position: int) -> str:
    return f"_etl_term_{position}"


def _arrays_name(position: int) -> str:
    return f"_etl_arrays_{position}"


def _spark_sum(column: Column, position: int) -> str:
    term, name = _term(IN_SPARK, column, spark_identifier(column.name)), _term_name(position)
    total = f"coalesce(sum({mixed(name) if term.mixed else name}), 0)" if term.value else "'*'"
    arrays = f", '/', count({_arrays_name(position)})" if term.is_array else ""
    return f"concat({total}, '/', count({name}){arrays})"


def _postgresql_text(column: Column, name: str) -> str:
    term = _term(IN_POSTGRESQL, column, name)
    counted = f"count(*) FILTER (WHERE {term.counted})::text"
    arrays = f" || '/' || count({name})::text" if term.is_array else ""
    if term.value is None:
        return f"'*/' || {counted}{arrays}"
    value = mixed(f"({term.value})") if term.mixed else term.value
    return f"coalesce(sum({value}) FILTER (WHERE {term.counted}), 0)::text || '/' || {counted}{arrays}"


def _clickhouse_text(column: Column, name: str) -> str:
    term = _term(IN_CLICKHOUSE, column, name)
    counted = f"toString(countIf({term.counted}))"
    arrays = ", '/*'" if term.is_array else ""
    if term.value is None:
        return f"concat('*/', {counted}{arrays})"
    value = mixed(f"({term.value})") if term.mixed else term.value
    return f"concat(toString(ifNull(sumIf({value}, {term.counted}), 0)), '/', {counted}{arrays})"
