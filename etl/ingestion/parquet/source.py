"""One open Parquet file as the uploader's source of batches; see source.py."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from etl.arrow.travel import Travel
from etl.ingestion.model import BadRows, Batch, BinaryBytes, CopyPath, FileType, Payload, StagedColumn
from etl.ingestion.parquet.cutter import Chunk, chunks, row_bytes
from etl.ingestion.parquet.encoder import encode, shown
from etl.ingestion.parquet.reader import rows_between

_OBJECT_BYTES = 48
"""What a Python value weighs beside its content."""


@dataclass(frozen=True)
class ParquetOptions:
    """`travels` by the file's columns that are loaded, in the headers' order."""

    path: Path
    travels: dict[str, Travel]
    chunk_size: int
    copy_path: CopyPath
    bad_rows: BadRows
    maximum_bytes: int

    @property
    def names(self) -> list[str]:
        return list(self.travels)

    @property
    def as_records(self) -> bool:
        return self.copy_path is CopyPath.RECORDS

    def staged_columns(self) -> tuple[StagedColumn, ...]:
        return tuple(
            StagedColumn(name, journey.record_type if self.as_records else journey.type, name)
            for name, journey in self.travels.items()
        )


class ParquetSource:
    file_type = FileType.PARQUET

    def __init__(self, file: pq.ParquetFile, options: ParquetOptions) -> None:
        self._file = file
        self._options = options
        self._looked_at: tuple[int, pa.RecordBatch] | None = None
        self.path = options.path
        self.columns = options.staged_columns()
        self.size_bytes = options.path.stat().st_size
        self.bytes_read = 0

    def batches(self, skip: Collection[int] = ()) -> Iterator[Batch]:
        """The file's rows in order, in one pass; batches whose index is in `skip` are numbered but not yielded."""
        options, skipped = self._options, frozenset(skip)
        read = chunks(
            self._file,
            self.path,
            options.names,
            chunk_size=options.chunk_size,
            maximum_bytes=options.maximum_bytes,
        )
        for index, chunk in enumerate(read):
            self._advance(chunk)
            if index not in skipped:
                yield self._batch(index, chunk)
        self.bytes_read = self.size_bytes

    def checked(self, batch: Batch) -> Batch:
        """Reads the rows again and parses every JSON text, which only PostgreSQL does otherwise."""
        chunk = Chunk(batch.first_row, self._rows_of(batch))
        strict = self._batch(batch.index, chunk, strictly=True)
        return batch if strict.rows == batch.rows else strict

    def line_of(self, batch: Batch, row_in_batch: int) -> int | None:
        return None

    def record_of(self, batch: Batch, row_in_batch: int) -> tuple[str | None, ...]:
        """A row of the payload (from 0) as text in the order of the batch's columns."""
        rows = self._rows_of(batch)
        rejected = {reject.row - batch.first_row for reject in batch.rejects}
        kept = [position for position in range(len(rows)) if position not in rejected]
        return tuple(shown(column, kept[row_in_batch]) for column in rows.columns)

    def close(self) -> None:
        self._file.close()

    def _batch(self, index: int, chunk: Chunk, *, strictly: bool = False) -> Batch:
        options = self._options
        encoded = encode(
            chunk,
            tuple(options.travels.values()),
            as_records=options.as_records,
            strictly=strictly,
            is_fatal=options.bad_rows is BadRows.FAIL,
            path=self.path,
        )
        payload = encoded.payload
        return Batch(
            index=index,
            columns=self.columns,
            payload=payload,
            size_bytes=_size_bytes(payload, chunk),
            first_row=chunk.first_row,
            rows=len(encoded.numbers),
            rejects=encoded.rejects,
        )

    def _rows_of(self, batch: Batch) -> pa.RecordBatch:
        """Kept for the next question about the same batch."""
        looked_at = self._looked_at
        if looked_at is None or looked_at[0] != batch.index:
            count = (batch.rows or 0) + len(batch.rejects)
            looked_at = batch.index, rows_between(self.path, self._options.names, batch.first_row, count)
            self._looked_at = looked_at
        return looked_at[1]

    def _advance(self, chunk: Chunk) -> None:
        read = chunk.first_row + len(chunk.rows) - 1
        self.bytes_read = self.size_bytes * read // self._file.metadata.num_rows


def _size_bytes(payload: Payload, chunk: Chunk) -> int:
    if isinstance(payload, BinaryBytes):
        return len(payload.data)
    cells: int = chunk.rows.num_rows * chunk.rows.num_columns
    return int(row_bytes(chunk.rows).sum()) + _OBJECT_BYTES * cells
