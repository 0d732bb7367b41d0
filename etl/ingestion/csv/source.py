"""One CSV file as a source of batches; see Source."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import structlog

from etl.ingestion.compressed import ByteStream
from etl.ingestion.csv.cutter import ParsedRun, RecordCutter, Run
from etl.ingestion.csv.decoder import utf8_blocks
from etl.ingestion.csv.dialect import dialect_of
from etl.ingestion.csv.headers import FileColumns, columns_by_name, columns_by_position, first_record, names_of
from etl.ingestion.csv.places import Places, lines_at, places_of
from etl.ingestion.csv.records import Record, RecordParser
from etl.ingestion.csv.rows import CheckedRows, RowChecker, csv_bytes, decoded, is_text
from etl.ingestion.csv.tuples import text_rows
from etl.ingestion.model import (
    BadRows,
    Batch,
    CopyPath,
    CsvBytes,
    CsvOptions,
    FileType,
    Header,
    Payload,
    Records,
    StagedColumn,
)

_PLACES_KEPT = 8
_NEWLINE, _RETURN, _BACKSLASH, _POINT = b"\n\r\\."

log = structlog.get_logger(__name__)


class CsvSource:
    """One open file; see Source. `batches` may be called once."""

    file_type = FileType.CSV

    def __init__(
        self,
        path: Path,
        headers: Sequence[Header],
        options: CsvOptions,
        chunk_size: int,
        bad_rows: BadRows,
        copy_path: CopyPath,
        maximum_bytes: int,
    ) -> None:
        self.path = path
        self._dialect = dialect_of(options)
        self._parser = RecordParser(self._dialect)
        self._is_records = copy_path is CopyPath.RECORDS
        self._maximum_bytes = maximum_bytes
        self._has_told_of_shrinking = False
        self._places: dict[int, tuple[weakref.ref[Batch], Places]] = {}
        self._stream = ByteStream(path)
        blocks = utf8_blocks(path, self._stream.blocks(), options.encoding)
        self._cutter = RecordCutter(path, blocks, self._dialect, chunk_size, maximum_bytes)
        self._line = 1
        self._row = 1
        try:
            self._columns = self._open(headers, options)
        except BaseException:
            self._stream.close()
            raise
        self._checker = RowChecker(path, self._columns.names, options, bad_rows)

    @property
    def columns(self) -> tuple[StagedColumn, ...]:
        return self._columns.staged

    @property
    def size_bytes(self) -> int:
        return self._stream.size_bytes

    @property
    def bytes_read(self) -> int:
        return self._stream.bytes_read

    def batches(self, skip: Collection[int] = ()) -> Iterator[Batch]:
        """See Source.batches. Lines and rows of the file stay numbered over skipped batches."""
        index = 0
        while (run := self._cutter.next_run(self._line)) is not None:
            self._tell_of_shrinking(run)
            batch = self._batch(index, run)
            self._line += run.lines
            self._row += (batch.rows or 0) + len(batch.rejects)
            if index not in skip:
                yield batch
            index += 1

    def checked(self, batch: Batch) -> Batch:
        if batch.is_checked or not isinstance(batch.payload, CsvBytes):
            return batch
        data = batch.payload.data
        records = self._parser.records(data, 0, batch.first_line or 1, is_end=True)
        rows = self._checker.check(records, batch.first_row, is_text=is_text(data))
        is_exact = not (rows.has_changes or self._is_records or b"\r" in data or b"\\." in data)
        return batch if is_exact else self._rewritten(batch, rows)

    def line_of(self, batch: Batch, row_in_batch: int) -> int:
        return batch.lines[row_in_batch] if batch.is_checked else self._places_of(batch).lines[row_in_batch]

    def record_of(self, batch: Batch, row_in_batch: int) -> tuple[str | None, ...]:
        if not isinstance(batch.payload, CsvBytes):
            return tuple(batch.payload.rows[row_in_batch]) if isinstance(batch.payload, Records) else ()
        start = int(self._places_of(batch).starts[row_in_batch])
        record = next(self._parser.records(batch.payload.data, start, 1, is_end=True))
        fields = record.fields if isinstance(record, Record) else []
        return tuple(None if value is None else value.decode("utf-8", "backslashreplace") for value in fields)

    def close(self) -> None:
        self._stream.close()

    def _open(self, headers: Sequence[Header], options: CsvOptions) -> FileColumns:
        record = first_record(self._cutter, self.path) if options.has_header else None
        if record is None:
            return columns_by_position(headers)
        self._line = record.next_line
        return columns_by_name(self.path, names_of(record, self.path), headers, record.line)

    def _batch(self, index: int, run: Run | ParsedRun) -> Batch:
        batch = self._new_batch(index, run.data)
        if isinstance(run, ParsedRun):
            rows = self._checker.check(run.records, self._row, is_text=is_text(run.data))
            return self._rewritten(batch, rows)
        if self._is_doubtful(run):
            return self.checked(batch)
        batch = replace(batch, rows=int(run.starts.size))
        return self._as_records(batch, run) if self._is_records else batch

    def _as_records(self, batch: Batch, run: Run) -> Batch:
        rows = text_rows(run.data, self._dialect, len(self.columns))
        if rows is None:
            return self.checked(batch)
        lines = lines_at(run.data, run.starts, self._line)
        return replace(batch, payload=Records(rows), is_checked=True, lines=lines)

    def _is_doubtful(self, run: Run) -> bool:
        """What COPY refuses or misreads though quotes and line ends are right: NUL, blank lines, and `\\.` at the start
        of a line, at which it stops reading."""
        if b"\0" in run.data:
            return True
        octets = np.frombuffer(run.data, np.uint8)
        first = octets[run.starts]
        if len(self.columns) > 1 and ((first == _NEWLINE) | (first == _RETURN)).any():
            return True
        second = np.minimum(run.starts[first == _BACKSLASH] + 1, octets.size - 1)
        return bool((octets[second] == _POINT).any())

    def _new_batch(self, index: int, data: bytes) -> Batch:
        return Batch(index, self.columns, self._payload(data), len(data), first_row=self._row, first_line=self._line)

    def _rewritten(self, batch: Batch, checked: CheckedRows) -> Batch:
        payload: Payload
        if self._is_records:
            payload, size_bytes = Records([decoded(fields) for fields in checked.rows]), batch.size_bytes
        else:
            payload = self._payload(csv_bytes(checked.rows, self._dialect))
            size_bytes = len(payload.data)
        return replace(
            batch,
            payload=payload,
            size_bytes=size_bytes,
            rows=len(checked.rows),
            rejects=tuple(checked.rejects),
            rows_padded=checked.rows_padded,
            nul_characters=checked.nul_characters,
            is_checked=True,
            lines=checked.lines,
        )

    def _payload(self, data: bytes) -> CsvBytes:
        dialect = self._dialect
        return CsvBytes(data, dialect.delimiter.decode(), dialect.quotechar.decode(), dialect.null.decode())

    def _places_of(self, batch: Batch) -> Places:
        """A batch with one bad row often has thousands: those of the last few batches are kept."""
        known = self._places.get(batch.index)
        if known is not None and known[0]() is batch:
            return known[1]
        data = batch.payload.data if isinstance(batch.payload, CsvBytes) else b""
        places = places_of(data, self._dialect, batch.first_line or 1)
        if len(self._places) >= _PLACES_KEPT:
            self._places = {}
        self._places[batch.index] = (weakref.ref(batch), places)
        return places

    def _tell_of_shrinking(self, run: Run | ParsedRun) -> None:
        if run.is_shrunk and not self._has_told_of_shrinking:
            self._has_told_of_shrinking = True
            rows = len(run.records) if isinstance(run, ParsedRun) else int(run.starts.size)
            log.warning("chunk shrunk", file=str(self.path), rows=rows, maximum_bytes=self._maximum_bytes)
