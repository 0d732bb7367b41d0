"""Lines of a byte stream, in big blocks: bytes.split is what makes a million lines a second possible."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, BinaryIO, NamedTuple

from etl.staging.sources.base import Place

BLOCK_BYTES = 1 << 20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class LinePlace(NamedTuple):
    """The beginning of a line. `offset` counts the bytes of the stream, unpacked; `line` from 1."""

    offset: int = 0
    line: int = 1

    def after(self, lines: list[bytes], taken: int | None) -> LinePlace:
        size = sum(map(len, lines)) + len(lines) if taken is None else taken
        return LinePlace(self.offset + size, self.line + len(lines))

    def plain(self) -> Place:
        return {"offset": self.offset, "line": self.line}


def line_blocks(stream: BinaryIO, longest: int, is_beginning: bool = True) -> Iterator[tuple[list[bytes], int | None]]:
    """Lists of lines without their newline; with a number where they took another number of bytes than they show.

    Of a line longer than `longest` one byte more than that is kept, so that memory is bounded and it can be told.
    """
    held: list[bytes] = []
    room, dropped = longest + 1, 0
    for block in _blocks(stream, is_beginning):
        if is_beginning and not dropped and block == BYTE_ORDER_MARK:
            dropped = len(block)
            continue
        *lines, tail = block.split(b"\n")
        if lines:
            lines[0] = b"".join((*held, lines[0]))
            if dropped:
                yield [lines[0][: longest + 1]], len(lines[0]) + 1 + dropped
                lines, dropped = lines[1:], 0
            if lines:
                yield lines, None
            held, room = [], longest + 1
        # joined when the line ends: a long one is not copied again for each of its blocks
        held.append(tail[:room])
        dropped += max(0, len(tail) - room)
        room -= len(held[-1])
    if rest := b"".join(held):
        yield [rest], len(rest) + dropped


def go_to(stream: BinaryIO, offset: int) -> None:
    """From the beginning: a plain file seeks, what is unpacked on the way must be read up to there."""
    if offset and stream.seekable():
        stream.seek(offset)
        return
    missing = offset
    while missing > 0 and (block := stream.read(min(missing, BLOCK_BYTES))):
        missing -= len(block)


def line_of(position: dict[str, Any], number: int) -> int:
    """The line on which a slice's record begins."""
    skipped: int = sum(lines for record, lines in position.get("gaps", ()) if record <= number)
    return int(position["start"]["line"]) + number + skipped


def _blocks(stream: BinaryIO, is_beginning: bool) -> Iterator[bytes]:
    rest = iter(lambda: stream.read(BLOCK_BYTES), b"")
    return chain(filter(None, [stream.read(len(BYTE_ORDER_MARK))]), rest) if is_beginning else rest
