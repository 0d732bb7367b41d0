from __future__ import annotations

import uuid
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.arrow import wire
from etl.arrow.values import BadValues

MICROSECONDS = pa.timestamp("us")
ONE = uuid.UUID("0123abcd-EF45-6789-abcd-000000000001")


@pytest.mark.parametrize(
    ("array", "target", "expected"),
    [
        (pa.array([-(2**15), None, 2**15 - 1]), "smallint", pa.array([-(2**15), None, 2**15 - 1], pa.int16())),
        (pa.array([2**63 - 1], pa.uint64()), "bigint", pa.array([2**63 - 1])),
        (pa.array([-(2.0**63), None, 3.0]), "bigint", pa.array([-(2**63), None, 3])),
        (pa.array([Decimal("7.00"), None]), "integer", pa.array([7, None], pa.int32())),
    ],
)
def test_integers_take_the_targets_width(array: pa.Array, target: str, expected: pa.Array) -> None:
    found = wire.integers(array, target)

    assert found.type == expected.type
    assert found.equals(expected)


@pytest.mark.parametrize(
    ("array", "target"),
    [
        (pa.array([0, 2**15]), "smallint"),
        (pa.array([0, -(2**31) - 1]), "integer"),
        (pa.array([0, 2**63], pa.uint64()), "bigint"),
        (pa.array([0, 1.5]), "bigint"),
        (pa.array([0, float("nan")]), "bigint"),
        (pa.array([0, 2.0**63]), "bigint"),
        (pa.array([Decimal("0.0"), Decimal("0.5")]), "bigint"),
        (pa.array([Decimal(0), Decimal(2**63)], pa.decimal128(38, 0)), "bigint"),
    ],
)
def test_what_is_no_integer_of_the_target_is_told_by_position(array: pa.Array, target: str) -> None:
    with pytest.raises(BadValues) as caught:
        wire.integers(array, target)

    assert caught.value.positions.tolist() == [1]


@pytest.mark.parametrize(
    ("array", "target", "bad"),
    [
        (pa.array([2**53, -(2**53), None, 2**53 + 1, -(2**53) - 1]), "double precision", [3, 4]),
        (pa.array([2**24, 2**24 + 1]), "real", [1]),
        (pa.array([1, 2**53 + 1], pa.uint64()), "double precision", [1]),
    ],
)
def test_integers_that_a_float_would_round_are_refused(array: pa.Array, target: str, bad: list[int]) -> None:
    with pytest.raises(BadValues) as caught:
        wire.exact_floats(array, target)

    assert caught.value.positions.tolist() == bad


def test_a_double_is_rounded_to_a_real_but_never_to_nothing_or_infinity() -> None:
    exact = pa.array([0.1, None, float("inf"), 0.0])

    assert wire.floats(exact, "real").equals(pa.array([0.1, None, float("inf"), 0.0], pa.float32()))
    with pytest.raises(BadValues) as caught:
        wire.floats(pa.array([0.0, 1e39, 1e-50, None]), "real")
    assert caught.value.positions.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("target", "array", "bad"),
    [
        ("numeric(4,2)", pa.array([Decimal("99.99"), Decimal("100.00"), Decimal("-100.00")]), [1, 2]),
        ("numeric(4,2)", pa.array([Decimal("99.994"), Decimal("99.995")]), [1]),
        ("numeric(4,2)", pa.array([99, 100, -100]), [1, 2]),
        ("numeric(2,4)", pa.array([Decimal("0.0099"), Decimal("0.0100")]), [1]),
    ],
)
def test_more_digits_than_the_target_takes_are_refused(target: str, array: pa.Array, bad: list[int]) -> None:
    with pytest.raises(BadValues) as caught:
        wire.numerics(array, wire.NumericLimit.of(target))

    assert caught.value.positions.tolist() == bad


def test_days_and_microseconds_count_from_2000() -> None:
    assert wire.dates(pa.array([date(2000, 1, 1), None, date(1999, 12, 31)])).to_pylist() == [0, None, -1]
    moments = pa.array([datetime(2000, 1, 1), None, datetime(1999, 12, 31, 23, 59, 59, 999_999)], MICROSECONDS)
    assert wire.timestamps(moments).to_pylist() == [0, None, -1]


def test_no_date_or_time_becomes_infinity() -> None:
    with pytest.raises(BadValues) as of_dates:
        wire.dates(pa.array([0, -(2**31), 2**31 - 1, None, -2_440_589], pa.int32()).view(pa.date32()))
    with pytest.raises(BadValues) as of_times:
        wire.timestamps(pa.array([0, -(2**63), 2**63 - 1]).view(MICROSECONDS))

    assert of_dates.value.positions.tolist() == [1, 2, 4]
    assert of_times.value.positions.tolist() == [1]
    assert wire.timestamps(pa.array([2**63 - 1]).view(MICROSECONDS)).to_pylist() == [2**63 - 1 - 946_684_800_000_000]


