"""Bounds of a file's columns: never narrower than its values, and what JSON or Delta has no word for is left out."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from etl.load.s3.driver.statistics import statistics

LATE = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def bounds(values: list[Any], kind: pa.DataType) -> tuple[Any, Any] | None:
    found = json.loads(statistics(pa.table({"c": pa.array(values, kind)})), parse_float=Decimal)
    assert (found["numRecords"], found["nullCount"]) == (len(values), {"c": values.count(None)})
    return (found["minValues"]["c"], found["maxValues"]["c"]) if "c" in found["minValues"] else None


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([3, None, -1], pa.int64(), (-1, 3)),
        ([Decimal("12345678901234567890.123456789012345678"), Decimal(-1)], pa.decimal128(38, 18),
         (Decimal("-1.000000000000000000"), Decimal("12345678901234567890.123456789012345678"))),
        ([date(1, 1, 1), date(9999, 12, 31)], pa.date32(), ("0001-01-01", "9999-12-31")),
        ([datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC), datetime(2025, 1, 1, 0, 0, 0, 1001, tzinfo=UTC)],
         pa.timestamp("us", "UTC"), ("0001-01-01T00:00:00.000Z", "2025-01-01T00:00:00.002Z")),
        (["b", "a"], pa.string(), ("a", "b")),
        (["x" * 32], pa.string(), ("x" * 32, "x" * 32)),
        (["x" * 33], pa.string(), ("x" * 32, "x" * 32 + "\U0010ffff")),
        ([1.5, -0.0], pa.float64(), (Decimal("-0.0"), Decimal("1.5"))),
    ],
)  # fmt: skip
def test_bounds(values: list[Any], kind: pa.DataType, expected: tuple[Any, Any]) -> None:
    assert bounds(values, kind) == expected


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([None, None], pa.string()),
        ([], pa.int64()),
        ([1.0, float("nan")], pa.float64()),
        ([1.0, float("inf")], pa.float32()),
        ([True], pa.bool_()),
        ([b"x"], pa.binary()),
        ([[1]], pa.list_(pa.int64())),
        ([LATE], pa.timestamp("us", "UTC")),
    ],
)
def test_values_without_bounds(values: list[Any], kind: pa.DataType) -> None:
    assert bounds(values, kind) is None


def test_a_time_beyond_pythons_calendar_has_no_bounds() -> None:
    rows = pa.table({"c": pa.array([2**60], pa.int64()).cast(pa.timestamp("us", "UTC"))})
    assert json.loads(statistics(rows))["minValues"] == {}


def test_structs_and_columns_past_the_thirty_second_are_not_told() -> None:
    rows = pa.table({f"c{n}": pa.array([n]) for n in range(40)} | {"c0": pa.array([{"a": 1}])})
    assert list(json.loads(statistics(rows))["nullCount"]) == [f"c{n}" for n in range(1, 32)]
