"""The checksums of statements/checksum.py, of rows that the driver holds as Arrow: the same numbers as Spark's.

Texts and bytes are digested once for each value that occurs, numbers by numpy.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterable, Sequence
from hashlib import md5

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.arrow.whole import whole
from etl.arrow.words import lowest_words, unscaled
from etl.model import Checksums, Column, Digest
from etl.statements.checksum_stores import NULL, SEPARATOR, is_joinable, is_padded, is_uuid
from etl.statements.checksum_values import DIGESTS_END, NAN_BITS, C, P, number_family
from etl.statements.types import array_element

Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]


def checksums_of_rows(rows: pa.Table, columns: Sequence[Column], digests: Collection[Digest]) -> Checksums:
    """`columns` say what the rows' columns are in Spark and PostgreSQL; `digests` are those that somebody compares."""
    return Checksums(
        rows.num_rows, {column.name: _checksum(rows.column(column.name), column, digests) for column in columns}
    )


def _checksum(values: pa.ChunkedArray, column: Column, digests: Collection[Digest]) -> str:
    present, kind = whole(values.drop_null()), column.spark_type
    element = array_element(kind)
    if element is not None:
        texts = _array_texts(present, element)
        filled = int(pc.sum(pc.greater(pc.list_value_length(present), 0)).as_py() or 0)
        sums = ["*", "*"] if texts is None else _digested(pa.array(texts, pa.string()), column, digests)
        return "/".join([*sums, str(filled), str(len(present))])
    if kind in ("string", "binary"):
        return "/".join([*_digested(present, column, digests), str(len(present))])
    if kind == "boolean":
        return f"{pc.sum(present).as_py() or 0}/{len(present)}"
    numbers = _numbers(present, kind)
    return f"{'*' if numbers is None else int(_mixed(numbers).sum())}/{len(present)}"


def _digested(values: pa.Array, column: Column, digests: Collection[Digest]) -> list[str]:
    """The sums of both digests, `*` for one that nobody compares."""
    return [
        str(_sum_of_digests(values, column, of)) if digest in digests else "*"
        for digest, of in ((Digest.CRC32, _crc32), (Digest.MD5, _md5))
    ]


def _sum_of_digests(values: pa.Array, column: Column, of: Callable[[bytes], int]) -> int:
    counted = pc.value_counts(_comparable(values, column))
    found = counted.field("values").cast(pa.binary()).to_pylist()
    return sum(of(value) * count for value, count in zip(found, counted.field("counts").to_pylist(), strict=True))


def _comparable(values: pa.Array, column: Column) -> pa.Array:
    """Text in the one form of it that every store can give."""
    if pa.types.is_binary(values.type):
        return values
    values = pc.utf8_lower(values) if is_uuid(column) else values
    return pc.utf8_rtrim(values, " ") if is_padded(column) else values


def _crc32(value: bytes) -> int:
    """Scattered, as checksum.py says."""
    digest = zlib.crc32(value)
    number = digest % P + C
    return (digest + number * number % P) % DIGESTS_END


def _md5(value: bytes) -> int:
    return int.from_bytes(md5(value, usedforsecurity=False).digest()[:4], "big")


def _mixed(numbers: Numbers) -> Numbers:
    moved = numbers + C
    return moved * moved % P


def _numbers(values: pa.Array, kind: str) -> Numbers | None:
    """Modulo P with the sign of the value; None where values of this type are no numbers."""
    family = number_family(kind)
    if family is None:
        return None
    if family == "long decimal":
        return np.fromiter(map(_truncated, unscaled(values)), np.int64, len(values))
    if family == "decimal":
        return np.fmod(lowest_words(values), P)
    if family == "double":
        doubles = values.cast(pa.float64())
        bits = pc.if_else(pc.is_nan(doubles), pa.scalar(NAN_BITS, pa.int64()), doubles.view(pa.int64()))
    elif family == "date":
        bits = values.view(pa.int32()).cast(pa.int64())
    else:
        bits = values.view(pa.int64()) if family == "timestamp" else values.cast(pa.int64())
    numbers: Numbers = bits.to_numpy(zero_copy_only=False)
    return np.fmod(numbers, P)


def _truncated(number: int) -> int:
    return number % P if number >= 0 else -(-number % P)


def _array_texts(arrays: pa.Array, element: str) -> Iterable[str] | None:
    """Of each array that has elements the text that stands for it; None where its elements have none."""
    values = arrays.flatten()
    if is_joinable(element):
        texts, between, null = values.cast(pa.string()).to_pylist(), SEPARATOR, NULL
    elif (terms := _terms(whole(values.drop_null()), element)) is not None:
        texts, between, null = _with_nulls(map(str, terms), values), ",", "-"
    else:
        return None
    return _joined(texts, pc.list_value_length(arrays).to_pylist(), between, null)


def _terms(values: pa.Array, element: str) -> Iterable[int] | None:
    if element == "boolean":
        return map(int, values.to_pylist())
    if element == "binary":
        return map(_md5, values.to_pylist())
    numbers = _numbers(values, element)
    return None if numbers is None else _mixed(numbers).tolist()


def _with_nulls(texts: Iterable[str], values: pa.Array) -> list[str | None]:
    """The texts of the values that are not NULL, in the places of all."""
    known = iter(texts)
    return [next(known) if is_valid else None for is_valid in values.is_valid().to_pylist()]


def _joined(texts: Sequence[str | None], lengths: Sequence[int], between: str, null: str) -> list[str]:
    shown, begin, found = [null if text is None else text for text in texts], 0, []
    for length in lengths:
        if length:
            found.append(between.join(shown[begin : begin + length]))
        begin += length
    return found
