"""One number a column, equal in Spark, PostgreSQL and ClickHouse for equal rows in any order.

Each row adds a term and the terms are summed, so order does not matter and a set of rows can be checked where it
stands. A checksum reads `sum/count`: the sum of the terms of non-NULL values, and how many there were. Every bit of a
value is in its term:

    text, uuid, binary   two sums, `crc32/md5/count`: of CRC32s, scattered, and of the first 32 bits of MD5s
    boolean              0 or 1
    integers, date (in days), timestamp (in µs)   the number n, mixed
    decimal              its digits without the point, as a number, mixed; one wider than Spark's its digits as a text
    float, double        the 64 bits of the double, as a number, mixed; all NaN are one
    arrays of text and integers   the elements joined by a control character, NULL as another, as a text
    arrays of the others          the elements' terms joined by commas, as a text

Mixed means (n + C)² modulo P: a plain sum would not see one value go up and another go down by the same, which is what
rounding does. Scattered means n plus n mixed, modulo 2^32: of CRC32s alone, values that change in the same bits may
make up for one another. Changed values leave a sum as it was with odds of about 2^-29 for mixed numbers and
about 2^-31 for digests; one changed within 32 bits in a row is always another CRC32. No store sums both digests:
ClickHouse takes CRC32, which costs it a sixth of MD5, PostgreSQL MD5, since it has no CRC32 before version 18. Values
that two rows have exchanged within one column leave its checksum as it is.

Arrays read `sum/count/arrays`: empty ones add no term, and the third number tells them from NULL.

`*` stands for a number that a store cannot say or was not asked for: the other digest, the sum where PostgreSQL
re-writes the text it is given (jsonb, inet, interval) or a type has no common form, the arrays in ClickHouse, which
keeps an empty one for NULL.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from etl.model import Checksums, Column, Digest
from etl.statements.checksum_stores import (
    IN_CLICKHOUSE,
    IN_POSTGRESQL,
    IN_SPARK,
    Addend,
    Store,
    Term,
    is_joinable,
)
from etl.statements.checksum_values import (
    boolean_of,
    digest_of,
    element_of,
    is_wider_than_spark,
    mixed,
    number_of,
    scattered,
)
from etl.statements.quoting import clickhouse_column, postgresql_column, spark_identifier
from etl.statements.types import array_element

ALL_DIGESTS = frozenset(Digest)


def spark_checksum_terms(columns: Sequence[Column], digests: Collection[Digest] = ALL_DIGESTS) -> list[str]:
    """What to select first, in Spark SQL: the bits of a double are to be had from Java's own method alone, which is
    not allowed within an aggregate."""
    selected = []
    for position, column in enumerate(columns):
        term = _spark_term(column, digests)
        for number, addend in enumerate(term.addends):
            value = addend.value if addend else "1L"
            if addend or not number:
                selected.append(f"CASE WHEN {term.counted} THEN {value} END AS {_addend_name(position, number)}")
        if term.is_array:
            array = spark_identifier(column.name)
            selected.append(f"CASE WHEN {array} IS NOT NULL THEN 1L END AS {_arrays_name(position)}")
    return selected


def spark_checksum_sums(columns: Sequence[Column], digests: Collection[Digest] = ALL_DIGESTS) -> dict[str, str]:
    """Column name → aggregate expression over what `spark_checksum_terms` selects."""
    return {column.name: _spark_text(_spark_term(column, digests), position) for position, column in enumerate(columns)}


def postgresql_checksum_columns(columns: Sequence[Column], alias: str) -> dict[str, str]:
    """Column name → aggregate expression over `alias`.column in PostgreSQL; the session's zone is UTC."""
    return {column.name: _postgresql_text(column, postgresql_column(alias, column.name)) for column in columns}


def clickhouse_checksum_columns(columns: Sequence[Column], alias: str) -> dict[str, str]:
    """Column name → aggregate expression over `alias`.column in ClickHouse."""
    return {column.name: _clickhouse_text(column, clickhouse_column(alias, column.name)) for column in columns}


def is_summed_by_postgresql(column: Column) -> bool:
    """Whether PostgreSQL's checksum of this column says more than how many values there are."""
    return any(_term(IN_POSTGRESQL, column, "x").addends)


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


def _spark_term(column: Column, digests: Collection[Digest]) -> Term:
    return _term(replace(IN_SPARK, digests=frozenset(digests)), column, spark_identifier(column.name))


def _term(store: Store, column: Column, name: str) -> Term:
    """What the column's type means for its term, in every store."""
    kind = column.spark_type
    present = store.present.format(v=name)
    if element := array_element(kind):
        if not store.is_array(column):
            return Term(_digests(store, None), present, is_array=True)
        text = _array_text(store, column, name, element)
        return Term(_digests(store, text), store.filled.format(v=name), is_array=True)
    if kind in ("string", "binary"):
        return Term(_digests(store, store.text(column, name)), present)
    if kind == "boolean":
        return Term((Addend(boolean_of(store.place, name)),), present)
    if is_wider_than_spark(kind):
        return Term(_digests(store, store.digits(name)), present)
    number = number_of(store.place, name, kind)
    return Term((Addend(number, mixed) if number else None,), present)


def _array_text(store: Store, column: Column, name: str, element: str) -> str | None:
    if is_joinable(element):
        return store.joined(column, name)
    term = element_of(store.place, store.element, element)
    return None if term is None else store.listed.format(v=name, term=term)


def _digests(store: Store, text: str | None) -> tuple[Addend | None, ...]:
    found = {digest: digest_of(store.place, digest, text) for digest in store.digests} if text else {}
    crc32, md5 = found.get(Digest.CRC32), found.get(Digest.MD5)
    return Addend(crc32, scattered) if crc32 else None, Addend(md5) if md5 else None


def _addend_name(position: int, number: int) -> str:
    return f"_etl_term_{position}_{number}"


def _arrays_name(position: int) -> str:
    return f"_etl_arrays_{position}"


def _spark_text(term: Term, position: int) -> str:
    names = [_addend_name(position, number) for number in range(len(term.addends))]
    sums = [
        f"coalesce(sum({addend.added(name)}), 0)" if addend else "'*'"
        for addend, name in zip(term.addends, names, strict=True)
    ]
    arrays = [f"count({_arrays_name(position)})"] if term.is_array else []
    return f"concat_ws('/', {', '.join([*sums, f'count({names[0]})', *arrays])})"


def _postgresql_text(column: Column, name: str) -> str:
    term = _term(IN_POSTGRESQL, column, name)
    sums = [
        f"coalesce(sum({addend.added(f'({addend.value})')}) FILTER (WHERE {term.counted}), 0)::text"
        if addend
        else "'*'"
        for addend in term.addends
    ]
    arrays = [f"count({name})::text"] if term.is_array else []
    return " || '/' || ".join([*sums, f"count(*) FILTER (WHERE {term.counted})::text", *arrays])


def _clickhouse_text(column: Column, name: str) -> str:
    term = _term(IN_CLICKHOUSE, column, name)
    sums = [
        f"toString(ifNull(sumIf({addend.added(f'({addend.value})')}, {term.counted}), 0))" if addend else "'*'"
        for addend in term.addends
    ]
    arrays = ["'*'"] if term.is_array else []
    separator = ", '/', "
    return f"concat({separator.join([*sums, f'toString(countIf({term.counted}))', *arrays])})"
