"""Arrow arrays of few kinds: whatever a file holds, in the widths and units that the rest computes with."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl.arrow.types import Kind, kind_of

Numbers = npt.NDArray[np.int64]

_NUL = re.compile(rb"\0")
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


class BadValues(Exception):
    """Values of one array that cannot travel: all that one check found, by position."""

    def __init__(self, positions: npt.NDArray[Any], expected: str) -> None:
        super().__init__(expected)
        self.positions = positions
        self.expected = expected


def refuse_where(is_bad: npt.NDArray[np.bool_], expected: str) -> None:
    """Raises BadValues where any is."""
    if is_bad.any():
        raise BadValues(np.flatnonzero(is_bad), expected)


def canonical(array: pa.Array) -> pa.Array:
    """The same values as int64, uint64, float32, float64, bool, decimal128, decimal256, string, large_string, binary,
    large_binary, fixed_size_binary, date32, month_day_nano_interval, or time64, timestamp and duration in microseconds;
    nested ones as they are.

    Raises BadValues for what PostgreSQL's microseconds cannot hold and for U+0000 in a text.
    """
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = kind_of(array.type)
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    converter = _CONVERTERS.get(kind)
    return converter(array) if converter else array


def numbers(array: pa.Array) -> Numbers:
    """A fixed-width array's 64-bit integers, 0 where it has NULL."""
    whole = array.view(pa.int64())
    return np.asarray(whole.fill_null(0) if whole.null_count else whole)


def months_days_microseconds(array: pa.Array) -> npt.NDArray[Any]:
    """Of intervals, 0 where NULL; none has a part of a microsecond, for Parquet's count milliseconds."""
    width = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanoseconds", "<i8")])
    read = np.frombuffer(array.buffers()[1], dtype=width, count=array.offset + len(array))[array.offset :]
    parts = np.zeros(len(array), dtype=[("months", "<i4"), ("days", "<i4"), ("microseconds", "<i8")])
    parts["months"], parts["days"], parts["microseconds"] = read["months"], read["days"], read["nanoseconds"] // 1_000
    parts[~array.is_valid().to_numpy(zero_copy_only=False)] = 0
    return parts


def with_nulls_of(array: pa.Array, arrow_type: pa.DataType, values: npt.NDArray[Any]) -> pa.Array:
    """An array of these values and the other's NULLs."""
    validity = None
    if array.null_count:
        is_valid = array.is_valid().to_numpy(zero_copy_only=False)
        validity = pa.py_buffer(np.packbits(is_valid, bitorder="little"))
    return pa.Array.from_buffers(arrow_type, len(array), [validity, pa.py_buffer(np.ascontiguousarray(values))])


def as_pairs(array: pa.MapArray) -> pa.ListArray:
    """A map as the list it is, which Arrow's functions for lists take."""
    pair = pa.struct([("key", array.type.key_type), ("value", array.type.item_type)])
    return array.cast(pa.list_(pair))


def _booleans(array: pa.Array) -> pa.Array:
    """arrow.bool8 is stored as a number."""
    return array if pa.types.is_boolean(array.type) else array.cast(pa.bool_())


def _integers(array: pa.Array) -> pa.Array:
    return array if array.type == pa.uint64() else array.cast(pa.int64())


def _floats(array: pa.Array) -> pa.Array:
    return array.cast(pa.float32()) if array.type == pa.float16() else array


def _decimals(array: pa.Array) -> pa.Array:
    if pa.types.is_decimal128(array.type) or pa.types.is_decimal256(array.type):
        return array
    return array.cast(pa.decimal128(array.type.precision, array.type.scale))


def _texts(array: pa.Array) -> pa.Array:
    text = array.cast(pa.large_string()) if pa.types.is_string_view(array.type) else array
    _refuse_invalid(text)
    _refuse_nul(text)
    return text


def _refuse_invalid(text: pa.Array) -> None:
    """Parquet's readers take any bytes for text."""
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        values = text.cast(pa.large_binary()).to_pylist()
        refuse_where(np.array([not is_utf8(value or b"") for value in values], dtype=np.bool_), "a text in UTF-8")
        raise


def is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _refuse_nul(text: pa.Array) -> None:
    """Looks at the bytes first: a search of each value costs far more, and hardly any file has one."""
    if len(text) and _NUL.search(_value_bytes(text)):
        found = pc.match_substring(text, "\0").fill_null(False).to_numpy(zero_copy_only=False)
        refuse_where(found, "a text without U+0000, which PostgreSQL cannot store")


def _value_bytes(text: pa.Array) -> memoryview:
    _, offsets, values = text.buffers()
    width = np.dtype(np.int32 if pa.types.is_string(text.type) else np.int64)
    bounds = np.frombuffer(offsets, dtype=width)
    start, end = int(bounds[text.offset]), int(bounds[text.offset + len(text)])
    return memoryview(values.slice(start, end - start) if values is not None else b"")


def _binaries(array: pa.Array) -> pa.Array:
    return array.cast(pa.large_binary()) if pa.types.is_binary_view(array.type) else array


def _dates(array: pa.Array) -> pa.Array:
    if array.type == pa.date32():
        return array
    milliseconds = numbers(array)
    refuse_where(milliseconds % 86_400_000 != 0, "a date64 of whole days")
    return with_nulls_of(array, pa.date32(), (milliseconds // 86_400_000).astype(np.int32))


def _times(array: pa.Array) -> pa.Array:
    if pa.types.is_time32(array.type):
        array = array.cast(pa.time64("us"))
    micros = microseconds(array)
    refuse_where((micros < 0) | (micros > 86_400_000_000), "a time between 00:00 and 24:00")
    return with_nulls_of(array, pa.time64("us"), micros)


def _timestamps(array: pa.Array) -> pa.Array:
    micros = microseconds(array)
    return with_nulls_of(array, pa.timestamp("us", tz=array.type.tz), micros)


def _durations(array: pa.Array) -> pa.Array:
    return with_nulls_of(array, pa.duration("us"), microseconds(array))


def microseconds(array: pa.Array) -> Numbers:
    """Raises BadValues for nanoseconds that are no whole microseconds, and for what exceeds 64 bits."""
    values, per_second = numbers(array), _PER_SECOND[array.type.unit]
    if per_second > 1_000_000:
        refuse_where(values % 1_000 != 0, "whole microseconds, the finest that PostgreSQL stores")
        return values // 1_000
    factor = 1_000_000 // per_second
    limit = np.iinfo(np.int64).max // factor
    refuse_where((values > limit) | (values < -limit), "a time in PostgreSQL's range")
    return values * factor if factor > 1 else values


def _nulls(array: pa.Array) -> pa.Array:
    return array.cast(pa.string())


_CONVERTERS: dict[Kind, Callable[[pa.Array], pa.Array]] = {
    Kind.BOOLEAN: _booleans,
    Kind.INTEGER: _integers,
    Kind.FLOAT: _floats,
    Kind.DECIMAL: _decimals,
    Kind.TEXT: _texts,
    Kind.JSON: _texts,
    Kind.BINARY: _binaries,
    Kind.DATE: _dates,
    Kind.TIME: _times,
    Kind.TIMESTAMP: _timestamps,
    Kind.INSTANT: _timestamps,
    Kind.DURATION: _durations,
    Kind.NULL: _nulls,
}
