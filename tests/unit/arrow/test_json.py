from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.arrow.json import refuse_malformed
from etl.arrow.text import json_of
from etl.arrow.values import BadValues

_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9)
_NUMBER = st.integers(-(2**63), 2**63 - 1)
_ROW = st.fixed_dictionaries(
    {
        'a "quoted" name': st.none() | _TEXT,
        "numbers": st.none() | st.lists(st.none() | _NUMBER, max_size=3),
        "inner": st.none() | st.fixed_dictionaries({"flag": st.none() | st.booleans(), "texts": st.lists(_TEXT)}),
    }
)
_TYPE = pa.struct(
    [
        ('a "quoted" name', pa.string()),
        ("numbers", pa.large_list(pa.int64())),
        ("inner", pa.struct([("flag", pa.bool_()), ("texts", pa.list_(pa.dictionary(pa.int32(), pa.string())))])),
    ]
)


def one_list(elements: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays([0, len(elements)], elements)


@given(st.lists(st.none() | _ROW, min_size=1, max_size=8), st.integers(0, 4))
def test_nested_values_are_the_json_of_the_same_values(rows: list[Any], start: int) -> None:
    found = json_of(pa.array(rows, _TYPE).slice(start)).to_pylist()

    assert [None if text is None else json.loads(text) for text in found] == rows[start:]


@given(st.lists(st.none() | st.dictionaries(_TEXT, st.none() | _TEXT, max_size=3), min_size=1, max_size=6))
def test_a_map_is_an_object(rows: list[dict[str, Any] | None]) -> None:
    pairs = [None if row is None else list(row.items()) for row in rows]

    found = json_of(pa.array(pairs, pa.map_(pa.string(), pa.string()))).to_pylist()

    assert [None if text is None else json.loads(text) for text in found] == rows


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([[Decimal("1.20"), None]]), "[1.20,null]"),
        (pa.array([[2**64 - 1]], pa.list_(pa.uint64())), "[18446744073709551615]"),
        (pa.array([[float("nan"), float("-inf"), 0.1]]), '["NaN","-Infinity",0.1]'),
        (pa.array([[date(2020, 1, 1)]]), '["2020-01-01"]'),
        (pa.array([[b"a"]]), '["\\\\x61"]'),
        (one_list(pa.array([b"\1" * 16], pa.uuid())), '["01010101-0101-0101-0101-010101010101"]'),
        (one_list(pa.array(['{"a": 1}'], pa.json_())), '[{"a": 1}]'),
        (pa.array([[(1, "a")]], pa.map_(pa.int64(), pa.string())), '{"1":"a"}'),
        (pa.array([[(0.5, 1), (float("inf"), 2)]], pa.map_(pa.float64(), pa.int8())), '{"0.5":1,"Infinity":2}'),
        (pa.array([[(b"a", 1)]], pa.map_(pa.binary(), pa.int8())), '{"\\\\x61":1}'),
        (pa.array([[([1], 1)]], pa.map_(pa.list_(pa.int8()), pa.int8())), '{"[1]":1}'),
        (pa.array([[None, None]], pa.list_(pa.null())), "[null,null]"),
        (pa.array([{}], pa.struct([])), "{}"),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_what_json_has_no_form_for_becomes_a_string(array: pa.Array, expected: str) -> None:
    assert json_of(array).to_pylist() == [expected]


@pytest.mark.parametrize(
    ("array", "rows"),
    [
        (pa.array([["a", "b"], None, [], ["c", "d\0"], ["\0"]]), [3, 4]),
        (pa.array([[{"t": ["a"]}], [{"t": None}, {"t": ["\0"]}]]), [1]),
        (pa.array([[("a", 1)], [("b", 1), ("b", 2)]], pa.map_(pa.string(), pa.int8())), [1]),
        (pa.array([[], [1_000, 1]], pa.list_(pa.timestamp("ns"))), [1]),
    ],
)
def test_a_bad_value_inside_is_told_by_the_row_that_holds_it(array: pa.Array, rows: list[int]) -> None:
    with pytest.raises(BadValues) as caught:
        json_of(array)

    assert caught.value.positions.tolist() == rows


def test_texts_that_postgresql_does_not_take_for_json_are_found() -> None:
    texts = pa.array(["{}", None, "{'a': 1}", "NaN", '"\\u0000"', '"\\\\u0000"', "1 2", '"\\\\\\u0000"'])

    with pytest.raises(BadValues) as of_jsonb:
        refuse_malformed(texts, is_jsonb=True)
    with pytest.raises(BadValues) as of_json:
        refuse_malformed(texts, is_jsonb=False)

    assert of_jsonb.value.positions.tolist() == [2, 3, 4, 6, 7]
    assert of_json.value.positions.tolist() == [2, 3, 6]
