"""What an executor does with one partition of a frame: Arrow batches in, staged Parquet or JSON files out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from etl.load.executors import Attempt, Receipt
from etl.load.s3.files.formats import FileFormat, open_file
from etl.load.s3.files.multipart import UploadFile
from etl.load.s3.paths import file_name
from etl.model import PARTITION_DATE
from etl.s3.store import StagedFile, StoreAddress, client_of

_SORT_BYTES = 32 * 1024 * 1024
_ROW_GROUP_BYTES = 64 * 1024 * 1024
_HELD_BYTES = 96 * 1024 * 1024
"""What one task holds of rows not yet written, all days together."""
_OPEN_FILES = 64
"""Each open file holds up to one part of 8 MiB: beyond this many days at once the files are closed and begun anew."""


@dataclass(frozen=True)
class FileTask:
    """What every attempt knows: where files go and what they look like."""

    address: StoreAddress
    prefix: str
    run: str
    format: FileFormat
    partitioned: bool
    target_file_bytes: int


class TableFile(Protocol):
    """One open Parquet or JSON file."""

    def write(self, rows: pa.Table) -> None: ...

    def close(self) -> None: ...


@dataclass
class _Day:
    """The rows of one partition_date (or of the whole table) on their way into a file."""

    held: list[pa.RecordBatch] = field(default_factory=list)
    held_bytes: int = 0
    upload: UploadFile | None = None
    file: TableFile | None = None
    rows_in_file: int = 0


def write_files(batches: Iterator[pa.RecordBatch], attempt: Attempt, task: FileTask) -> Receipt:
    """Stages the partition's rows and returns what was staged; on any failure nothing of this attempt remains."""
    writer = _PartitionFiles(attempt, task)
    try:
        rows = sum(writer.take(batch) for batch in _in_runs_of_days(batches, task.partitioned))
        files = writer.finish()
    except BaseException:
        writer.abort()
        raise
    detail = orjson.dumps([asdict(file) for file in files]).decode()
    return Receipt(attempt.part, attempt.number, rows, sum(file.bytes for file in files), detail)


def files_of(receipt: Receipt) -> list[StagedFile]:
    return [StagedFile(**{**entry, "etags": tuple(entry["etags"])}) for entry in orjson.loads(receipt.detail)]


class _PartitionFiles:
    def __init__(self, attempt: Attempt, task: FileTask) -> None:
        self._attempt, self._task = attempt, task
        self._client = client_of(task.address)
        self._days: dict[str, _Day] = {}
        self._held_bytes = 0
        self._opened = 0
        self._uploads: list[UploadFile] = []
        self._staged: list[StagedFile] = []

    def take(self, batch: pa.RecordBatch) -> int:
        """Adds rows of one day; returns how many."""
        folder = ""
        if self._task.partitioned:
            folder = f"{PARTITION_DATE}={batch.column(batch.num_columns - 1)[0].as_py().isoformat()}/"
            batch = batch.slice(0).select(list(range(batch.num_columns - 1)))
        day = self._days.setdefault(folder, _Day())
        day.held.append(batch)
        day.held_bytes += batch.nbytes
        self._held_bytes += batch.nbytes
        if day.held_bytes >= _ROW_GROUP_BYTES:
            self._write_held(folder, day)
        elif self._held_bytes >= _HELD_BYTES:
            self._write_all_held()
        return int(batch.num_rows)

    def finish(self) -> list[StagedFile]:
        for folder, day in self._days.items():
            self._write_held(folder, day)
            self._stage(day)
        return self._staged

    def abort(self) -> None:
        for upload in self._uploads:
            upload.abort()

    def _write_all_held(self) -> None:
        for folder, day in self._days.items():
            self._write_held(folder, day)
        open_days = [day for day in self._days.values() if day.file]
        if len(open_days) > _OPEN_FILES:
            for day in open_days:
                self._stage(day)

    def _write_held(self, folder: str, day: _Day) -> None:
        if not day.held:
            return
        rows = pa.Table.from_batches(day.held)
        self._held_bytes -= day.held_bytes
        day.held, day.held_bytes = [], 0
        if day.file is None:
            day.upload = self._open_upload(folder)
            day.file = open_file(self._task.format, day.upload, rows)
        day.file.write(rows)
        day.rows_in_file += rows.num_rows
        if day.upload and day.upload.bytes_written >= self._task.target_file_bytes:
            self._stage(day)

    def _open_upload(self, folder: str) -> UploadFile:
        name = file_name(
            self._attempt.part, self._task.run, self._attempt.number, self._opened, self._task.format.extension
        )
        upload = UploadFile(self._client, self._task.address.bucket, f"{self._task.prefix}{folder}{name}")
        self._opened += 1
        self._uploads.append(upload)
        return upload

    def _stage(self, day: _Day) -> None:
        if day.file is None or day.upload is None:
            return
        day.file.close()
        self._staged.append(day.upload.stage(day.rows_in_file))
        day.file, day.upload, day.rows_in_file = None, None, 0


def _in_runs_of_days(batches: Iterator[pa.RecordBatch], partitioned: bool) -> Iterator[pa.RecordBatch]:
    """Cuts batches so that each holds one day only (the last column); sorts some 32 MiB at a time for that."""
    if not partitioned:
        yield from (batch for batch in batches if batch.num_rows)
        return
    gathered: list[pa.RecordBatch] = []
    gathered_bytes = 0
    for batch in batches:
        gathered.append(batch)
        gathered_bytes += batch.nbytes
        if gathered_bytes >= _SORT_BYTES:
            yield from _runs(gathered)
            gathered, gathered_bytes = [], 0
    if gathered:
        yield from _runs(gathered)


def _runs(batches: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    table = pa.Table.from_batches(batches)
    dates: Any = table.column(table.num_columns - 1)
    if dates.null_count:
        raise ValueError(f"{dates.null_count} rows have no {PARTITION_DATE}; the loader refuses them before it writes")
    bounds = pc.min_max(dates).as_py()
    if bounds["min"] != bounds["max"]:
        table = table.take(pc.sort_indices(dates))
    for batch in table.combine_chunks().to_batches():
        lengths = pc.run_end_encode(batch.column(batch.num_columns - 1)).run_ends.to_pylist()
        start = 0
        for end in lengths:
            yield batch.slice(start, end - start)
            start = end
