"""Where the records of a batch's payload stand, for whoever asks about one of its rows."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np

from etl.ingestion.csv.dialect import Dialect
from etl.ingestion.csv.scanner import Positions, RecordScanner

_NEWLINE = 10


@dataclass(frozen=True)
class Places:
    """`starts`: the position of each record's first byte; `lines`: the line it is on."""

    starts: Positions
    lines: array[int]


def places_of(data: bytes, dialect: Dialect, first_line: int) -> Places:
    """Of whole records without stray quotes."""
    starts = starts_after(RecordScanner(dialect).scan(data).ends, len(data)) if data else np.empty(0, np.int64)
    return Places(starts, lines_at(data, starts, first_line))


def starts_after(ends: Positions, size: int) -> Positions:
    """The first record begins at 0, each other one after an end; the last one may have none."""
    starts = np.concatenate([np.zeros(1, np.int64), ends + 1])
    return starts[: int(np.searchsorted(starts, size))]


def lines_at(data: bytes, starts: Positions, first_line: int) -> array[int]:
    newlines = np.flatnonzero(np.frombuffer(data, np.uint8) == _NEWLINE)
    return array("q", (np.searchsorted(newlines, starts) + first_line).astype(np.int64).tobytes())
