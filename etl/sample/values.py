"""From numpy to the Arrow columns that COPY takes: uuid, bytea, inet, json and arrays in PostgreSQL's text forms."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.sample.draw import Bits, Floats, Mask, Whole

Column = Any
"""An Arrow array; pyarrow carries no types of its own."""
Columns = dict[str, Column]

MICROSECONDS_A_DAY = 86_400_000_000

_HEX = np.array([list(f"{byte:02x}".encode()) for byte in range(256)], dtype=np.uint8)
_UUID_PLACES = np.array([place for place in range(36) if place not in (8, 13, 18, 23)])


def integers(values: Whole, nulls: Mask | None = None) -> Column:
    return pa.array(values, mask=nulls)


def decimals(values: Floats, places: int, nulls: Mask | None = None) -> Column:
    return pa.array(np.round(values, places), mask=nulls)


def flags(values: Mask, nulls: Mask | None = None) -> Column:
    return pa.array(values, mask=nulls)


def dates(days: Whole, nulls: Mask | None = None) -> Column:
    """From days since 1970-01-01."""
    return pa.array(days.astype(np.int32), mask=nulls).cast(pa.date32())


def instants(microseconds: Whole, nulls: Mask | None = None) -> Column:
    """timestamptz, from microseconds since 1970-01-01 UTC."""
    return pa.array(microseconds, mask=nulls).cast(pa.timestamp("us", "UTC"))


def local_times(microseconds: Whole, nulls: Mask | None = None) -> Column:
    """timestamp without time zone."""
    return pa.array(microseconds, mask=nulls).cast(pa.timestamp("us"))


def words(values: Sequence[str | None]) -> Column:
    return pa.array(values, pa.string())


def take(vocabulary: Column, positions: Whole, nulls: Mask | None = None) -> Column:
    return vocabulary.take(pa.array(positions, mask=nulls))


def join(*parts: str | Column, separator: str = "") -> Column:
    """Text row by row; a constant repeats, numbers become text, and one NULL part makes the row NULL."""
    texts = [pa.scalar(part) if isinstance(part, str) else part.cast(pa.string()) for part in parts]
    return pc.binary_join_element_wise(*texts, separator)


def nullify(column: Column, nulls: Mask) -> Column:
    return pc.if_else(pa.array(nulls), pa.scalar(None, column.type), column)


def json_objects(members: Mapping[str, Column]) -> Column:
    """One JSON object a row. Text is quoted and escaped, NULL becomes null; nested JSON comes as `raw_json`."""
    parts: list[str | Column] = []
    for position, (name, column) in enumerate(members.items()):
        parts += [f"{',' if position else '{'}{json.dumps(name)}:", _json_text(column)]
    return join(*parts, "}")


def raw_json(column: Column) -> Column:
    """Marks text that is JSON already, so that json_objects nests it unquoted."""
    return column.cast(pa.large_string())


def _json_text(column: Column) -> Column:
    if pa.types.is_large_string(column.type):
        return column.cast(pa.string()).fill_null("null")
    if pa.types.is_string(column.type):
        escaped = pc.replace_substring(pc.replace_substring(column, "\\", "\\\\"), '"', '\\"')
        return join('"', escaped, '"').fill_null("null")
    return column.cast(pa.string()).fill_null("null")


def array_literal(elements: Sequence[str | int | None]) -> str:
    return "{" + ",".join(_array_element(element) for element in elements) + "}"


def _array_element(element: str | int | None) -> str:
    if element is None:
        return "NULL"
    if isinstance(element, int):
        return str(element)
    escaped = element.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def array_pool(
    elements: Sequence[str] | Sequence[int], size: int = 240, longest: int = 5, null_share: float = 0.02
) -> Column:
    """Array literals to take from: of 0 to `longest` different elements, now and then with a NULL among them."""
    chance = random.Random(f"{elements}{size}")  # noqa: S311  (repeatable, not secret)
    pool = []
    for _ in range(size):
        chosen: list[str | int | None] = list(
            chance.sample(list(elements), min(chance.randint(0, longest), len(elements)))
        )
        if chosen and chance.random() < null_share * 5:
            chosen[-1] = None
        pool.append(array_literal(chosen))
    return words(pool)


def fixed_length_integers(length: int, low: int, high: int, size: int = 300) -> Column:
    """Array literals of exactly `length` numbers (views by hour, histograms)."""
    chance = random.Random(f"{length}/{low}/{high}")  # noqa: S311  (repeatable, not secret)
    return words([array_literal([chance.randint(low, high) for _ in range(length)]) for _ in range(size)])


def uuids(high: Bits, low: Bits) -> Column:
    """Version 4 UUIDs of 122 of the bits; distinct inputs practically never meet."""
    raw = np.empty((len(high), 16), dtype=np.uint8)
    raw[:, :8] = high.astype(">u8").view(np.uint8).reshape(-1, 8)
    raw[:, 8:] = low.astype(">u8").view(np.uint8).reshape(-1, 8)
    raw[:, 6] = (raw[:, 6] & 0x0F) | 0x40
    raw[:, 8] = (raw[:, 8] & 0x3F) | 0x80
    text = np.full((len(high), 36), ord("-"), dtype=np.uint8)
    text[:, _UUID_PLACES] = _HEX[raw].reshape(-1, 32)
    return _fixed_width_text(text)


def blobs(*parts: Bits) -> Column:
    """bytea in hex form, eight bytes a part."""
    raw = np.column_stack([part.astype(">u8").view(np.uint8).reshape(-1, 8) for part in parts])
    text = np.empty((len(raw), 2 + 2 * raw.shape[1]), dtype=np.uint8)
    text[:, 0], text[:, 1] = ord("\\"), ord("x")
    text[:, 2:] = _HEX[raw].reshape(len(raw), -1)
    return _fixed_width_text(text)


def hex_text(*parts: Bits) -> Column:
    """The same without the prefix: commit ids, tokens."""
    return pc.utf8_slice_codeunits(blobs(*parts), 2)


def _fixed_width_text(text: np.ndarray[Any, np.dtype[np.uint8]]) -> Column:
    count, width = text.shape
    offsets = np.arange(0, (count + 1) * width, width, dtype=np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(text)))


# Addresses that belong to nobody: RFC 5737 (documentation), RFC 2544 (benchmarks), RFC 3849 (documentation, IPv6).
_NETWORKS = [*(f"192.0.2.{x}" for x in range(256)), *(f"198.51.100.{x}" for x in range(256))]
_NETWORKS += [
    f"198.{18 + high}.{middle}.{low}" for high in range(2) for middle in range(0, 256, 4) for low in range(0, 256, 3)
]
_NETWORKS += [f"2001:db8:{network:x}::{host:x}" for network in range(1, 40) for host in range(1, 60)]
ADDRESSES = words(_NETWORKS)
