"""Parquet rows as JSON, in the forms that parquet_values.py lists; a value that has none makes its row a reject."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from etl.errors import SourceError
from etl.parquet_schema import described_schema
from etl.staging.sources.base import BATCH_BYTES, Place, Slice, numbered_slices
from etl.staging.sources.parquet_values import Fault, FaultError, as_json, plain, without_form

ROWS_AT_ONCE = 1000
"""Fewer where they are long."""

_BUFFER_BYTES = 1 << 20

_NANOSECONDS = re.compile(r"(\.\d{6})\d{3}")


@dataclass(frozen=True)
class ParquetFormat:
    def slices(
        self, stream: BinaryIO, size: int, start: Place | None = None, size_bytes: int = BATCH_BYTES
    ) -> Iterator[Slice]:
        return numbered_slices(_records(stream, start["row"] if start else 0), size, start, size_bytes)

    def locate(self, position: dict[str, Any], number: int) -> dict[str, Any]:
        return {"row": position["start"]["row"] + number + 1}


def refuse_types(path: Path) -> None:
    """Raises SourceError where a column has no form in JSON; what is no Parquet file is told when it is read."""
    try:
        schema = described_schema(pq.ParquetFile(path))
    except (pa.ArrowException, OSError, ValueError):
        return
    try:
        _refuse_types(schema)
    except SourceError as error:
        raise SourceError(f"{path}: {error.message}") from error


def _records(stream: BinaryIO, first: int) -> Iterator[bytes]:
    if not stream.seekable():
        raise SourceError("expected a Parquet file as it is, found a packed one; unpack it first")
    with _reading():
        # INT96 is counted in microseconds, whose range holds every date that it can
        file = pq.ParquetFile(stream, buffer_size=_BUFFER_BYTES, coerce_int96_timestamp_unit="us")
        schema = described_schema(file)
        _refuse_types(schema)
        groups, skipped = _groups_from(file.metadata, first)
        rows_at_once = _rows_at_once(file.metadata)
    legacy = _Legacy.of(file, stream, groups, rows_at_once)
    for batch in _batches(file, groups, rows_at_once):
        with _reading():
            exact = legacy.values(batch) if legacy else {}
            columns = [
                exact[field.name] if field.name in exact else plain(batch.column(place), field.type, field.name)
                for place, field in enumerate(schema)
            ]
        names = schema.names
        rows = zip(*columns, strict=True) if columns else iter([()] * batch.num_rows)
        for number, row in enumerate(rows):
            if number >= skipped:
                yield _record(dict(zip(names, row, strict=True)))
        skipped = max(0, skipped - batch.num_rows)


def _record(row: dict[str, Any]) -> bytes:
    """A row that has no JSON becomes a text that says so, as a broken one of CSV does, and with it a reject."""
    try:
        return orjson.dumps(row, default=as_json)
    except orjson.JSONEncodeError as error:
        why = error.__cause__ if isinstance(error.__cause__, FaultError) else error
        return orjson.dumps(f"{why}: {_beginning(row)}")


def _beginning(row: dict[str, Any], longest: int = 1000) -> str:
    shown = {name: value.found if isinstance(value, Fault) else str(value)[:100] for name, value in row.items()}
    return str(shown)[:longest]


def _batches(file: pq.ParquetFile, groups: list[int], rows: int, columns: list[str] | None = None) -> Iterator[Any]:
    batches = file.iter_batches(batch_size=rows, row_groups=groups, columns=columns, use_threads=False)
    while True:
        with _reading():
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, ValueError, OverflowError) as error:
        raise SourceError(f"not a Parquet file that can be read as JSON: {error}") from error


@dataclass(frozen=True)
class _Legacy:
    """Columns that hold INT96, also read in nanoseconds: exact where 64 bits of them reach, between 1677 and 2262."""

    batches: Iterator[pa.RecordBatch]
    columns: tuple[str, ...]

    @classmethod
    def of(cls, file: pq.ParquetFile, stream: BinaryIO, groups: list[int], rows: int) -> _Legacy | None:
        leaves = [file.schema.column(place) for place in range(len(file.schema))]
        names = dict.fromkeys(leaf.path.split(".")[0] for leaf in leaves if leaf.physical_type == "INT96")
        # a name with a dot in it is found by no path
        columns = tuple(name for name in file.schema_arrow.names if name.split(".")[0] in names)
        if not columns:
            return None
        with _reading():
            exact = pq.ParquetFile(stream, buffer_size=_BUFFER_BYTES)
        return cls(_batches(exact, groups, rows), columns)

    def values(self, batch: pa.RecordBatch) -> dict[str, list[Any]]:
        nanoseconds = next(self.batches)
        return {name: self._exact(name, batch.column(name), nanoseconds.column(name)) for name in self.columns}

    def _exact(self, name: str, read: pa.Array, nanoseconds: pa.Array) -> list[Any]:
        """Row by row, what nanoseconds say, unless they have wrapped around."""
        both = zip(plain(read, read.type, name), plain(nanoseconds, nanoseconds.type, name), strict=True)
        return [fine if _in_microseconds(fine) == _in_microseconds(coarse) else coarse for coarse, fine in both]


def _in_microseconds(value: Any) -> Any:
    """A value with its instants as texts of six digits, however deep."""
    if isinstance(value, list):
        return [_in_microseconds(each) for each in value]
    if isinstance(value, dict):
        return {name: _in_microseconds(each) for name, each in value.items()}
    text = value.isoformat() if isinstance(value, datetime) else value
    return _NANOSECONDS.sub(r"\1", text).replace(".000000", "") if isinstance(text, str) else value


def _groups_from(metadata: pq.FileMetaData, first: int) -> tuple[list[int], int]:
    """The row groups that hold a row and those behind it, and how many rows to pass over in the first of them."""
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if first < rows:
            return list(range(group, metadata.num_row_groups)), first
        first -= rows
    return [], 0


def _rows_at_once(metadata: pq.FileMetaData) -> int:
    """So many that they hardly exceed a batch's bytes in memory."""
    groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
    row_bytes = max((group.total_byte_size / group.num_rows for group in groups if group.num_rows), default=1.0)
    return max(1, min(ROWS_AT_ONCE, int(BATCH_BYTES / max(row_bytes, 1.0))))


def _refuse_types(schema: pa.Schema) -> None:
    twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if twice:
        raise SourceError(f"expected each column once, found {twice[0]!r} again")
    faults = list(filter(None, (without_form(field.type, field.name) for field in schema)))
    if faults:
        raise SourceError("; ".join(faults))
