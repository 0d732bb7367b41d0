"""What the uploader asks of a file, whatever its format."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Protocol

from etl.ingestion.model import Batch, FileType, StagedColumn


class Source(Protocol):
    """One open file. Plain synchronous code for one thread at a time; knows neither event loop nor database."""

    @property
    def path(self) -> Path: ...

    @property
    def file_type(self) -> FileType: ...

    @property
    def columns(self) -> tuple[StagedColumn, ...]:
        """The columns of every batch's payload, in its order."""

    @property
    def size_bytes(self) -> int:
        """The file's size on disk."""

    @property
    def bytes_read(self) -> int:
        """How much of the file, as it lies on disk, has been read: from 0 to `size_bytes`; any thread may ask."""

    def batches(self, skip: Collection[int] = ()) -> Iterator[Batch]:
        """The file's records in order, in one pass; batches whose index is in `skip` are numbered but not yielded."""

    def checked(self, batch: Batch) -> Batch:
        """The batch by the slow, exact path, for one that PostgreSQL refused: bad rows are taken out as rejects where
        the options allow it, else the first of them is raised as a SourceError that names file, line, column and value.

        A batch that comes back unchanged has nothing wrong that the reader could see. May be called by any thread.
        """

    def line_of(self, batch: Batch, row_in_batch: int) -> int | None:
        """The line of a CSV file on which a row of the payload (from 0) begins; None for Parquet."""

    def record_of(self, batch: Batch, row_in_batch: int) -> tuple[str | None, ...]:
        """A row of the payload (from 0) as text in the order of the batch's columns."""

    def close(self) -> None: ...


def row_of(batch: Batch, row_in_batch: int) -> int:
    """The number in the file, from 1, of a row of the payload, from 0: rejected records are counted there too."""
    row = batch.first_row + row_in_batch
    for rejected in sorted(reject.row for reject in batch.rejects if not reject.position):
        if rejected > row:
            break
        row += 1
    return row
