from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from etl.arrow.array import array_literals, element_type
from etl.arrow.values import BadValues


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([[1, None], [], None]), ['{"1",NULL}', "{}", None]),
        (pa.array([['a"b\\', "NULL", ""]]), ['{"a\\"b\\\\","NULL",""}']),
        (pa.array([[[date.min]], [], None]), ['{{"0001-01-01"}}', "{}", None]),
        (pa.array([[b"a"]]), ['{"\\\\x61"}']),
    ],
)
def test_a_list_is_an_arrays_literal(array: pa.Array, expected: list[str | None]) -> None:
    assert array_literals(array).to_pylist() == expected


@pytest.mark.parametrize("inner", [[], None], ids=["empty", "NULL"])
def test_lists_that_an_array_would_lose_are_bad_values(inner: list[int] | None) -> None:
    """'{{}}' is the empty array to PostgreSQL, '{NULL}' one with a NULL of the innermost type."""
    with pytest.raises(BadValues, match="lists in a list") as raised:
        array_literals(pa.array([[[1]], [inner], [[2], inner]]))
    assert list(raised.value.positions) == [1, 2]


def test_only_lists_have_elements() -> None:
    assert element_type(pa.list_(pa.large_list(pa.int8()))) == pa.int8()
    assert element_type(pa.list_(pa.struct([("a", pa.int8())]))) == pa.struct([("a", pa.int8())])
    assert element_type(pa.map_(pa.string(), pa.int8())) is None
    assert element_type(pa.int8()) is None
