from __future__ import annotations

import pyarrow as pa
import pytest

from etl.arrow.values import BadValues, canonical


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([1, None], pa.int8()), pa.array([1, None], pa.int64())),
        (pa.array([2**64 - 1], pa.uint64()), pa.array([2**64 - 1], pa.uint64())),
        (pa.array(["a", None, "a"]).dictionary_encode(), pa.array(["a", None, "a"])),
        (pa.array([86_400_000, None], pa.date64()), pa.array([1, None], pa.date32())),
        (pa.array([2, None], pa.time32("s")), pa.array([2_000_000, None], pa.time64("us"))),
        (pa.array([-1, None], pa.timestamp("ms")), pa.array([-1_000, None], pa.timestamp("us"))),
        (pa.array([-3_000], pa.timestamp("ns", "UTC")), pa.array([-3], pa.timestamp("us", "UTC"))),
        (pa.array([5, None], pa.duration("s")), pa.array([5_000_000, None], pa.duration("us"))),
        (pa.array([b"\1" * 16], pa.uuid()), pa.array([b"\1" * 16], pa.binary(16))),
        (pa.nulls(1), pa.array([None], pa.string())),
    ],
    ids=lambda array: str(array.type),
)
def test_values_keep_their_meaning_in_fewer_types(array: pa.Array, expected: pa.Array) -> None:
    found = canonical(array)

    assert found.type == expected.type
    assert found.equals(expected)


def test_a_part_of_an_array_is_read_from_where_it_begins() -> None:
    array = pa.array([1, None, 3, None, 5] * 5, pa.timestamp("s")).slice(8, 4)

    assert canonical(array).cast(pa.int64()).to_pylist() == [None, 5_000_000, 1_000_000, None]


@pytest.mark.parametrize(
    ("array", "positions", "expected"),
    [
        (pa.array([1_000, 1, None, 1_001], pa.timestamp("ns")), [1, 3], "whole microseconds"),
        (pa.array([999], pa.duration("ns")), [0], "whole microseconds"),
        (pa.array([1], pa.time64("ns")), [0], "whole microseconds"),
        (pa.array([0, 2**62], pa.timestamp("s")), [1], "range"),
        (pa.array([None, 1], pa.int64()).view(pa.date64()), [1], "whole days"),
        (pa.array([-1], pa.time64("us")), [0], "between 00:00 and 24:00"),
        (pa.array(["a", None, "\0", "b\0"]), [2, 3], r"U\+0000"),
        (pa.array(["a", "\0"], pa.string_view()), [1], r"U\+0000"),
        (pa.array([b"a", b"\xc3", None]).view(pa.string()), [1], "UTF-8"),
    ],
)
def test_what_postgresql_cannot_hold_is_told_by_position(array: pa.Array, positions: list[int], expected: str) -> None:
    with pytest.raises(BadValues, match=expected) as caught:
        canonical(array)

    assert caught.value.positions.tolist() == positions


def test_a_nul_outside_the_part_that_is_read_does_no_harm() -> None:
    assert canonical(pa.array(["\0", "a", "\0"]).slice(1, 1)).to_pylist() == ["a"]
