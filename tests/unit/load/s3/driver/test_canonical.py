"""Rows in memory are the same where every bit is, as in Spark's lane."""

from __future__ import annotations

import struct
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from etl.load.s3.driver.canonical import canonical, differing_columns, equal_rows

OTHER_NAN = struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_0000_0001))[0]


def same(kind: pa.DataType, one: Any, other: Any) -> bool:
    ours, theirs = (canonical(pa.table({"c": pa.array([value], kind)})) for value in (one, other))
    return bool(equal_rows(ours, theirs)[0].as_py())


@pytest.mark.parametrize(
    ("kind", "one", "other", "expected"),
    [
        (pa.float64(), 0.0, -0.0, False),
        (pa.float64(), float("nan"), OTHER_NAN, True),
        (pa.float32(), 1.5, 1.5, True),
        (pa.string(), None, None, True),
        (pa.string(), None, "", False),
        (pa.string(), "é", "e\u0301", False),
        (pa.list_(pa.float64()), [0.0], [-0.0], False),
        (pa.list_(pa.float64()), [float("nan")], [float("nan")], True),
        (pa.list_(pa.string()), [], None, False),
        (pa.list_(pa.string()), [None], [], False),
        (pa.list_(pa.timestamp("us", "UTC")), [2**60], [2**60], True),
        (pa.list_(pa.timestamp("us", "UTC")), [2**60], [2**60 + 1], False),
        (pa.struct({"a": pa.date32()}), {"a": date(1, 1, 1)}, {"a": None}, False),
        (pa.map_(pa.string(), pa.int32()), [("a", 1)], [("a", 1)], True),
    ],
)
def test_same_in_every_bit(kind: pa.DataType, one: Any, other: Any, expected: bool) -> None:
    assert same(kind, one, other) is expected


def test_columns_that_differ_are_told_with_how_many_rows() -> None:
    ours = pa.table({"a": [1, 2, None], "b": ["x", "y", "z"]})
    theirs = pa.table({"a": [1, None, None], "b": ["x", "y", "z"]})
    assert differing_columns(canonical(ours), canonical(theirs)) == [("a", 1)]


def test_no_rows_are_equal() -> None:
    empty = canonical(pa.table({"a": pa.array([], pa.float64()), "b": pa.array([], pa.list_(pa.string()))}))
    assert (len(equal_rows(empty, empty)), differing_columns(empty, empty)) == (0, [])


def test_rows_in_several_chunks_are_one() -> None:
    parts = [pa.table({"a": pa.array([[1.5]])}), pa.table({"a": pa.array([[2.5], None])})]
    assert canonical(pa.concat_tables(parts)).column("a").to_pylist() == ["[1.5]", "[2.5]", None]
