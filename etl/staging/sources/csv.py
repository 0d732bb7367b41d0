"""CSV as RFC 4180 has it, with a header row; a row becomes an object of texts.

An empty field is null, a quoted empty one is "". No library at hand tells the two apart and also says where a row is
broken: Python's csv module knows no null, pyarrow takes an unclosed quote for the rest of the file without a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import dropwhile
from typing import Any, BinaryIO, NamedTuple

import orjson

from etl.errors import SourceError
from etl.staging.sources.base import BATCH_BYTES, Place, Slice, until_failure
from etl.staging.sources.lines import LinePlace, line_blocks, line_of

_CLOSED = re.compile(rb'(?:[^"]++|"")*+"')
_QUOTED = re.compile(r'"((?:[^"]++|"")*+)("?)')


class _Row(NamedTuple):
    """`fields`: where they cannot be read, the record that says so."""

    fields: list[str | None] | bytes
    text: bytes
    start: LinePlace
    end: LinePlace


class _UnclosedError(Exception):
    """The row's last field goes on in the next line."""


class _BrokenRowError(Exception):
    """Not CSV; the message says why."""


@dataclass(frozen=True)
class CsvFormat:
    longest: int
    delimiter: str = ","

    def slices(
        self, stream: BinaryIO, size: int, start: Place | None = None, size_bytes: int = BATCH_BYTES
    ) -> Iterator[Slice]:
        rows = self._rows(line_blocks(stream, self.longest), LinePlace())
        header = next(rows, None)
        if header is None:
            return iter(())
        names = self._names(header)
        place = LinePlace(**start) if start else header.end
        if start:
            rows = self._rows_from(stream, place, rows)
        return self._cut(rows, names, size, size_bytes, place)

    def locate(self, position: dict[str, Any], number: int) -> dict[str, Any]:
        return {"line": line_of(position, number)}

    def _rows_from(self, stream: BinaryIO, place: LinePlace, rows: Iterator[_Row]) -> Iterator[_Row]:
        if not stream.seekable():
            return dropwhile(lambda row: row.start.offset < place.offset, rows)
        stream.seek(place.offset)
        return self._rows(line_blocks(stream, self.longest, is_beginning=False), place)

    def _cut(
        self, rows: Iterator[_Row], names: list[str], size: int, size_bytes: int, place: LinePlace
    ) -> Iterator[Slice]:
        begin, records, held_bytes, gaps = place, list[bytes](), 0, list[list[int]]()
        failures: list[Exception] = []
        for row in until_failure(rows, failures):
            if not records:
                begin = row.start
            elif row.start.line > place.line:  # blank lines
                _skip(gaps, len(records), row.start.line - place.line)
            records.append(self._record(row, names))
            held_bytes += len(records[-1])
            place = row.end
            _skip(gaps, len(records), place.line - row.start.line - 1)
            if len(records) == size or held_bytes >= size_bytes:
                yield Slice(records, begin.plain(), place.plain(), gaps)
                records, held_bytes, gaps = [], 0, []
        if records:
            yield Slice(records, begin.plain(), place.plain(), gaps)
        if failures:
            raise failures[0]

    # Rows

    def _rows(self, blocks: Iterator[tuple[list[bytes], int | None]], place: LinePlace) -> Iterator[_Row]:
        """Each with all its lines; only a quoted field has more than one."""
        held: list[bytes] = []
        start = place
        for lines, taken in blocks:
            for line in lines:
                start = start if held else place
                place = place.after([line], taken)
                held.append(line)
                fields = self._read(held)
                if fields is None:
                    if place.offset - start.offset > self.longest:
                        raise _endless(start)
                    continue
                text = _joined(held)
                held = []
                if text:
                    yield _Row(fields, text, start, place)
        if held:
            raise _endless(start)

    def _read(self, lines: list[bytes]) -> list[str | None] | bytes | None:
        """None where the row goes on in the next line. All of a long field is not read again for each of its lines."""
        if len(lines) > 1 and not _CLOSED.match(lines[-1]):
            return None
        row = _joined(lines)
        try:
            return self._fields(row.decode())
        except _UnclosedError:
            return None
        except _BrokenRowError as error:
            return orjson.dumps(f"{error}: {row.decode()}")
        except UnicodeDecodeError:
            return None if self._is_open(row) else row.replace(b"\n", b" ")

    def _is_open(self, row: bytes) -> bool:
        try:
            self._fields(row.decode(errors="replace"))
        except _UnclosedError:
            return True
        except _BrokenRowError:
            pass
        return False

    def _fields(self, text: str) -> list[str | None]:
        if '"' not in text:
            return [field or None for field in text.split(self.delimiter)]
        fields: list[str | None] = []
        at = 0
        while True:
            value, at = self._field(text, at)
            fields.append(value)
            if at == len(text):
                return fields
            at += 1  # the delimiter

    def _field(self, text: str, at: int) -> tuple[str | None, int]:
        quoted = _QUOTED.match(text, at)
        if quoted is None:
            end = text.find(self.delimiter, at)
            end = len(text) if end < 0 else end
            return text[at:end] or None, end
        if not quoted[2]:
            raise _UnclosedError
        end = quoted.end()
        if end < len(text) and text[end] != self.delimiter:
            raise _BrokenRowError(f"expected {self.delimiter!r} after a closing quote, found {text[end]!r}")
        return quoted[1].replace('""', '"'), end

    # Values

    def _names(self, header: _Row) -> list[str]:
        if isinstance(header.fields, bytes):
            raise SourceError(f"the header row cannot be read: {header.fields.decode(errors='replace')}")
        names = [name or "" for name in header.fields]
        wrong = [name for number, name in enumerate(names) if not name or name in names[:number]]
        if wrong:
            raise SourceError(f"expected a name of its own for each column, found {wrong[0]!r} in the header")
        return names

    def _record(self, row: _Row, names: list[str]) -> bytes:
        """A broken row becomes a text that says so, and with it a reject like any other that is no object."""
        if len(row.text) > self.longest:
            return row.text.replace(b"\n", b" ")
        if isinstance(row.fields, bytes):
            return row.fields
        if len(row.fields) != len(names):
            found = f"expected {len(names)} fields, as the header has, found {len(row.fields)}"
            return orjson.dumps(f"{found}: {row.text.decode()}")
        return orjson.dumps(dict(zip(names, row.fields, strict=True)))


def _joined(lines: list[bytes]) -> bytes:
    return b"\n".join(lines).removesuffix(b"\r")


def _skip(gaps: list[list[int]], record: int, lines: int) -> None:
    if not lines:
        return
    if gaps and gaps[-1][0] == record:
        gaps[-1][1] += lines
    else:
        gaps.append([record, lines])


def _endless(start: LinePlace) -> SourceError:
    return SourceError(
        f"line {start.line}: a quoted field of this row does not end, or is longer than maximum_record_bytes; "
        "close it, double a quote within it, or raise the limit"
    )
