from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from etl.ingestion.arrow_array import array_literals, element_type


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([[1, None], [], None]), ['{"1",NULL}', "{}", None]),
        (pa.array([['a"b\\', "NULL", ""]]), ['{"a\\"b\\\\","NULL",""}']),
        (pa.array([[[date.min]], [[]]]), ['{{"0001-01-01"}}', "{{}}"]),
        (pa.array([[b"a"]]), ['{"\\\\x61"}']),
    ],
)
def test_a_list_is_an_arrays_literal(array: pa.Array, expected: list[str | None]) -> None:
    assert array_literals(array).to_pylist() == expected


def test_only_lists_have_elements() -> None:
    assert element_type(pa.list_(pa.large_list(pa.int8()))) == pa.int8()
    assert element_type(pa.list_(pa.struct([("a", pa.int8())]))) == pa.struct([("a", pa.int8())])
    assert element_type(pa.map_(pa.string(), pa.int8())) is None
    assert element_type(pa.int8()) is None
