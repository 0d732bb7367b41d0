"""What a Parquet file says of its columns where Arrow's reader leaves it out: an annotation that becomes plain bytes.

An ENUM is text, an INTERVAL is one, and what neither Arrow nor PostgreSQL knows (a geometry, an extension type that is
not registered) is an opaque type of its name, so that bytes never stand in for it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

INTERVAL = pa.month_day_nano_interval()

_EXTENSION_NAME = b"ARROW:extension:name"
_OPAQUE = ("Geometry", "Geography", "Variant")


class IntervalError(Exception):
    """Months or days beyond 32 bits with a sign; `position` of the first."""

    def __init__(self, position: int) -> None:
        super().__init__("months or days beyond what an interval holds")
        self.position = position


def described_schema(file: pq.ParquetFile) -> pa.Schema:
    """The file's Arrow schema with the types that its columns are meant to be."""
    schema = file.schema  # which is made anew each time it is asked for
    leaves = (schema.column(place) for place in range(len(schema)))
    return pa.schema([field.with_type(_described(field, leaves)) for field in file.schema_arrow])


def as_described(array: pa.Array, arrow_type: pa.DataType) -> pa.Array:
    """The array as Arrow read it, in the described type. Raises IntervalError."""
    if array.type == arrow_type or isinstance(arrow_type, pa.OpaqueType):
        return array
    return _intervals(array) if arrow_type == INTERVAL else array.cast(arrow_type, safe=False)


def _described(field: pa.Field, leaves: Iterator[pq.ColumnSchema]) -> pa.DataType:
    """Takes as many leaves as the field has."""
    arrow_type = field.type
    if isinstance(arrow_type, pa.BaseExtensionType):
        _described(pa.field("", arrow_type.storage_type), leaves)
        return arrow_type
    described = _nested(arrow_type, leaves) if pa.types.is_nested(arrow_type) else _leaf(arrow_type, next(leaves))
    name = (field.metadata or {}).get(_EXTENSION_NAME)
    return pa.opaque(described, name.decode(errors="replace"), "unknown") if name else described


def _leaf(arrow_type: pa.DataType, column: pq.ColumnSchema) -> pa.DataType:
    logical = str(column.logical_type)
    if column.converted_type == "INTERVAL":
        return INTERVAL
    if column.converted_type == "ENUM" and pa.types.is_binary(arrow_type):
        return pa.string()
    if logical.startswith(_OPAQUE):
        return pa.opaque(arrow_type, logical.partition("(")[0].lower(), "parquet")
    return arrow_type


def _nested(arrow_type: pa.DataType, leaves: Iterator[pq.ColumnSchema]) -> pa.DataType:
    """The same nesting; as it was where none of its leaves is another type than Arrow says."""
    fields = [arrow_type.field(place) for place in range(arrow_type.num_fields)]
    described = [field.with_type(_described(field, leaves)) for field in fields]
    if described == fields:
        return arrow_type
    if pa.types.is_struct(arrow_type):
        return pa.struct(described)
    if pa.types.is_map(arrow_type):
        pair = described[0].type
        return pa.map_(pair.field(0), pair.field(1))
    if pa.types.is_fixed_size_list(arrow_type):
        return pa.list_(described[0], arrow_type.list_size)
    return pa.large_list(described[0]) if pa.types.is_large_list(arrow_type) else pa.list_(described[0])


def _intervals(array: pa.FixedSizeBinaryArray) -> pa.Array:
    """Twelve bytes of months, days and milliseconds, none of them with a sign."""
    width = np.dtype([("months", "<u4"), ("days", "<u4"), ("milliseconds", "<u4")])
    read = np.frombuffer(array.buffers()[1], dtype=width, count=array.offset + len(array))[array.offset :]
    is_valid = array.is_valid().to_numpy(zero_copy_only=False)
    is_bad = is_valid & ((read["months"] > np.iinfo(np.int32).max) | (read["days"] > np.iinfo(np.int32).max))
    if is_bad.any():
        raise IntervalError(int(np.flatnonzero(is_bad)[0]))
    values = np.zeros(len(array), dtype=[("months", "<i4"), ("days", "<i4"), ("nanoseconds", "<i8")])
    values["months"], values["days"] = read["months"], read["days"]
    values["nanoseconds"] = read["milliseconds"].astype(np.int64) * 1_000_000
    validity = pa.py_buffer(np.packbits(is_valid, bitorder="little"))
    return pa.Array.from_buffers(INTERVAL, len(array), [validity, pa.py_buffer(values)])
