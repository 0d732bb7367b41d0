"""Texts of uuids → their 16 bytes, taking what PostgreSQL's uuid_in takes."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl.arrow.values import refuse_where, with_nulls_of

_BYTES, _LETTERS = 16, 36
_NIL = "00000000-0000-0000-0000-000000000000"
_DASHES = (8, 13, 18, 23)
_HEX_POSITIONS = np.array([position for position in range(_LETTERS) if position not in _DASHES])
_NOT_HEX = 255

_SPELLING = re.compile(r"\{?((?:[0-9a-fA-F]{4}-?){7}[0-9a-fA-F]{4})\}?")
"""A dash may stand after any group of four digits; braces stand on both sides or on none."""


def uuid_bytes(array: pa.Array) -> pa.Array:
    """fixed_size_binary(16). The usual spelling is read column-wise, any other one by one. Raises BadValues."""
    filled = array.fill_null(_NIL) if array.null_count else array
    letters = _letters(filled)
    digits = None if letters is None else _HEX_VALUES[letters[:, _HEX_POSITIONS]]
    if letters is None or digits is None or (digits == _NOT_HEX).any() or (letters[:, _DASHES] != ord("-")).any():
        return _one_by_one(array)
    return with_nulls_of(array, pa.binary(_BYTES), (digits[:, 0::2] << 4) | digits[:, 1::2])


def _letters(array: pa.Array) -> npt.NDArray[np.uint8] | None:
    """A row for each value, or None where not all are as long as usual."""
    if pc.all(pc.equal(pc.binary_length(array), _LETTERS)).as_py() is False:
        return None
    if not len(array):
        return np.empty((0, _LETTERS), dtype=np.uint8)
    width = np.int64 if pa.types.is_large_string(array.type) else np.int32
    start = int(np.frombuffer(array.buffers()[1], dtype=width)[array.offset])
    texts = np.frombuffer(array.buffers()[2], dtype=np.uint8)
    return texts[start : start + len(array) * _LETTERS].reshape(-1, _LETTERS)


def _one_by_one(array: pa.Array) -> pa.Array:
    texts = array.to_pylist()
    values = [None if text is None else _parsed(text) for text in texts]
    is_bad = [value is None and text is not None for value, text in zip(values, texts, strict=True)]
    refuse_where(np.array(is_bad, dtype=bool), "a uuid")
    return pa.array(values, pa.binary(_BYTES))


def _parsed(text: str) -> bytes | None:
    found = _SPELLING.fullmatch(text)
    if found is None or text.startswith("{") != text.endswith("}"):
        return None
    return bytes.fromhex(found[1].replace("-", ""))


def _hex_values() -> npt.NDArray[np.uint8]:
    values = np.full(256, _NOT_HEX, dtype=np.uint8)
    for digits in ("0123456789abcdef", "0123456789ABCDEF"):
        values[np.frombuffer(digits.encode(), dtype=np.uint8)] = np.arange(16, dtype=np.uint8)
    return values


_HEX_VALUES = _hex_values()
