"""Fingerprints: what is the same has the same one, what differs another, and what JSON cannot hold has none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from hashlib import sha256
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import UsageError
from etl.orchestrator.fingerprint import fingerprint

_NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
_VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=12,
)
_PARAMETERS = st.dictionaries(_TEXTS, _VALUES, max_size=5)


def test_it_is_the_sha_256_of_rfc_8785() -> None:
    """The RFC's own example, section 3.2."""
    parameters = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\u0022\u002f",
        "literals": [None, True, False],
    }
    canonical = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert fingerprint(parameters) == sha256(canonical.encode()).hexdigest()


def test_keys_are_ordered_as_utf_16_has_them() -> None:
    """The first half of U+1F602 is the lesser, though the character is the greater."""
    canonical = '{"\U0001f602":1,"\ufb33":2}'
    assert fingerprint({"\ufb33": 2, "\U0001f602": 1}) == sha256(canonical.encode()).hexdigest()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": {"c": [1], "d": 2}}, {"b": {"d": 2, "c": [1]}, "a": 1}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": [{"b": 1e2}]}, {"a": [{"b": 100}]}),
        ({"a": 0.0}, {"a": -0.0}),
        ({"a": [1, 2]}, {"a": (1, 2)}),
        ({"a": {"b": 1}}, {"a": MappingProxyType({"b": 1})}),
        ({"a": 0.1, "b": 5}, {"a": Decimal("0.10"), "b": Decimal("5.00")}),
        ({"a": 1500}, {"a": Decimal("1.5E+3")}),
    ],
)
def test_what_makes_no_difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": "1"}),
        ({"a": True}, {"a": 1}),
        ({"a": None}, {}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": "é"}, {"a": "e\u0301"}),
        ({"a": 0.1}, {"a": 0.1 + 2**-53}),
        ({"a": {}}, {"a": []}),
        ({"a": {"b": 1}}, {"a.b": 1}),
    ],
)
def test_what_makes_one(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    assert fingerprint(one) != fingerprint(other)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"a": {"b": [0, 0, 0, float("nan")]}}, "$.a.b[3] is nan"),
        ({"a": float("-inf")}, "$.a is -inf"),
        ({"a": 2**53}, "$.a is a whole number beyond ±9007199254740991 (2^53 - 1); write it as text"),
        ({"a": -(2**53)}, "$.a is a whole number beyond"),
        ({"a": Decimal(2**53)}, "$.a is a whole number beyond"),
        ({"a": Decimal("1E+400")}, "$.a is 1E+400, which has more digits than a double"),
        ({"a": Decimal("0.12345678901234567890")}, "$.a is 0.12345678901234567890, which has more digits"),
        ({"a": Decimal("1E-400")}, "$.a is 1E-400, which has more digits"),
        ({"a": Decimal("NaN")}, "$.a is NaN; expected a finite number"),
        ({"a": {1: 2}}, "$.a['1'] has the key 1; expected keys of text"),
        ({None: 2}, "$.None has the key None"),
        ({"a b": "\ud83d"}, "$['a b'] holds half a character"),
        ({"a": {"\udc00": 1}}, "$.a['\\udc00'] has a key that holds half a character"),
        ({"a": "x\0y"}, "$.a holds a NUL character"),
        ({"a": date(2026, 11, 26)}, "$.a is a date"),
        ({"a": {1, 2}}, "$.a is a set"),
        ({"a": [b"x"]}, "$.a[0] is a bytes"),
        ({"a": object}, "$.a is a type"),
        ([1], "expected a mapping of names to values; found list"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_its_path(value: Any, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        fingerprint(value)
    assert told in caught.value.message


def test_several_are_told_at_once_and_many_are_counted() -> None:
    with pytest.raises(UsageError, match=r"\$\.a is nan.*\$\.b is a set"):
        fingerprint({"a": float("nan"), "b": set()})
    with pytest.raises(UsageError, match="and 15 more"):
        fingerprint({str(place): float("nan") for place in range(20)})


def test_what_holds_itself_is_refused() -> None:
    circle: dict[str, Any] = {}
    circle["a"] = [circle]
    with pytest.raises(UsageError, match="is nested more than 200 levels deep, or holds itself"):
        fingerprint(circle)


@given(_PARAMETERS, st.randoms(use_true_random=False))
def test_the_order_of_keys_makes_no_difference(parameters: dict[str, Any], random: Any) -> None:
    assert fingerprint(_shuffled(parameters, random)) == fingerprint(parameters)


@given(_PARAMETERS)
def test_what_was_written_and_read_again_is_the_same(parameters: dict[str, Any]) -> None:
    written = json.dumps(parameters, ensure_ascii=False)
    assert fingerprint(json.loads(written)) == fingerprint(parameters)


@given(_PARAMETERS, _PARAMETERS)
def test_two_are_the_same_exactly_where_their_values_are(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (fingerprint(one) == fingerprint(other)) == (_typed(one) == _typed(other))


def _shuffled(value: Any, random: Any) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        random.shuffle(keys)
        return {key: _shuffled(value[key], random) for key in keys}
    return [_shuffled(entry, random) for entry in value] if isinstance(value, list) else value


def _typed(value: Any) -> Any:
    """Python calls True and 1 the same; JSON does not."""
    if isinstance(value, dict):
        return {key: _typed(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_typed(entry) for entry in value]
    return (isinstance(value, bool), value)
