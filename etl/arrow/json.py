"""Nested arrays as JSON text, column by column: the leaves become texts, which are joined level by level.

Numbers keep all their digits. What JSON has no form for becomes a string, as in PostgreSQL's own to_jsonb: NaN and
infinities, dates and times, bytes in hexadecimal digits. A map becomes an object; its keys become strings.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from etl.arrow.joining import in_brackets, joined, lengths, masked, of_elements
from etl.arrow.types import Kind, kind_of
from etl.arrow.values import as_pairs, canonical, refuse_where

ToText = Callable[[pa.Array, Kind], pa.Array]

_NEEDS_ESCAPE = r'["\\\x00-\x1f]'
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_NULL = pa.scalar("null", pa.large_string())
_BARE = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.BOOLEAN, Kind.JSON})


def json_text(array: pa.Array, to_text: ToText) -> pa.Array:
    """One JSON text a value, `null` for NULL; `to_text` prints the leaves. Raises BadValues."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = kind_of(array.type)
    if kind is Kind.NESTED:
        return _nested(array, to_text).fill_null(_NULL)
    return _leaf(canonical(array), kind, to_text).fill_null(_NULL)


def refuse_malformed(texts: pa.Array, *, is_jsonb: bool) -> None:
    """Raises BadValues for what is no JSON, and where it becomes jsonb, for U+0000 in one of its strings."""
    values = texts.to_pylist()
    is_bad = np.array([value is not None and not _is_json(value, is_jsonb) for value in values], dtype=np.bool_)
    refuse_where(is_bad, "JSON that PostgreSQL takes")


def _is_json(text: str, is_jsonb: bool) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return not (is_jsonb and _ESCAPED_NUL.search(text))


def _nested(array: pa.Array, to_text: ToText) -> pa.Array:
    if pa.types.is_struct(array.type):
        return _object(array, to_text)
    if pa.types.is_map(array.type):
        return _map(array, to_text)
    return _list(array, to_text)


def _leaf(array: pa.Array, kind: Kind, to_text: ToText) -> pa.Array:
    written = to_text(array, kind).cast(pa.large_string())
    if kind in _BARE:
        return written
    if kind is Kind.FLOAT:
        return pc.if_else(pc.is_finite(array), written, _quoted(written))
    return _quoted(_escaped(written))


def _quoted(texts: pa.Array) -> pa.Array:
    return joined('"', texts, '"')


def _escaped(texts: pa.Array) -> pa.Array:
    if not pc.any(pc.match_substring_regex(texts, _NEEDS_ESCAPE)).as_py():
        return texts
    escaped = [None if value is None else orjson.dumps(value)[1:-1].decode() for value in texts.to_pylist()]
    return pa.array(escaped, pa.large_string())


def _object(array: pa.StructArray, to_text: ToText) -> pa.Array:
    parts: list[pa.Array | str] = ["{"]
    for position, child in enumerate(array.flatten()):
        key = orjson.dumps(array.type.field(position).name).decode()
        parts += [f"{',' if position else ''}{key}:", json_text(child, to_text)]
    if len(parts) == 1:
        return masked(pa.array(["{}"] * len(array), pa.large_string()), array)
    return masked(joined(*parts, "}"), array)


def _list(array: pa.Array, to_text: ToText) -> pa.Array:
    elements = of_elements(array, lambda values: json_text(values, to_text))
    return in_brackets(array, elements, "[]")


def _map(array: pa.MapArray, to_text: ToText) -> pa.Array:
    pairs = as_pairs(array)
    keys = of_elements(pairs, lambda elements: _keys(elements.flatten()[0], to_text))
    _refuse_repeated(keys, lengths(pairs))
    values = of_elements(pairs, lambda elements: json_text(elements.flatten()[1], to_text))
    return in_brackets(pairs, joined(keys, ":", values), "{}")


def _keys(keys: pa.Array, to_text: ToText) -> pa.Array:
    """As strings, which is what JSON takes for a key."""
    written, kind = json_text(keys, to_text), kind_of(keys.type)
    if kind is Kind.FLOAT:
        return _quoted(pc.utf8_trim(written, '"'))
    return _quoted(_escaped(written)) if kind in _BARE or kind is Kind.NESTED else written


def _refuse_repeated(keys: pa.Array, counts: npt.NDArray[np.int64]) -> None:
    rows = np.repeat(np.arange(len(counts)), counts)
    counted = pa.table({"row": rows, "key": keys}).group_by(["row", "key"]).aggregate([([], "count_all")])
    repeated = counted.filter(pc.greater(counted["count_all"], 1))["row"].to_numpy()
    is_bad = np.zeros(len(counts), dtype=np.bool_)
    is_bad[repeated] = True
    refuse_where(is_bad, "a map whose keys differ")
