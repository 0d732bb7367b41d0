"""Blocks of bytes in the file's encoding → blocks of UTF-8 without a byte-order mark."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from pathlib import Path

from etl.ingestion.csv.dialect import UTF8, codec_of
from etl.ingestion.csv.errors import CsvError

_LONGEST_MARK = 4
_MARKED = ("utf-16", "utf-32")
"""Need a byte-order mark, and their decoders take it off."""


def utf8_blocks(path: Path, blocks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Of a UTF-8 file the bytes as they are: who parses them finds what is not UTF-8."""
    codec = codec_of(encoding)
    if codec == UTF8:
        return _without_mark(blocks)
    transcoded = _Transcoder(path, codec).transcode(blocks)
    return transcoded if codec in _MARKED else _without_mark(transcoded)


def _without_mark(blocks: Iterable[bytes]) -> Iterator[bytes]:
    rest = _with_whole_mark(blocks)
    yield next(rest, b"").removeprefix(codecs.BOM_UTF8)
    yield from rest


def _with_whole_mark(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The first block is long enough for any byte-order mark, if the file is."""
    rest = iter(blocks)
    head = b""
    for block in rest:
        head += block
        if len(head) >= _LONGEST_MARK:
            break
    yield head
    yield from rest


class _Transcoder:
    def __init__(self, path: Path, codec: str) -> None:
        self._path = path
        self._codec = codec
        self._decoder = codecs.getincrementaldecoder(codec)()
        self._lines = 0
        self._characters = 0
        self._position = 0

    def transcode(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        for block in _with_whole_mark(blocks):
            if not self._position:
                self._refuse_unmarked(block)
            yield from self._step(block, final=False)
            self._position += len(block)
        yield from self._step(b"", final=True)

    def _step(self, block: bytes, *, final: bool) -> Iterator[bytes]:
        state = self._decoder.getstate()
        try:
            text = self._decoder.decode(block, final)
            encoded = text.encode()
        except UnicodeError as error:
            raise self._fault(error, block, state) from error
        self._count(text)
        if encoded:
            yield encoded

    def _count(self, text: str) -> None:
        breaks = text.count("\n")
        self._lines += breaks
        self._characters = len(text) - text.rfind("\n") - 1 if breaks else self._characters + len(text)

    def _refuse_unmarked(self, block: bytes) -> None:
        if self._codec not in _MARKED or not block:
            return
        marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
        if not block.startswith(marks):
            message = f"expected the byte-order mark of {self._codec}, found none; name the order: --encoding "
            raise CsvError(self._path, f"{message}{self._codec}-le or {self._codec}-be", line=1)

    def _fault(self, error: UnicodeError, block: bytes, state: tuple[bytes, int]) -> CsvError:
        """The decoder's own error counts from the start of what it was given and of what it still held."""
        held = state[0]
        start = getattr(error, "start", 0)
        found = b""
        if isinstance(error, UnicodeDecodeError):
            found = error.object[error.start : error.end]
            self._decoder.setstate(state)
            self._count(self._decoder.decode(block[: max(0, start - len(held))]))
        shown = " ".join(f"0x{octet:02x}" for octet in found[:8])
        place = f"character {self._characters + 1} (byte {self._position - len(held) + start + 1:,} of the stream)"
        message = f"expected {self._codec}, found {shown or 'a text without UTF-8 form'} at {place}"
        return CsvError(self._path, f"{message}; name the file's own encoding with --encoding", line=self._lines + 1)
