"""Records of a CSV file one at a time, by the letter of RFC 4180: the slow path, which explains what it refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from etl.ingestion.csv.dialect import Dialect

Fields = list[bytes | None]


class Record(NamedTuple):
    """`end`: position of the byte after its line end. A blank line is a record of one bare empty field."""

    line: int
    next_line: int
    end: int
    fields: Fields
    is_blank: bool = False


class Malformed(NamedTuple):
    """A record that cannot be told apart from what follows. Reading goes on with the line after its first: a quote too
    many spoils one line, not the rest of the file. `column` counts its fields from 0; it broke on `fault_line`."""

    line: int
    next_line: int
    end: int
    column: int
    fault_line: int
    value: bytes
    reason: str


class _Fault(NamedTuple):
    column: int
    position: int
    value: bytes
    reason: str


@dataclass(frozen=True)
class RecordParser:
    dialect: Dialect

    def records(self, data: bytes, position: int, line: int, *, is_end: bool) -> Iterator[Record | Malformed]:
        """From `position`, which lies on `line`, to the last record that is whole; the very last one needs a line end
        only where `is_end` is False."""
        size = len(data) if is_end else data.rfind(b"\n") + 1
        while position < size:
            stop = data.find(b"\n", position, size)
            stop = size if stop < 0 else stop
            text = data[position:stop]
            found: Record | Malformed | None
            if self.dialect.quotechar not in text and b"\r" not in text[:-1]:
                found = self._plain(text, line, stop, has_newline=stop < size)
            else:
                found = self._by_field(data, position, size, line, is_end=is_end)
            if found is None:
                return
            yield found
            position, line = found.end, found.next_line

    def open_quotation(self, data: bytes, position: int, line: int) -> int | None:
        """The line on which the quotation begins that the record at `position` does not close; None: there is none."""
        fault = self._fields(data, position, len(data))
        if not isinstance(fault, _Fault) or fault.reason != _UNCLOSED:
            return None
        return line + data.count(b"\n", position, fault.position)

    def _plain(self, text: bytes, line: int, stop: int, *, has_newline: bool) -> Record | Malformed:
        if text.endswith(b"\r"):
            if not has_newline:
                return Malformed(line, line + 1, stop, 0, line, text, _BARE_RETURN)
            text = text[:-1]
        null = self.dialect.null
        fields: Fields = [None if field == null else field for field in text.split(self.dialect.delimiter)]
        return Record(line, line + 1, stop + has_newline, fields, not text)

    def _by_field(self, data: bytes, position: int, size: int, line: int, *, is_end: bool) -> Record | Malformed | None:
        """None: the record goes on behind the data."""
        found = self._fields(data, position, size)
        if not isinstance(found, _Fault):
            fields, end = found
            return Record(line, line + data.count(b"\n", position, end), end, fields)
        if found.reason == _UNCLOSED and not is_end:
            return None
        stop = data.find(b"\n", position, size)
        end = size if stop < 0 else stop + 1
        fault_line = line + data.count(b"\n", position, found.position)
        return Malformed(line, line + 1, end, found.column, fault_line, found.value, found.reason)

    def _fields(self, data: bytes, position: int, size: int) -> tuple[Fields, int] | _Fault:
        match = _field_pattern(self.dialect).match
        null = self.dialect.null
        quote = self.dialect.quotechar
        fields: Fields = []
        while True:
            field = match(data, position, size)
            if field is None:
                return self._fault(data, position, size, len(fields))
            quoted, bare, delimiter = field.groups()
            if quoted is None:
                fields.append(None if bare == null else bare)
            else:
                fields.append(quoted.replace(quote + quote, quote))
            position = field.end()
            if delimiter is None:
                return fields, position

    def _fault(self, data: bytes, position: int, size: int, column: int) -> _Fault:
        quote = self.dialect.quotechar
        if data[position : position + 1] != quote:
            stop = _first(data, position, size, quote, b"\r")
            reason = _STRAY_QUOTE if data[stop : stop + 1] == quote else _BARE_RETURN
            return _Fault(column, stop, self._excerpt(data, position, size), reason)
        quotation = _quotation_pattern(self.dialect).match(data, position, size)
        stop = size if quotation is None else quotation.end()
        if stop == size and not (quotation and quotation.group(1)):
            return _Fault(column, position, self._excerpt(data, position, size), _UNCLOSED)
        reason = _BARE_RETURN if data[stop : stop + 1] == b"\r" else _TEXT_AFTER_QUOTE
        return _Fault(column, stop, self._excerpt(data, position, size), reason)

    def _excerpt(self, data: bytes, position: int, size: int) -> bytes:
        return data[position : min(position + 500, size)].split(b"\n", 1)[0]


_UNCLOSED = "the quotation that begins here is never closed"
_STRAY_QUOTE = (
    "expected a field with quotechars to be quoted and each of them written twice, found one within a bare field"
)
_TEXT_AFTER_QUOTE = "expected a delimiter or a line end after the closing quotechar, found more text"
_BARE_RETURN = "expected lines to end with LF or CRLF, found a carriage return alone"


@cache
def _field_pattern(dialect: Dialect) -> re.Pattern[bytes]:
    q, d = re.escape(dialect.quotechar), re.escape(dialect.delimiter)
    bare = rb"[^" + q + d + rb"\r\n]*+"
    return re.compile(rb"(?:" + _quoted(q) + rb"|(" + bare + rb"))(?:(" + d + rb")|\r?\n|\Z)")


@cache
def _quotation_pattern(dialect: Dialect) -> re.Pattern[bytes]:
    q = re.escape(dialect.quotechar)
    return re.compile(q + rb"[^" + q + rb"]*+(?:" + q + q + rb"[^" + q + rb"]*+)*+(" + q + rb")?")


def _quoted(q: bytes) -> bytes:
    return q + rb"([^" + q + rb"]*+(?:" + q + q + rb"[^" + q + rb"]*+)*+)" + q


def _first(data: bytes, position: int, size: int, *wanted: bytes) -> int:
    places = [place for octet in wanted if (place := data.find(octet, position, size)) >= 0]
    return min(places, default=size)
