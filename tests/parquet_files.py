"""Parquet files element by element: any physical type with any logical or converted one, as other writers pair them.

Flat columns that may hold NULL, one row group, one plain uncompressed page a column. pyarrow writes only what its own
types become.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PHYSICAL = ("BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY")
CONVERTED = (
    "UTF8", "MAP", "MAP_KEY_VALUE", "LIST", "ENUM", "DECIMAL", "DATE", "TIME_MILLIS", "TIME_MICROS",
    "TIMESTAMP_MILLIS", "TIMESTAMP_MICROS", "UINT_8", "UINT_16", "UINT_32", "UINT_64", "INT_8", "INT_16", "INT_32",
    "INT_64", "JSON", "BSON", "INTERVAL",
)  # fmt: skip
LOGICAL = {
    "STRING": 1, "ENUM": 4, "DECIMAL": 5, "DATE": 6, "TIME": 7, "TIMESTAMP": 8, "INTEGER": 10, "UNKNOWN": 11,
    "JSON": 12, "BSON": 13, "UUID": 14, "FLOAT16": 15, "VARIANT": 16, "GEOMETRY": 17, "GEOGRAPHY": 18,
}  # fmt: skip
UNITS = {"MILLIS": 1, "MICROS": 2, "NANOS": 3}
_PACKED = {"BOOLEAN": "?", "INT32": "<i", "INT64": "<q", "FLOAT": "<f", "DOUBLE": "<d"}


@dataclass(frozen=True)
class Element:
    """A column of the schema. `logical` is (name, arguments): ("TIME", (is_utc, "NANOS")), ("DECIMAL", (scale,
    precision)), ("INTEGER", (bits, is_signed)), or with none."""

    name: str
    physical: str
    values: Sequence[Any] = field(repr=False)
    length: int | None = None
    converted: str | None = None
    logical: tuple[str, tuple[Any, ...]] | None = None
    scale: int | None = None
    precision: int | None = None


def write_parquet(path: Path, elements: Sequence[Element]) -> Path:
    rows = len(elements[0].values)
    content, chunks = bytearray(b"PAR1"), []
    for element in elements:
        page = _page(element)
        chunks.append(_chunk(element, rows, len(content), len(page)))
        content += page
    group = _Struct().list_of(1, 12, chunks).i64(2, len(content)).i64(3, rows).end()
    schema = [_Struct().text(4, "schema").i32(5, len(elements)).end(), *map(_schema_element, elements)]
    footer = _Struct().i32(1, 2).list_of(2, 12, schema).i64(3, rows).list_of(4, 12, [group]).text(6, "by hand").end()
    path.write_bytes(bytes(content) + footer + struct.pack("<i", len(footer)) + b"PAR1")
    return path


def _page(element: Element) -> bytes:
    levels = b"".join(b"\x02" + bytes([value is not None]) for value in element.values)
    body = struct.pack("<i", len(levels)) + levels + _plain(element)
    data = _Struct().i32(1, len(element.values)).i32(2, 0).i32(3, 3).i32(4, 3).end()
    return _Struct().i32(1, 0).i32(2, len(body)).i32(3, len(body)).struct(5, data).end() + body


def _plain(element: Element) -> bytes:
    values = [value for value in element.values if value is not None]
    if element.physical == "BOOLEAN":
        bits = sum(int(value) << place for place, value in enumerate(values))
        return bits.to_bytes((len(values) + 7) // 8, "little")
    if element.physical in _PACKED:
        return b"".join(struct.pack(_PACKED[element.physical], value) for value in values)
    if element.physical == "BYTE_ARRAY":
        return b"".join(struct.pack("<i", len(value)) + value for value in values)
    return b"".join(values)


def _chunk(element: Element, rows: int, offset: int, size: int) -> bytes:
    metadata = (
        _Struct()
        .i32(1, PHYSICAL.index(element.physical))
        .list_of(2, 5, [_zigzag(0), _zigzag(3)])
        .list_of(3, 8, [_string(element.name)])
        .i32(4, 0)
        .i64(5, rows)
        .i64(6, size)
        .i64(7, size)
        .i64(9, offset)
        .end()
    )
    return _Struct().i64(2, offset).struct(3, metadata).end()


def _schema_element(element: Element) -> bytes:
    written = _Struct().i32(1, PHYSICAL.index(element.physical))
    if element.length is not None:
        written.i32(2, element.length)
    written.i32(3, 1).text(4, element.name)
    if element.converted is not None:
        written.i32(6, CONVERTED.index(element.converted))
    if element.scale is not None:
        written.i32(7, element.scale)
    if element.precision is not None:
        written.i32(8, element.precision)
    if element.logical is not None:
        name, arguments = element.logical
        written.struct(10, _Struct().struct(LOGICAL[name], _arguments(name, arguments)).end())
    return written.end()


def _arguments(name: str, arguments: tuple[Any, ...]) -> bytes:
    if name == "DECIMAL":
        return _Struct().i32(1, arguments[0]).i32(2, arguments[1]).end()
    if name in ("TIME", "TIMESTAMP"):
        unit = _Struct().struct(UNITS[arguments[1]], _Struct().end()).end()
        return _Struct().boolean(1, arguments[0]).struct(2, unit).end()
    if name == "INTEGER":
        return _Struct().i8(1, arguments[0]).boolean(2, arguments[1]).end()
    return _Struct().end()


class _Struct:
    """Thrift's compact protocol, as far as a footer needs it."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._last = 0

    def i8(self, place: int, value: int) -> _Struct:
        return self._field(place, 3, value.to_bytes(1, "little", signed=True))

    def i32(self, place: int, value: int) -> _Struct:
        return self._field(place, 5, _zigzag(value))

    def i64(self, place: int, value: int) -> _Struct:
        return self._field(place, 6, _zigzag(value))

    def boolean(self, place: int, value: bool) -> _Struct:
        return self._field(place, 1 if value else 2, b"")

    def text(self, place: int, value: str) -> _Struct:
        return self._field(place, 8, _string(value))

    def struct(self, place: int, value: bytes) -> _Struct:
        return self._field(place, 12, value)

    def list_of(self, place: int, kind: int, values: Sequence[bytes]) -> _Struct:
        head = bytes([len(values) << 4 | kind]) if len(values) < 15 else bytes([0xF0 | kind]) + _varint(len(values))
        return self._field(place, 9, head + b"".join(values))

    def end(self) -> bytes:
        return bytes(self._bytes) + b"\0"

    def _field(self, place: int, kind: int, value: bytes) -> _Struct:
        ahead = place - self._last
        self._bytes += (bytes([ahead << 4 | kind]) if ahead < 16 else bytes([kind]) + _zigzag(place)) + value
        self._last = place
        return self


def _string(value: str) -> bytes:
    return _varint(len(value.encode())) + value.encode()


def _zigzag(value: int) -> bytes:
    return _varint(value << 1 if value >= 0 else (-value << 1) - 1)


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(written) + bytes([value])
