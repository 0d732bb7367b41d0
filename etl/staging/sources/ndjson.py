"""NDJSON: one JSON text a line. Blank lines are passed over; what a line holds is judged later, record by record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from etl.staging.sources.base import BATCH_BYTES, Place, Slice, until_failure
from etl.staging.sources.lines import LinePlace, go_to, line_blocks, line_of

_WHITE_SPACE = b" \t\r"


@dataclass(frozen=True)
class NdjsonFormat:
    """Of records longer than `longest` only so much is kept as shows that they are."""

    longest: int

    def slices(
        self, stream: BinaryIO, size: int, start: Place | None = None, size_bytes: int = BATCH_BYTES
    ) -> Iterator[Slice]:
        place = LinePlace(**start) if start else LinePlace()
        go_to(stream, place.offset)
        begin, records, held_bytes, gaps = place, list[bytes](), 0, list[list[int]]()
        failures: list[Exception] = []
        for lines, taken in until_failure(line_blocks(stream, self.longest, place.offset == 0), failures):
            done = 0
            while done < len(lines):
                piece = _fitting(lines[done : done + size - len(records)], size_bytes - held_bytes)
                done += len(piece)
                place = place.after(piece, taken)
                held_bytes += _add(piece, records, gaps)
                if not records:
                    begin, gaps = place, []
                elif len(records) == size or held_bytes >= size_bytes:
                    yield Slice(records, begin.plain(), place.plain(), gaps)
                    begin, records, held_bytes, gaps = place, [], 0, []
        if records:
            yield Slice(records, begin.plain(), place.plain(), gaps)
        if failures:
            raise failures[0]

    def locate(self, position: dict[str, Any], number: int) -> dict[str, Any]:
        return {"line": line_of(position, number)}


def _fitting(lines: list[bytes], room_bytes: int) -> list[bytes]:
    """Up to the line whose record fills the room."""
    if sum(map(len, lines)) < room_bytes:
        return lines
    for number, line in enumerate(lines, 1):
        room_bytes -= len(line.strip(_WHITE_SPACE))
        if room_bytes <= 0:
            return lines[:number]
    return lines


def _add(lines: list[bytes], records: list[bytes], gaps: list[list[int]]) -> int:
    """How many bytes the records have that were added."""
    stripped = [line.strip(_WHITE_SPACE) for line in lines]
    added_bytes = sum(map(len, stripped))
    if all(stripped):
        records += stripped
        return added_bytes
    for line in stripped:
        if line:
            records.append(line)
        elif gaps and gaps[-1][0] == len(records):
            gaps[-1][1] += 1
        else:
            gaps.append([len(records), 1])
    return added_bytes
