from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.arrow.text import text
from etl.arrow.types import kind_of
from etl.arrow.values import canonical

MICROSECONDS = pa.timestamp("us")


def texts(array: pa.Array) -> list[str | None]:
    return text(canonical(array), kind_of(array.type)).to_pylist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([0.1, 1e14, 1e15, 1e-4, 1e-5, 123456.5, -0.0]), "0.1 100000000000000 1e+15 0.0001 1e-05 123456.5 -0"),
        (pa.array([0.1, 999999, 1e6, 1.5e-10], pa.float32()), "0.1 999999 1e+06 1.5e-10"),
        (pa.array([Decimal("0.00000001"), Decimal("-1.20000000")]), "0.00000001 -1.20000000"),
        (pa.array([0, 1], pa.int8()).cast(pa.bool_()), "false true"),
        (pa.array([-719_163, -719_162, 2_932_897], pa.date32()), "0001-12-31_BC 0001-01-01 10000-01-01"),
        (pa.array([datetime(2024, 1, 2, 3, 4, 5, 600_000)]), "2024-01-02_03:04:05.6"),
        (pa.array([datetime(2024, 1, 2)]).cast(pa.timestamp("ms", "Asia/Tokyo")), "2024-01-02_00:00:00+00"),
        (pa.array([-62_135_596_800_000_001], pa.timestamp("us", "UTC")), "0001-12-31_23:59:59.999999+00_BC"),
        (pa.array([time(1, 2, 3, 4)]), "01:02:03.000004"),
        (pa.array([86_400_000_000], pa.time64("us")), "24:00:00"),
        (pa.array([timedelta(days=-5, microseconds=-1)]), "-120:00:00.000001"),
        (pa.array([b"\0a"]), "\\x0061"),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_values_are_printed_as_postgresql_would(array: pa.Array, expected: str) -> None:
    assert texts(array) == [word.replace("_", " ") for word in expected.split(" ")]


@given(st.lists(st.none() | st.floats(), max_size=9))
def test_a_double_reads_back_as_the_same_value(values: list[float | None]) -> None:
    found = texts(pa.array(values, pa.float64()))

    assert [None if t is None else float(t).hex() for t in found] == [None if v is None else v.hex() for v in values]


@given(st.lists(st.floats(width=32), min_size=1, max_size=9))
def test_a_float_is_as_short_as_its_width_allows(values: list[float]) -> None:
    found = texts(pa.array(values, pa.float32()))

    np.testing.assert_array_equal(np.array([float(str(t)) for t in found]).astype(np.float32), np.float32(values))
    assert all(len(str(t)) <= len("-1.17549435e-38") for t in found)


@pytest.mark.parametrize(
    ("near", "far"),
    [
        (pa.array([date(1969, 12, 31), date.min, date.max, None]), pa.array([2**30], pa.int32()).view(pa.date32())),
        (
            pa.array([datetime.min, datetime.max, datetime(1969, 12, 31, 23), None]),
            pa.array([2**62]).view(MICROSECONDS),
        ),
    ],
    ids=["date", "timestamp"],
)
def test_a_far_value_does_not_change_how_near_ones_are_printed(near: pa.Array, far: pa.Array) -> None:
    assert texts(pa.concat_arrays([near, far]))[: len(near)] == texts(near)
