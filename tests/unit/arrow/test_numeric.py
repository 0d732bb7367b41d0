"""Fields are decoded here as PostgreSQL's numeric_recv does; the server itself reads them in the integration test."""

from __future__ import annotations

import struct
from decimal import Decimal
from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.arrow.numeric import numeric_fields, reaches


def decoded(field: bytes | None) -> Decimal | None:
    if field is None:
        return None
    count, weight, sign, scale = struct.unpack(">HhHH", field[:8])
    digits = struct.unpack(f">{count}H", field[8:])
    assert all(digit < 10_000 for digit in digits)
    unscaled = sum(digit * Fraction(10_000) ** (weight - place) for place, digit in enumerate(digits)) * 10**scale
    assert unscaled == int(unscaled)
    return Decimal(f"{'-' if sign == 0x4000 else ''}{int(unscaled)}E-{scale}")


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([12_345]), struct.pack(">HhHHHH", 2, 1, 0, 0, 1, 2_345)),
        (pa.array([0]), struct.pack(">HhHHH", 1, 0, 0, 0, 0)),
        (pa.array([Decimal("-1.05")]), struct.pack(">HhHHHH", 2, 0, 0x4000, 2, 1, 500)),
        (pa.array([Decimal("0.00012")]), struct.pack(">HhHHHHH", 3, 0, 0, 5, 0, 1, 2_000)),
    ],
)
def test_a_field_has_digits_of_base_10000_around_the_point(array: pa.Array, expected: bytes) -> None:
    assert numeric_fields(array).to_pylist() == [expected]


@pytest.mark.parametrize("arrow_type", [pa.int64(), pa.uint64()], ids=str)
def test_the_least_and_the_greatest_integers_are_exact(arrow_type: pa.DataType) -> None:
    limits = [0, 2**64 - 1] if arrow_type == pa.uint64() else [-(2**63), 2**63 - 1]

    fields = numeric_fields(pa.array([*limits, None], arrow_type))

    assert [decoded(field) for field in fields.to_pylist()] == [*map(Decimal, limits), None]


@st.composite
def decimals(draw: st.DrawFn) -> tuple[pa.DataType, list[Decimal | None]]:
    precision = draw(st.integers(1, 76))
    scale = draw(st.integers(0, precision))
    arrow_type = pa.decimal256(precision, scale) if precision > 38 else pa.decimal128(precision, scale)
    unscaled = st.integers(1 - 10**precision, 10**precision - 1)
    values = draw(st.lists(st.none() | unscaled.map(lambda n: Decimal(f"{n}E-{scale}")), min_size=1, max_size=8))
    return arrow_type, values


@given(decimals(), st.integers(0, 3))
def test_decimals_of_every_precision_and_scale_are_exact(
    typed: tuple[pa.DataType, list[Decimal | None]], start: int
) -> None:
    arrow_type, values = typed

    fields = numeric_fields(pa.array(values, arrow_type).slice(start))

    found = [decoded(field) for field in fields.to_pylist()]
    assert found == values[start:]
    assert all(value is None or value.as_tuple().exponent == -arrow_type.scale for value in found)


@pytest.mark.parametrize("arrow_type", [pa.decimal128(12, 2), pa.decimal128(38, 2)], ids=str)
def test_what_lies_under_a_null_is_not_read(arrow_type: pa.DataType) -> None:
    """Files may hold anything there; here it would be a number beyond the precision."""
    data = pa.py_buffer(b"\xff" * 15 + b"\x7f" + (100).to_bytes(16, "little"))
    array = pa.Array.from_buffers(arrow_type, 2, [pa.py_buffer(b"\x02"), data])

    assert [decoded(field) for field in numeric_fields(array).to_pylist()] == [None, Decimal("1.00")]


@pytest.mark.parametrize(
    ("array", "limit", "expected"),
    [
        (pa.array([Decimal("99.99"), Decimal("-100.00"), None]), "100", [False, True, False]),
        (pa.array([Decimal("99.994"), Decimal("99.995")]), "99.995", [False, True]),
        (pa.array([99, -100, 2**63 - 1]), "100", [False, True, True]),
        (pa.array([-(2**63)]), "1E+30", [False]),
        (pa.array([Decimal("9.9")]), "1E+60", [False]),
        (pa.array([Decimal(10) ** 37], pa.decimal128(38, 0)), "1E+37", [True]),
    ],
)
def test_values_as_large_as_a_limit_are_found(array: pa.Array, limit: str, expected: list[bool]) -> None:
    assert reaches(array, Decimal(limit)).tolist() == expected
