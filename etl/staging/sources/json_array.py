"""One JSON array of records, element by element: its text is handed on as it was read, so that numbers stay exact.

The standard library's scanner finds where an element ends. A parser that makes objects (ijson) would have to write them
anew, and what it read inexactly, a lone surrogate for one, would be lost without a word. Where the scanner cannot read
an element, brackets and quotes say where it ends: it alone is at fault, and judged later like any other.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, BinaryIO

from etl.errors import SourceError
from etl.staging.sources.base import BATCH_BYTES, Place, Slice, numbered_slices

BLOCK_BYTES = 1 << 20

# numbers are only passed over, not read; whether an element is good JSON is judged later, record by record
_SCANNER = json.JSONDecoder(strict=False, parse_int=str, parse_float=str, parse_constant=str)
_AFTER_ELEMENT = frozenset(",] \t\r\n")
_LONGEST_CUT = 2
"""Characters behind what looks like a number's end that may belong to it: `1` and `e+`, `1.5` and `e`."""
_WHITE_SPACE = re.compile(r"[ \t\r\n]*")
_OUTSIDE = re.compile(r'[\[\]{},"]')
_IN_TEXT = re.compile(r'["\\]')
_CLOSERS = {"[": "]", "{": "}"}


@dataclass(frozen=True)
class JsonArrayFormat:
    """Of elements longer than `longest` characters only so much is kept as shows that they are."""

    longest: int

    def slices(
        self, stream: BinaryIO, size: int, start: Place | None = None, size_bytes: int = BATCH_BYTES
    ) -> Iterator[Slice]:
        elements = _Scan(stream, self.longest).elements()
        behind = islice(elements, start["row"] if start else 0, None)
        return numbered_slices(behind, size, start, size_bytes)

    def locate(self, position: dict[str, Any], number: int) -> dict[str, Any]:
        return {"element": position["start"]["row"] + number + 1}


class _UnbalancedError(Exception):
    """No brackets tell where the element ends."""


@dataclass
class _Brackets:
    """Finds the end of an element by its brackets and quotes, through texts that follow one another."""

    deepest: int
    _closers: list[str] = field(default_factory=list)
    _is_in_text: bool = False
    _passed_over: int = 0

    def end(self, text: str, at: int) -> int | None:
        """None where it is not in this text. Raises _UnbalancedError."""
        at += self._passed_over
        while mark := (_IN_TEXT if self._is_in_text else _OUTSIDE).search(text, at):
            at = mark.end() + (mark[0] == "\\")
            if mark[0] == '"':
                self._is_in_text = not self._is_in_text
            elif mark[0] != "\\" and self._is_end(mark[0]):
                return mark.start()
        self._passed_over = max(0, at - len(text))
        return None

    def _is_end(self, mark: str) -> bool:
        if mark in _CLOSERS:
            self._closers.append(_CLOSERS[mark])
            if len(self._closers) > self.deepest:
                raise _UnbalancedError
        elif not self._closers:
            if mark == "}":
                raise _UnbalancedError
            return True
        elif mark != "," and self._closers.pop() != mark:
            raise _UnbalancedError
        return False


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
        if not self._next():  # no array either, and no record: as an empty file of any other text
            return
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
            try:
                end = _SCANNER.raw_decode(self._text, self._at)[1]
            except json.JSONDecodeError as error:
                if self._has_ended or len(self._text) - self._at > self._longest:
                    element = self._unread(error.msg)
                    break
            except RecursionError:
                element = self._unread("nested too deeply")
                break
            else:
                if self._is_whole(end):
                    element = self._text[self._at : end]
                    self._at = end
                    break
            self._read_on()
        self._found += 1
        return element.encode(errors="surrogateescape").replace(b"\n", b" ")

    def _is_whole(self, end: int) -> bool:
        """`1` may be the beginning of `1.5`: an element ends where something else begins."""
        following = self._text[end : end + 1]
        return self._has_ended or following in _AFTER_ELEMENT or len(self._text) - end > _LONGEST_CUT

    def _unread(self, why: str) -> str:
        """An element that the scanner cannot read, or the beginning of one that is too long."""
        brackets, kept = _Brackets(self._longest), ""
        try:
            while (end := brackets.end(self._text, self._at)) is None:
                kept += self._text[self._at : self._at + self._longest + 1 - len(kept)]
                self._at = len(self._text)
                if self._has_ended:
                    raise self._broken(why)
                self._read_on()
        except _UnbalancedError:
            raise self._broken(why) from None
        kept += self._text[self._at : min(end, self._at + self._longest + 1 - len(kept))]
        self._at = end
        if not (element := kept.strip()):
            raise self._broken(why)
        return element

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
