"""Where one batch of a Parquet file's rows ends: that depends on content, chunk size and byte limit alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import structlog

from etl.arrow.values import as_pairs
from etl.ingestion.parquet.reader import read_batches
from etl.names import stored_name

_CELL_BYTES = 8
"""What a cell costs beside its text or bytes."""

_PROBED_ROWS = 1_000

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows; `first_row` counts from 1."""

    first_row: int
    rows: pa.RecordBatch


def chunks(
    file: pq.ParquetFile, path: Path, columns: list[str], *, chunk_size: int, maximum_bytes: int
) -> Iterator[Chunk]:
    """At most `chunk_size` rows and `maximum_bytes` each, but for a single row that alone is larger."""
    first_row, is_shrunk, pending = 1, False, None
    for batch in read_batches(file, path, columns, _rows_at_once(file, path, columns, chunk_size, maximum_bytes)):
        pending = pa.concat_batches([pending, batch]) if pending is not None and len(pending) else batch
        while len(pending):
            count = _fitting_rows(pending, chunk_size, maximum_bytes)
            if count == len(pending) < chunk_size:
                break
            if count < chunk_size and not is_shrunk:
                is_shrunk = True
                _logger.warning("chunk shrunk", file=stored_name(path), rows=count, maximum_bytes=maximum_bytes)
            yield Chunk(first_row, pending.slice(0, count))
            first_row, pending = first_row + count, pending.slice(count)
    if pending is not None and len(pending):
        yield Chunk(first_row, pending)


def _rows_at_once(file: pq.ParquetFile, path: Path, columns: list[str], chunk_size: int, maximum_bytes: int) -> int:
    """So many that they hardly exceed the byte limit before they are cut. What the file says of its size counts a
    repeated value once, so the first rows are weighed too."""
    groups = [file.metadata.row_group(group) for group in range(file.metadata.num_row_groups)]
    said = max((group.total_byte_size / group.num_rows for group in groups if group.num_rows), default=1.0)
    first = next(read_batches(file, path, columns, min(chunk_size, _PROBED_ROWS)), None)
    weighed = float(row_bytes(first).mean()) if first is not None and len(first) else 1.0
    return max(1, min(chunk_size, int(maximum_bytes / max(said, weighed, 1.0))))


def _fitting_rows(rows: pa.RecordBatch, chunk_size: int, maximum_bytes: int) -> int:
    fitting = int(np.searchsorted(np.cumsum(row_bytes(rows)), maximum_bytes, side="right"))
    return min(max(fitting, 1), chunk_size, len(rows))


def row_bytes(rows: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """Each row's weight in memory, roughly."""
    return _summed([_cell_bytes(column) for column in rows.columns])


def _cell_bytes(array: pa.Array) -> npt.NDArray[np.int64]:
    """By a rule of our own: what Arrow reports of its buffers may change with its version, and batches with it."""
    if isinstance(array, pa.ExtensionArray):
        return _cell_bytes(array.storage)
    if pa.types.is_dictionary(array.type):
        return _taken(_cell_bytes(array.dictionary), array.indices)
    if pa.types.is_map(array.type):
        return _cell_bytes(as_pairs(array))
    if pa.types.is_struct(array.type):
        return _summed([_fixed(array), *(_cell_bytes(child) for child in array.flatten())])
    if pa.types.is_nested(array.type):
        return _list_bytes(array)
    if pa.types.is_fixed_size_binary(array.type) or not _has_length(array.type):
        return _fixed(array)
    return _fixed(array) + _counts(pc.binary_length(_without_views(array)))


def _summed(sizes: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    total: npt.NDArray[np.int64] = np.sum(sizes, axis=0, dtype=np.int64)
    return total


def _has_length(arrow_type: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(arrow_type)
        or pa.types.is_large_string(arrow_type)
        or pa.types.is_binary(arrow_type)
        or pa.types.is_large_binary(arrow_type)
        or pa.types.is_string_view(arrow_type)
        or pa.types.is_binary_view(arrow_type)
    )


def _fixed(array: pa.Array) -> npt.NDArray[np.int64]:
    width = array.type.byte_width if pa.types.is_fixed_size_binary(array.type) else _CELL_BYTES
    return np.full(len(array), width, dtype=np.int64)


def _taken(sizes: npt.NDArray[np.int64], indices: pa.Array) -> npt.NDArray[np.int64]:
    padded = np.append(sizes, _CELL_BYTES)
    return np.asarray(padded[np.asarray(indices.cast(pa.int64()).fill_null(len(sizes)))])


def _list_bytes(array: pa.Array) -> npt.NDArray[np.int64]:
    ends = np.cumsum(_counts(pc.list_value_length(array)))
    totals = np.concatenate([[0], np.cumsum(_cell_bytes(array.flatten()))])[ends]
    return _fixed(array) + np.diff(totals, prepend=0)


def _without_views(array: pa.Array) -> pa.Array:
    """Arrow tells no lengths of views."""
    if pa.types.is_string_view(array.type):
        return array.cast(pa.large_string())
    return array.cast(pa.large_binary()) if pa.types.is_binary_view(array.type) else array


def _counts(lengths: pa.Array) -> npt.NDArray[np.int64]:
    counts: npt.NDArray[np.int64] = lengths.cast(pa.int64()).fill_null(0).to_numpy()
    return counts
