"""A stream of UTF-8 blocks cut into runs of whole records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from etl.ingestion.csv_dialect import Dialect
from etl.ingestion.csv_errors import CsvError
from etl.ingestion.csv_records import Malformed, Record, RecordParser
from etl.ingestion.csv_scanning import NOWHERE, Positions, RecordScanner


@dataclass(frozen=True)
class Run:
    """Bytes that COPY reads as the file means them, as far as quotes and line ends go. `starts`: of its records."""

    data: bytes
    starts: Positions
    lines: int
    is_shrunk: bool


@dataclass(frozen=True)
class ParsedRun:
    """Records that had to be looked at one by one, because a quote or a carriage return stands where it should not."""

    records: list[Record | Malformed]
    lines: int
    is_shrunk: bool


class RecordCutter:
    """Holds what was read and not yet handed out: at most `maximum_bytes` and a block."""

    def __init__(self, path: Path, blocks: Iterator[bytes], dialect: Dialect, chunk_size: int, maximum_bytes: int):
        self._path = path
        self._blocks = blocks
        self._dialect = dialect
        self._parser = RecordParser(dialect)
        self._chunk_size = chunk_size
        self._maximum_bytes = maximum_bytes
        self._is_end = False
        self._restart(b"")

    def first_record(self) -> Record | Malformed | None:
        """Reads one record that is not blank, for a header; None: there is none. Only before the first `next_run`."""
        line = 1
        while (run := self._parse(line, 1)).records:
            record = run.records[0]
            if isinstance(record, Malformed) or not record.is_blank:
                return record
            line = record.next_line
        return None

    def next_run(self, line: int) -> Run | ParsedRun | None:
        """The next `chunk_size` records, or as many as fit; None at the end. `line` is the one that it begins on."""
        while not self._is_decided() and not self._doubts.size:
            self._scan_next()
        if not self._size:
            return None
        taken = self._ends[: self._chunk_size]
        taken = taken[: int(np.searchsorted(taken, self._maximum_bytes))]
        is_rest = self._is_end and taken.size == self._ends.size and self._size <= self._maximum_bytes
        end = self._size if is_rest else int(taken[-1]) + 1 if taken.size else 0
        if not end or (self._doubts.size and (not self._is_decided() or self._doubts[0] < end)):
            return self._parse(line, self._chunk_size)
        return self._run(end, taken, is_shrunk=not is_rest and taken.size < self._chunk_size)

    def _is_decided(self) -> bool:
        return self._is_end or self._ends.size >= self._chunk_size or self._size > self._maximum_bytes

    def _restart(self, data: bytes) -> None:
        """`data` begins with a record and has not been scanned."""
        self._pieces: list[bytes | memoryview] = []
        self._size = 0
        self._ends: Positions = NOWHERE
        self._doubts: Positions = NOWHERE
        self._has_inner_newlines = False
        self._scanner = RecordScanner(self._dialect)
        if data:
            self._scan(data)
            if self._is_end:
                self._scan_end()

    def _scan_next(self) -> None:
        block = next(self._blocks, None)
        if block is None:
            self._is_end = True
            self._scan_end()
        elif block:
            self._scan(block)

    def _scan(self, block: bytes) -> None:
        marks = self._scanner.scan(block)
        self._ends = np.concatenate([self._ends, marks.ends + self._size])
        if marks.doubts.size:
            self._doubts = np.concatenate([self._doubts, marks.doubts + self._size])
        self._has_inner_newlines |= marks.has_inner_newlines
        self._pieces.append(block)
        self._size += len(block)

    def _scan_end(self) -> None:
        if self._scanner.is_within:
            self._doubts = np.append(self._doubts, self._size - 1)

    def _run(self, end: int, ends: Positions, *, is_shrunk: bool) -> Run:
        data = self._take(end)
        starts = np.concatenate([np.zeros(1, np.int64), ends + 1])
        starts = starts[: np.searchsorted(starts, end)]
        self._ends = self._ends[ends.size :] - end
        self._doubts = self._doubts - end
        lines = data.count(b"\n") if self._has_inner_newlines else int(ends.size)
        if not self._pieces:
            self._has_inner_newlines = False
        return Run(data, starts, lines, is_shrunk)

    def _take(self, end: int) -> bytes:
        """The first `end` bytes, which are given up."""
        taken: list[bytes | memoryview] = []
        missing = end
        while missing:
            piece = self._pieces[0]
            if len(piece) > missing:
                taken.append(memoryview(piece)[:missing])
                self._pieces[0] = memoryview(piece)[missing:]
                missing = 0
            else:
                taken.append(self._pieces.pop(0))
                missing -= len(piece)
        self._size -= end
        return b"".join(taken)

    def _parse(self, line: int, count: int) -> ParsedRun:
        """Record by record. What lies behind is scanned again: the scanner may have taken a stray quote for real."""
        data = b"".join(self._pieces)
        first_line = line
        position = 0
        records: list[Record | Malformed] = []
        is_full = False
        while not is_full:
            for record in self._parser.records(data, position, line, is_end=self._is_end):
                is_full = len(records) == count or record.end > self._maximum_bytes
                if is_full:
                    break
                records.append(record)
                position, line = record.end, record.next_line
            is_full = is_full or self._is_end or len(records) == count or len(data) > self._maximum_bytes
            if not is_full:
                data += self._next_block()
        if not records and len(data) > position:
            raise self._too_long(data, line)
        self._restart(data[position:])
        return ParsedRun(records, line - first_line, len(records) < count and not (self._is_end and not self._size))

    def _next_block(self) -> bytes:
        block = next(self._blocks, None)
        self._is_end = block is None
        return block or b""

    def _too_long(self, data: bytes, line: int) -> CsvError:
        limit = f"{self._maximum_bytes:,} bytes"
        opened = self._parser.open_quotation(data, 0, line)
        if opened is not None:
            return CsvError(self._path, f"the quotation that begins here is not closed within {limit}", line=opened)
        returns = "; lines that end with a carriage return alone are not read" if b"\r" in data else ""
        return CsvError(
            self._path, f"expected a record of at most {limit}, found no end to this one{returns}", line=line
        )
