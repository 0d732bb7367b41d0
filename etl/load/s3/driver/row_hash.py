"""Spark's `xxhash64` of rows that are held as Arrow, as etl/load/s3/frames.py asks for it: the same numbers.

From org.apache.spark.sql.catalyst.expressions.XXH64 and HashExpression: each value is hashed with the hash so far as
its seed, and NULL leaves it as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    ByteType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    ShortType,
    StringType,
    StructType,
    TimestampType,
)
from xxhash import xxh64_intdigest

from etl.arrow.whole import whole
from etl.arrow.words import lowest_words, unscaled

Hashes = np.ndarray[tuple[int], np.dtype[np.uint64]]
Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]
_P1, _P2, _P3, _P4, _P5 = map(
    np.uint64,
    (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5),
)
_SEED = 42
_ESCAPE = re.compile(rb"\\(?:u[0-9a-f]{4}|.)")
_LONG_DIGITS = 18
_INTS = (BooleanType, ByteType, ShortType, IntegerType, DateType)
_LONGS = (LongType, TimestampType)
_IN_JSON = (StringType, BooleanType, ByteType, ShortType, IntegerType, LongType)
"""Elements that Python and Spark write as JSON alike."""


def is_hashable(schema: StructType) -> bool:
    """Whether every type of it is known here."""
    return all(_is_known(field.dataType) for field in schema.fields)


def row_hashes(rows: pa.Table, schema: StructType) -> Hashes:
    hashes = np.full(rows.num_rows, _SEED, np.uint64)
    for field in schema.fields:
        column = whole(rows.column(field.name))
        present = column.is_valid().to_numpy(zero_copy_only=False)
        hashes = _value_hashes(column, field.dataType, present, hashes)
        hashes = _of_ints((~present).astype(np.uint64), hashes)
    return hashes


def _is_known(kind: DataType) -> bool:
    if isinstance(kind, ArrayType):
        return isinstance(kind.elementType, _IN_JSON)
    return isinstance(kind, (*_INTS, *_LONGS, StringType, BinaryType, DecimalType, FloatType, DoubleType))


def _value_hashes(column: pa.Array, kind: DataType, present: Flags, hashes: Hashes) -> Hashes:
    if isinstance(kind, StringType | BinaryType):
        return _of_bytes(column.cast(pa.binary()).to_pylist(), hashes)
    if isinstance(kind, ArrayType):
        return _of_bytes((None if each is None else _json(each) for each in column.to_pylist()), hashes)
    if isinstance(kind, DecimalType):
        return _of_decimals(column, kind, present, hashes)
    if isinstance(kind, FloatType | DoubleType):
        return _of_floats(column, kind, present, hashes)
    numbers = _numbers(column, kind)
    return np.where(present, (_of_longs if isinstance(kind, _LONGS) else _of_ints)(numbers, hashes), hashes)


def _numbers(column: pa.Array, kind: DataType) -> Hashes:
    if isinstance(kind, TimestampType):
        column = column.view(pa.int64())
    elif isinstance(kind, DateType):
        column = column.view(pa.int32())
    # int32 first: Java hashes an int as what it is without its sign's extension
    wide, narrow = pa.int64(), pa.int32()
    numbers = pc.fill_null(column.cast(wide if isinstance(kind, _LONGS) else narrow), 0).to_numpy(zero_copy_only=False)
    bits: Hashes = numbers.view(np.uint64 if isinstance(kind, _LONGS) else np.uint32).astype(np.uint64)
    return bits


def _of_floats(column: pa.Array, kind: DataType, present: Flags, hashes: Hashes) -> Hashes:
    """The value, in which -0 is 0 and all NaN are one; then whether it is -0 (statements/spark_values.identity)."""
    is_double = isinstance(kind, DoubleType)
    values = pc.fill_null(column, 0.0).to_numpy(zero_copy_only=False)
    is_minus_zero = (values == 0) & np.signbit(values)
    plain = np.where(values == 0, 0, np.where(np.isnan(values), np.nan, values)).astype(values.dtype)
    bits = plain.view(np.uint64) if is_double else plain.view(np.uint32).astype(np.uint64)
    hashed = (_of_longs if is_double else _of_ints)(bits, hashes)
    # the flag of NULL is NULL
    return np.where(present, _of_ints(is_minus_zero.astype(np.uint64), hashed), hashes)


def _of_decimals(column: pa.Array, kind: DecimalType, present: Flags, hashes: Hashes) -> Hashes:
    """Unscaled: a long, or of more digits the bytes of a BigInteger."""
    if kind.precision <= _LONG_DIGITS:
        return np.where(present, _of_longs(lowest_words(column).view(np.uint64), hashes), hashes)
    numbers = zip(unscaled(column), present, strict=True)
    return _of_bytes((_big(number) if is_there else None for number, is_there in numbers), hashes)


def _big(number: int) -> bytes:
    """As BigInteger.toByteArray."""
    bits = (number if number >= 0 else ~number).bit_length()
    return number.to_bytes(bits // 8 + 1, "big", signed=True)


def _json(values: list[object]) -> bytes:
    """Spark's digits in escapes are large."""
    return _ESCAPE.sub(lambda found: found[0][:2] + found[0][2:].upper(), orjson.dumps(values))


def _of_bytes(values: Iterable[bytes | None], hashes: Hashes) -> Hashes:
    found = (
        seed if value is None else xxh64_intdigest(value, seed)
        for value, seed in zip(values, hashes.tolist(), strict=True)
    )
    return np.fromiter(found, np.uint64, len(hashes))


def _of_ints(values: Hashes, seeds: Hashes) -> Hashes:
    hashes = (seeds + _P5 + np.uint64(4)) ^ (values * _P1)
    return _mixed(_rotated(hashes, 23) * _P2 + _P3)


def _of_longs(values: Hashes, seeds: Hashes) -> Hashes:
    hashes = (seeds + _P5 + np.uint64(8)) ^ (_rotated(values * _P2, 31) * _P1)
    return _mixed(_rotated(hashes, 27) * _P1 + _P4)


def _rotated(values: Hashes, bits: int) -> Hashes:
    return (values << np.uint64(bits)) | (values >> np.uint64(64 - bits))


def _mixed(hashes: Hashes) -> Hashes:
    hashes = (hashes ^ (hashes >> np.uint64(33))) * _P2
    hashes = (hashes ^ (hashes >> np.uint64(29))) * _P3
    return hashes ^ (hashes >> np.uint64(32))