def test_wall_clock_times_that_a_zone_skips_or_has_twice_are_refused() -> None:
    moments = pa.array([datetime(2024, 3, 31, 2, 30), datetime(2024, 7, 1), None, datetime(2024, 10, 27, 2, 30)])

    with pytest.raises(BadValues) as caught:
        wire.localized(moments, "Europe/Berlin")

    assert caught.value.positions.tolist() == [0, 3]


def test_a_zone_that_is_not_known_is_a_fault() -> None:
    assert wire.timezone_fault("Europe/Berlin") is None
    assert "Mars/Olympus" in str(wire.timezone_fault("Mars/Olympus"))


def test_trailing_spaces_do_not_count_as_characters() -> None:
    assert wire.texts(pa.array(["éé", "a   ", None]), 2).to_pylist() == ["éé", "a   ", None]
    with pytest.raises(BadValues) as caught:
        wire.texts(pa.array(["ab", "abc", "  c"]), 2)
    assert caught.value.positions.tolist() == [1, 2]


@given(st.lists(st.none() | st.uuids(), min_size=1, max_size=6), st.integers(0, 3), st.booleans())
def test_uuids_are_read_in_any_case_and_from_any_place(values: list[uuid.UUID | None], start: int, upper: bool) -> None:
    texts = [None if value is None else str(value).upper() if upper else str(value) for value in values]

    for arrow_type in (pa.string(), pa.large_string()):
        found = wire.uuids(pa.array(texts, arrow_type).slice(start)).to_pylist()
        assert found == [None if value is None else value.bytes for value in values[start:]]


@pytest.mark.parametrize(
    "spelling",
    [
        "{0123abcd-4567-89ab-cdef-0123456789ab}",
        "0123abcd456789abcdef0123456789ab",
        "0123-abcd-4567-89ab-cdef-0123-4567-89ab",
    ],
)
def test_postgresqls_other_spellings_of_a_uuid_are_read(spelling: str) -> None:
    expected = uuid.UUID("0123abcd-4567-89ab-cdef-0123456789ab").bytes

    assert wire.uuids(pa.array([spelling, None])).to_pylist() == [expected, None]


@pytest.mark.parametrize(
    "spelling",
    [
        "",
        "0123abcd-4567-89ab-cdef-0123456789ag",
        "0123abcd-4567-89ab-cdef-0123456789a",
        "urn:uuid:0123abcd-4567-89ab-cdef-0123456789ab",
        "0-123abcd456789abcdef0123456789ab",
        "0123abcd_4567_89ab_cdef_0123456789ab",
        "{0123abcd-4567-89ab-cdef-0123456789ab",
    ],
)
def test_what_is_no_uuid_is_told_by_position(spelling: str) -> None:
    with pytest.raises(BadValues) as caught:
        wire.uuids(pa.array(["0123abcd-4567-89ab-cdef-0123456789ab", spelling]))

    assert caught.value.positions.tolist() == [1]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
@pytest.mark.parametrize("before", [str(uuid.UUID(int=0)), "a text of another length", None])
@pytest.mark.parametrize(
    "texts",
    [
        [str(ONE), str(ONE).upper(), str(uuid.UUID(int=2**128 - 1))],
        [str(ONE), None, str(ONE)],
        [None],
        [],
        ["{" + str(ONE) + "}", ONE.hex, None],
    ],
)
def test_uuids_of_a_part_of_an_array_are_its_own(
    texts: list[str | None], before: str | None, kind: pa.DataType
) -> None:
    expected = [None if text is None else uuid.UUID(text).bytes for text in texts]
    assert wire.uuids(pa.array(texts, kind)).to_pylist() == expected
    assert wire.uuids(pa.array([before, *texts, before], kind).slice(1, len(texts))).to_pylist() == expected


@pytest.mark.parametrize("text", ["0123-abcd-ef45-6789-abcd-0000-0000-0001", "0123abcdef45-6789abcd-000000000001"])
def test_dashes_of_a_uuid_stand_where_postgresql_takes_them(text: str) -> None:
    assert wire.uuids(pa.array([text])).to_pylist() == [ONE.bytes]


@pytest.mark.parametrize(
    "text", [ONE.urn, str(ONE) + "-", "{" + str(ONE), "012-3abcd-ef45-6789-abcd-000000000001", "é" * 18, " " + str(ONE)]
)
def test_what_postgresql_takes_for_no_uuid_is_refused_by_its_place(text: str) -> None:
    with pytest.raises(BadValues) as caught:
        wire.uuids(pa.array([str(ONE), None, text]))
    assert caught.value.positions.tolist() == [2]
