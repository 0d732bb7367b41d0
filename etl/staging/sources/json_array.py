"""One JSON array of records, element by element: its text is handed on as it was read, so that numbers stay exact.

The standard library's scanner finds where an element ends. A parser that makes objects (ijson) would have to write them
anew, and what it read inexactly, a lone surrogate for one, would be lost without a word.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

from etl.errors import SourceError
from etl.staging.sources.base import Place, Slice, numbered_slices

BLOCK_BYTES = 1 << 20

# numbers are only passed over, not read; whether an element is good JSON is judged later, record by record
_SCANNER = json.JSONDecoder(strict=False, parse_int=str, parse_float=str, parse_constant=str)
_AFTER_ELEMENT = frozenset(",] \t\r\n")
_WHITE_SPACE = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True)
class JsonArrayFormat:
    """Elements longer than `longest` characters end the reading: memory is bounded."""

    longest: int

    def slices(self, stream: BinaryIO, size: int, start: Place | None = None) -> Iterator[Slice]:
        elements = _Scan(stream, self.longest).elements()
        return numbered_slices(islice(elements, start["row"] if start else 0, None), size, start)

    def locate(self, position: dict[str, Any], number: int) -> dict[str, Any]:
        return {"element": position["start"]["row"] + number + 1}


class _Scan:
    """A window that moves over the text. Bytes that are no UTF-8 pass through it unchanged, each as a surrogate."""

    def __init__(self, stream: BinaryIO, longest: int) -> None:
        self._stream = stream
        self._longest = longest
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape").decode
        self._text = ""
        self._at = 0
        self._has_ended = False
        self._found = 0

    def elements(self) -> Iterator[bytes]:
        self._expect("[")
        if self._next() == "]":
            self._at += 1
        else:
            yield self._element()
            while self._expect(",]") == ",":
                yield self._element()
        if following := self._next():
            raise self._broken(f"expected the end of the input after the array, found {following!r}")

    def _element(self) -> bytes:
        self._next()
        while True:
            end = self._end()
            # `1` may be the beginning of `1.5`: an element ends where something else begins
            if end and (self._has_ended or self._text[end : end + 1] in _AFTER_ELEMENT):
                break
            self._read_on()
        element = self._text[self._at : end].encode(errors="surrogateescape")
        self._at = end
        self._found += 1
        return element.replace(b"\n", b" ")

    def _end(self) -> int | None:
        """Of the element that begins here; None where more must be read to know."""
        is_all = self._has_ended or len(self._text) - self._at > self._longest
        try:
            return _SCANNER.raw_decode(self._text, self._at)[1]
        except json.JSONDecodeError as error:
            if is_all:
                raise self._broken(error.msg) from None
            return None
        except RecursionError:
            raise self._broken("nested too deeply") from None

    def _expect(self, characters: str) -> str:
        found = self._next()
        if not found or found not in characters:
            wanted = " or ".join(map(repr, characters))
            raise self._broken(f"expected {wanted}, found {repr(found) if found else 'the end of the input'}")
        self._at += 1
        return found

    def _next(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            match = _WHITE_SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if self._has_ended:
                return ""
            self._read_on()

    def _read_on(self) -> None:
        """As much again as is held: a long element is scanned a few times, not a thousand."""
        rest = self._text[self._at :]
        block = self._stream.read(max(BLOCK_BYTES, len(rest)))
        self._has_ended = not block
        self._text, self._at = rest + self._decode(block, self._has_ended), 0

    def _broken(self, why: str) -> SourceError:
        return SourceError(f"broken JSON array at element {self._found + 1}: {why}")
