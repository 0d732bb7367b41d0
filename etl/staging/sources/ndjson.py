"""NDJSON: one JSON text a line. Blank lines are passed over; what a line holds is judged later, record by record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from etl.staging.sources.base import Place, Slice, until_failure
from etl.staging.sources.lines import LinePlace, go_to, line_blocks, line_of

_WHITE_SPACE = b" \t\r"


@dataclass(frozen=True)
class NdjsonFormat:
    """Of records longer than `longest` only so much is kept as shows that they are."""

    longest: int

    def slices(self, stream: BinaryIO, size: int, start: Place | None = None) -> Iterator[Slice]:
        place = LinePlace(**start) if start else LinePlace()
        go_to(stream, place.offset)
        begin, records, gaps = place, list[bytes](), list[list[int]]()
        failures: list[Exception] = []
        for lines, taken in until_failure(line_blocks(stream, self.longest, place.offset == 0), failures):
            done = 0
            while done < len(lines):
                piece = lines[done : done + size - len(records)]
                done += len(piece)
                place = place.after(piece, taken)
                _add(piece, records, gaps)
                if not records:
                    begin, gaps = place, []
                elif len(records) == size:
                    yield Slice(records, begin.plain(), place.plain(), gaps)
                    begin, records, gaps = place, [], []
        if records:
            yield Slice(records, begin.plain(), place.plain(), gaps)
        if failures:
            raise failures[0]

    def locate(self, position: dict[str, Any], number: int) -> dict[str, Any]:
        return {"line": line_of(position, number)}


def _add(lines: list[bytes], records: list[bytes], gaps: list[list[int]]) -> None:
    stripped = [line.strip(_WHITE_SPACE) for line in lines]
    if all(stripped):
        records += stripped
        return
    for line in stripped:
        if line:
            records.append(line)
        elif gaps and gaps[-1][0] == len(records):
            gaps[-1][1] += 1
        else:
            gaps.append([len(records), 1])
