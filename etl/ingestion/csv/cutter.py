"""A stream of UTF-8 blocks cut into runs of whole records."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from etl.ingestion.csv.dialect import Dialect
from etl.ingestion.csv.errors import CsvError
from etl.ingestion.csv.places import starts_after
from etl.ingestion.csv.records import Malformed, Record, RecordParser
from etl.ingestion.csv.scanner import NOWHERE, Positions, RecordScanner

_SMALL_BLOCK = 1 << 16


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

    data: bytes
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
        self._unread: deque[bytes] = deque()
        self._restart()

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
        """The next `chunk_size` records, or as many as fit; None at the end. `line` is the one that it begins on.

        Record ends behind a doubt are none: the parity of quotes may be wrong from there on.
        """
        while not self._is_decided() and not self._doubts.size:
            self._scan_next()
        if self._start == self._scanned:
            return None
        limit = self._start + self._maximum_bytes
        taken = self._ends[: self._chunk_size]
        taken = taken[: int(np.searchsorted(taken, limit))]
        if self._doubts.size and self._doubts[0] < limit:
            is_before = taken.size == self._chunk_size and taken[-1] < self._doubts[0]
            return self._run(taken, int(taken[-1]) + 1) if is_before else self._parse(line, self._chunk_size)
        if self._is_end and taken.size == self._ends.size and self._scanned <= limit:
            return self._run(taken, self._scanned)
        return self._run(taken, int(taken[-1]) + 1) if taken.size else self._parse(line, self._chunk_size)

    def _is_decided(self) -> bool:
        is_beyond = self._scanned - self._start > self._maximum_bytes
        return self._is_end or is_beyond or self._ends.size >= self._chunk_size

    def _restart(self, unread: bytes = b"") -> None:
        """`unread` begins with a record; it comes again in small blocks, for the next doubt may be near."""
        blocks = [unread[start : start + _SMALL_BLOCK] for start in range(0, len(unread), _SMALL_BLOCK)]
        self._unread.extendleft(reversed(blocks))
        self._is_end = False
        self._pieces: list[bytes | memoryview] = []
        self._start = 0
        self._scanned = 0
        self._ends: Positions = NOWHERE
        self._doubts: Positions = NOWHERE
        self._has_inner_newlines = False
        self._scanner = RecordScanner(self._dialect)

    def _next_block(self) -> bytes | None:
        block = self._unread.popleft() if self._unread else next(self._blocks, None)
        self._is_end = block is None
        return block

    def _scan_next(self) -> None:
        block = self._next_block()
        if block:
            self._scan(block)
        elif self._is_end and self._scanner.is_within:
            self._doubts = np.append(self._doubts, self._scanned - 1)

    def _scan(self, block: bytes) -> None:
        marks = self._scanner.scan(block)
        self._ends = np.concatenate([self._ends, marks.ends + self._scanned])
        if marks.doubts.size:
            self._doubts = np.concatenate([self._doubts, marks.doubts + self._scanned])
        self._has_inner_newlines |= marks.has_inner_newlines
        self._pieces.append(block)
        self._scanned += len(block)

    def _run(self, ends: Positions, end: int) -> Run:
        """`ends` are the line ends up to `end`; the file's last record may have none."""
        data = self._take(end - self._start)
        starts = starts_after(ends - self._start, len(data))
        self._ends = self._ends[ends.size :]
        self._start = end
        lines = data.count(b"\n") if self._has_inner_newlines else int(ends.size)
        is_rest = self._is_end and end == self._scanned
        return Run(data, starts, lines, is_shrunk=starts.size < self._chunk_size and not is_rest)

    def _take(self, size: int) -> bytes:
        """The first bytes of what is held, which are given up."""
        taken: list[bytes | memoryview] = []
        while size:
            piece = self._pieces.pop(0)
            if len(piece) > size:
                self._pieces.insert(0, memoryview(piece)[size:])
                piece = memoryview(piece)[:size]
            taken.append(piece)
            size -= len(piece)
        return b"".join(taken)

    def _parse(self, line: int, count: int) -> ParsedRun:
        """Record by record. What lies behind is scanned again: the scanner may have taken a stray quote for real."""
        data = b"".join(self._pieces)
        first_line, position = line, 0
        records: list[Record | Malformed] = []
        while True:
            is_beyond = len(data) > self._maximum_bytes
            whole = data[: self._maximum_bytes] if is_beyond else data
            for record in self._parser.records(whole, position, line, is_end=self._is_end and not is_beyond):
                if len(records) == count:
                    break
                records.append(record)
                position, line = record.end, record.next_line
            if is_beyond or self._is_end or len(records) == count:
                break
            data += self._next_block() or b""
        if is_beyond and not records:
            raise self._too_long(whole, line)
        is_rest = self._is_end and position == len(data)
        self._restart(data[position:])
        return ParsedRun(data[:position], records, line - first_line, is_shrunk=len(records) < count and not is_rest)

    def _too_long(self, data: bytes, line: int) -> CsvError:
        limit = f"{self._maximum_bytes:,} bytes"
        opened = self._parser.open_quotation(data, 0, line)
        if opened is not None:
            return CsvError(self._path, f"the quotation that begins here is not closed within {limit}", line=opened)
        returns = "; lines that end with a carriage return alone are not read" if b"\r" in data else ""
        return CsvError(
            self._path, f"expected a record of at most {limit}, found no end to this one{returns}", line=line
        )
