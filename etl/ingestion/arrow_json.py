"""Nested arrays as JSON text, column by column: the leaves become texts, which are joined level by level.

Numbers keep all their digits. What JSON has no form for becomes a string, as in PostgreSQL's own to_jsonb: NaN and
infinities, dates and times, bytes in hexadecimal digits. A map becomes an object; its keys become strings.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from etl.ingestion.arrow_types import Kind, kind_of
from etl.ingestion.arrow_values import BadValues, as_pairs, canonical, refuse_where

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
    return _joined('"', texts, '"')


def _joined(*parts: pa.Array | str) -> pa.Array:
    texts = [pa.scalar(part, pa.large_string()) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*texts, pa.scalar("", pa.large_string()))


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
        return _masked(pa.array(["{}"] * len(array), pa.large_string()), array)
    return _masked(_joined(*parts, "}"), array)


def _masked(texts: pa.Array, array: pa.Array) -> pa.Array:
    return pc.if_else(array.is_valid(), texts, None)


def _list(array: pa.Array, to_text: ToText) -> pa.Array:
    lengths = pc.list_value_length(array).fill_null(0)
    elements = _of_elements(lengths, lambda: json_text(array.flatten(), to_text))
    return _bracketed(array, lengths, elements, "[]")


def _map(array: pa.MapArray, to_text: ToText) -> pa.Array:
    pairs = as_pairs(array)
    lengths = pc.list_value_length(pairs).fill_null(0)
    keys, values = pairs.flatten().flatten()
    written = _of_elements(lengths, lambda: _keys(keys, to_text))
    _refuse_repeated(written, lengths)
    items = _of_elements(lengths, lambda: json_text(values, to_text))
    return _bracketed(array, lengths, _joined(written, ":", items), "{}")


def _keys(keys: pa.Array, to_text: ToText) -> pa.Array:
    written = json_text(keys, to_text)
    return written if kind_of(keys.type) is Kind.TEXT else _quoted_again(written)


def _quoted_again(written: pa.Array) -> pa.Array:
    bare = pc.utf8_trim(written, '"')
    return _quoted(_escaped(bare))


def _refuse_repeated(keys: pa.Array, lengths: pa.Array) -> None:
    rows = np.repeat(np.arange(len(lengths)), lengths.to_numpy())
    counted = pa.table({"row": rows, "key": keys}).group_by(["row", "key"]).aggregate([([], "count_all")])
    repeated = counted.filter(pc.greater(counted["count_all"], 1))["row"].to_numpy()
    is_bad = np.zeros(len(lengths), dtype=np.bool_)
    is_bad[repeated] = True
    refuse_where(is_bad, "a map whose keys differ")


def _of_elements(lengths: pa.Array, convert: Callable[[], pa.Array]) -> pa.Array:
    """Faults of elements become faults of the rows that hold them."""
    try:
        return convert()
    except BadValues as bad:
        ends = np.cumsum(lengths.to_numpy())
        rows = np.unique(np.searchsorted(ends, bad.positions, side="right"))
        raise BadValues(rows, bad.expected) from bad


def _bracketed(array: pa.Array, lengths: pa.Array, elements: pa.Array, brackets: str) -> pa.Array:
    offsets = np.concatenate([[0], np.cumsum(lengths.to_numpy())]).astype(np.int64)
    lists = pa.LargeListArray.from_arrays(offsets, elements)
    inside = pc.binary_join(lists, pa.scalar(",", pa.large_string()))
    return _masked(_joined(brackets[0], inside, brackets[1]), array)
