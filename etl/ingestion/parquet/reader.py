"""The door to a Parquet file: rows in order, whatever its row groups, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from etl.arrow.values import as_pairs, numbers
from etl.errors import SourceError
from etl.names import is_readable
from etl.parquet_schema import IntervalError, as_described, described_schema

_BUFFER_BYTES = 1 << 20
"""Column chunks are read through a buffer of this size, so that one huge row group does not fill the memory."""

_NANOSECONDS_REACH = 9_223_372_036_854_775
"""Microseconds around 1970 that 64 bits of nanoseconds hold."""


def open_file(path: Path) -> pq.ParquetFile:
    """INT96 is read in microseconds, whose range holds every date that it can. Raises SourceError."""
    with reading(path):
        return pq.ParquetFile(
            _source(path),
            buffer_size=_BUFFER_BYTES,
            pre_buffer=False,
            page_checksum_verification=True,
            coerce_int96_timestamp_unit="us",
        )


def _source(path: Path) -> Path | pa.OSFile:
    """Arrow takes a name that is not UTF-8 as bytes only."""
    return path if is_readable(str(path)) else pa.OSFile(os.fsencode(path))


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """The door to the reader: what it cannot read is the file's fault."""
    try:
        yield
    except FileNotFoundError as error:
        raise SourceError(f"expected a Parquet file {path}, found none") from error
    except (OSError, pa.ArrowException) as error:
        raise SourceError(
            f"expected a whole Parquet file that Arrow reads, found {path}, of which it says: {_first_line(error)}; "
            "write or copy the file again"
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def read_batches(file: pq.ParquetFile, path: Path, columns: list[str], rows: int) -> Iterator[pa.RecordBatch]:
    """Raises SourceError, also for an INT96 with digits beyond the microsecond."""
    of_old = _legacy_columns(file)
    legacy = [name for name in columns if name in of_old]
    if not legacy:
        yield from _guarded(file, path, columns, rows)
        return
    first_row = 1
    with reading(path):
        exact = pq.ParquetFile(_source(path), buffer_size=_BUFFER_BYTES, pre_buffer=False)
    with exact:
        pairs = zip(_guarded(file, path, columns, rows), _guarded(exact, path, legacy, rows), strict=True)
        for batch, nanoseconds in pairs:
            for name in legacy:
                _refuse_lost_digits(path, first_row, name, batch.column(name), nanoseconds.column(name))
            yield batch
            first_row += len(batch)


def rows_between(path: Path, columns: list[str], first_row: int, count: int) -> pa.RecordBatch:
    """`count` rows from `first_row` (from 1) on; reads only the row groups that hold them."""
    with open_file(path) as file:
        groups, skipped = _groups_holding(file, first_row - 1, count)
        with reading(path):
            batches = file.iter_batches(batch_size=count, columns=columns, row_groups=groups, use_threads=False)
            batch = pa.concat_batches(list(_slices(batches, skipped, count)))
        return _described(batch, described_schema(file), path, columns, first_row)


def _groups_holding(file: pq.ParquetFile, start: int, count: int) -> tuple[list[int], int]:
    ends = np.cumsum([file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)])
    first, last = np.searchsorted(ends, [start, start + count - 1], side="right")
    before = int(ends[first - 1]) if first else 0
    return list(range(int(first), int(last) + 1)), start - before


def _slices(batches: Iterator[pa.RecordBatch], skipped: int, count: int) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        taken = batch.slice(skipped, max(count, 0))
        skipped, count = max(skipped - len(batch), 0), count - len(taken)
        if len(taken):
            yield taken
        if count <= 0:
            return


def _guarded(file: pq.ParquetFile, path: Path, columns: list[str], rows: int) -> Iterator[pa.RecordBatch]:
    with reading(path):
        batches = file.iter_batches(batch_size=rows, columns=columns, use_threads=False)
    schema, first_row = described_schema(file), 1
    while True:
        with reading(path):
            batch = next(batches, None)
        if batch is None:
            return
        yield _described(batch, schema, path, columns, first_row)
        first_row += len(batch)


def _described(
    batch: pa.RecordBatch, schema: pa.Schema, path: Path, columns: list[str], first_row: int
) -> pa.RecordBatch:
    """These columns, in the types that the file means."""
    return pa.RecordBatch.from_arrays(
        [_as_described(batch.column(name), schema.field(name).type, path, name, first_row) for name in columns],
        names=columns,
    )


def _as_described(array: pa.Array, arrow_type: pa.DataType, path: Path, name: str, first_row: int) -> pa.Array:
    try:
        return as_described(array, arrow_type)
    except IntervalError as error:
        raise SourceError(
            f"expected an interval that PostgreSQL holds in {path}, row {first_row + error.position}, column {name}, "
            f"found {error}; mend the file"
        ) from error


def _legacy_columns(file: pq.ParquetFile) -> frozenset[str]:
    schema = file.schema  # which is made anew each time it is asked for
    fields = [schema.column(position) for position in range(len(schema))]
    paths = [field.path for field in fields if field.physical_type == "INT96"]
    # one in a list or a struct has a path that begins with its column's name
    return frozenset((*paths, *(path.partition(".")[0] for path in paths)))


def _times_in(array: pa.Array) -> Iterator[pa.Array]:
    """The times that a column holds, in the order of its leaves."""
    if pa.types.is_timestamp(array.type):
        yield array
    elif pa.types.is_struct(array.type):
        for child in array.flatten():
            yield from _times_in(child)
    elif pa.types.is_map(array.type):
        yield from _times_in(as_pairs(array))
    elif pa.types.is_nested(array.type):
        yield from _times_in(array.flatten())


def _refuse_lost_digits(path: Path, first_row: int, name: str, read: pa.Array, nanoseconds: pa.Array) -> None:
    """Beyond the range of nanoseconds, which wrap around there, nothing is compared."""
    for times, exact in zip(_times_in(read), _times_in(nanoseconds), strict=True):
        is_bad = (abs(numbers(times)) < _NANOSECONDS_REACH) & (numbers(exact) % 1_000 != 0)
        if is_bad.any():
            position = int(np.flatnonzero(is_bad)[0])
            is_flat = pa.types.is_timestamp(read.type)
            place = f"row {first_row + position}" if is_flat else f"rows {first_row} to {first_row + len(read) - 1}"
            raise SourceError(
                f"expected whole microseconds, the finest that PostgreSQL stores, in {path}, {place}, column {name}, "
                f"found {exact[position].cast(pa.string()).as_py()}; mend the file"
            )
