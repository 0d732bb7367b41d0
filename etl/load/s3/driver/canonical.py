"""Columns in which equal means the same in every bit, as Spark's lane means it (statements/spark_values.identity)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from etl.arrow.whole import whole

_BITS = {pa.float32(): pa.int32(), pa.float64(): pa.int64()}


def canonical(rows: pa.Table) -> pa.Table:
    """The same columns: of floats their bits (0 is not -0, all NaN are one), of nested values their text."""
    return pa.table([_canonical(whole(each)) for each in rows.columns], names=rows.column_names)


def keys_of(rows: pa.Table, key: Sequence[str]) -> list[tuple[Hashable, ...]]:
    """The key of each row; NULL is None."""
    if not rows.num_rows:
        return []
    return list(zip(*(rows.column(name).to_pylist() for name in key), strict=True))


def equal_rows(ours: pa.Table, theirs: pa.Table) -> pa.Array:
    """Of each pair of canonical rows whether they are the same; NULL equals NULL."""
    result = pa.array([True] * ours.num_rows, pa.bool_())
    for name in ours.column_names:
        result = pc.and_(result, _equal(ours.column(name), theirs.column(name)))
    return whole(result)


def differing_columns(ours: pa.Table, theirs: pa.Table) -> list[tuple[str, int]]:
    """Of canonical rows side by side: each column that differs, and in how many rows."""
    found = ((name, _unequal(ours.column(name), theirs.column(name))) for name in ours.column_names)
    return [(name, count) for name, count in found if count]


def _unequal(ours: pa.ChunkedArray, theirs: pa.ChunkedArray) -> int:
    return len(ours) - int(pc.sum(_equal(ours, theirs)).as_py() or 0)


def _equal(ours: pa.ChunkedArray, theirs: pa.ChunkedArray) -> pa.ChunkedArray:
    both_null = pc.and_(pc.is_null(ours), pc.is_null(theirs))
    return pc.or_(both_null, pc.fill_null(pc.equal(ours, theirs), False))


def _canonical(column: pa.Array) -> pa.Array:
    kind = column.type
    if bits := _BITS.get(kind):
        one_nan = pc.if_else(pc.is_nan(column), pa.scalar(float("nan"), kind), column)
        return one_nan.view(bits)
    if pa.types.is_nested(kind):
        values = column.view(_plain(kind)).to_pylist()
        return pa.array([None if value is None else repr(value) for value in values], pa.string())
    return column


def _plain(kind: pa.DataType) -> pa.DataType:
    """The same layout with numbers for times, which Python's own cannot all hold."""
    if pa.types.is_map(kind):
        return pa.map_(_plain(kind.key_type), _plain(kind.item_type))
    if pa.types.is_list(kind):
        return pa.list_(_plain(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain(field.type)) for field in kind])
    if pa.types.is_timestamp(kind):
        return pa.int64()
    return pa.int32() if pa.types.is_date32(kind) else kind
