"""Parquet files, column by column: batches of rows become COPY's binary format without a Python object a value."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pgpq import ArrowToPostgresBinaryEncoder, encoders
from pgpq.schema import Jsonb

from etl.errors import SchemaMismatchError, SourceError
from etl.ingestion.arrow_text import text
from etl.ingestion.arrow_travel import MismatchError, Travel, travel
from etl.ingestion.arrow_types import UnmappedTypeError, kind_of, postgresql_type
from etl.ingestion.arrow_values import BadValues, canonical
from etl.ingestion.model import (
    BadRows,
    Batch,
    BinaryBytes,
    CopyPath,
    FileType,
    Header,
    Payload,
    Records,
    Reject,
    StagedColumn,
)
from etl.ingestion.parquet_reading import Chunk, chunks, open_file, rows_between

MAXIMUM_BYTES = 64 << 20
"""Of one batch, where the caller says nothing else."""

_SHOWN_CHARACTERS = 100


def parquet_columns(path: Path, headers: Sequence[Header], preserve_types: bool) -> tuple[Header, ...]:
    """Every header with the type for its column: the declared one, else the file's where types are preserved, else
    text. A header that the file lacks has None where types are preserved: another file may know it.

    Raises SourceError for a file that is no Parquet file, holds a header twice or none of them, or has a type that
    PostgreSQL has no counterpart of.
    """
    with open_file(path) as file:
        fields = _fields(file, path, headers)
    faults: list[str] = []
    columns = tuple(_typed(header, fields, preserve_types, faults) for header in headers)
    if faults:
        raise SourceError(_listed(f"expected columns of types that PostgreSQL has, found others in {path}", faults))
    return columns


def open_parquet(
    path: Path,
    headers: Sequence[Header],
    target_types: Mapping[str, str],
    *,
    chunk_size: int,
    copy_path: CopyPath = CopyPath.AUTO,
    preserve_types: bool = True,
    timezone: str | None = None,
    bad_rows: BadRows = BadRows.FAIL,
    maximum_bytes: int = MAXIMUM_BYTES,
) -> ParquetSource:
    """`target_types` are the target's columns as format_type() spells them; a column that it lacks travels as text.

    How a column travels depends on its own type and the target's alone, so that `preserve_types` changes only what
    parquet_columns says of a table to be made. Raises SourceError as parquet_columns does, and SchemaMismatchError
    with every column whose type does not become the target's.
    """
    file = open_file(path)
    try:
        fields = _fields(file, path, headers)
        travels = _travels(path, fields, target_types, timezone)
    except BaseException:
        file.close()
        raise
    settings = _Settings(path, tuple(travels), tuple(travels.values()), chunk_size, copy_path, bad_rows, maximum_bytes)
    return ParquetSource(file, settings)


def batch_generator(
    path: Path, headers: Sequence[Header | str], chunk_size: int, *, maximum_bytes: int = MAXIMUM_BYTES
) -> Iterator[list[tuple[Any, ...]]]:
    """Lists of at most `chunk_size` tuples of Python's own values in the order of `headers`, None for one that the file
    lacks. Raises SourceError for a file that cannot be read and a value that Python cannot hold."""
    names = [header if isinstance(header, str) else header.name for header in headers]
    with open_file(path) as file:
        fields = _fields(file, path, [Header(name) for name in names])
        for chunk in chunks(file, path, list(fields), chunk_size=chunk_size, maximum_bytes=maximum_bytes):
            yield _tuples(chunk, path, names)


def _tuples(chunk: Chunk, path: Path, names: list[str]) -> list[tuple[Any, ...]]:
    held = set(chunk.rows.schema.names)
    missing = [None] * len(chunk.rows)
    columns = [_python_values(chunk, path, name) if name in held else missing for name in names]
    return list(zip(*columns, strict=True))


def _python_values(chunk: Chunk, path: Path, name: str) -> list[Any]:
    array = chunk.rows.column(name)
    try:
        values: list[Any] = (array if isinstance(array, pa.ExtensionArray) else canonical(array)).to_pylist()
    except BadValues as bad:
        position = int(bad.positions[0])
        raise _refusal(path, chunk.first_row + position, name, array, position, bad.expected) from bad
    except (ValueError, OverflowError, pa.ArrowException) as error:
        raise SourceError(
            f"expected values that Python can hold in column {name} of {path}, rows {chunk.first_row} to "
            f"{chunk.first_row + len(array) - 1}, found one that it cannot: {error}"
        ) from error
    return values


@dataclass(frozen=True)
class _Settings:
    path: Path
    names: tuple[str, ...]
    travels: tuple[Travel, ...]
    chunk_size: int
    copy_path: CopyPath
    bad_rows: BadRows
    maximum_bytes: int

    @property
    def is_records(self) -> bool:
        return self.copy_path is CopyPath.RECORDS

    @property
    def columns(self) -> tuple[StagedColumn, ...]:
        return tuple(
            StagedColumn(name, travel.record_type if self.is_records else travel.type, name)
            for name, travel in zip(self.names, self.travels, strict=True)
        )


class ParquetSource:
    """One open Parquet file; see etl/ingestion/source.py."""

    file_type = FileType.PARQUET

    def __init__(self, file: pq.ParquetFile, settings: _Settings) -> None:
        self._file = file
        self._settings = settings
        self.path = settings.path
        self.columns = settings.columns
        self.size_bytes = settings.path.stat().st_size
        self.bytes_read = 0

    def batches(self, skip: Collection[int] = ()) -> Iterator[Batch]:
        """The file's rows in order, in one pass; batches whose index is in `skip` are numbered but not yielded."""
        settings, skipped = self._settings, frozenset(skip)
        limits = {"chunk_size": settings.chunk_size, "maximum_bytes": settings.maximum_bytes}
        for index, chunk in enumerate(chunks(self._file, self.path, list(settings.names), **limits)):
            self._advance(chunk)
            if index not in skipped:
                yield _batch(index, chunk, settings)

    def checked(self, batch: Batch) -> Batch:
        """Reads the batch again and looks for what PostgreSQL alone would find."""
        return batch

    def line_of(self, batch: Batch, row_in_batch: int) -> int | None:
        return None

    def record_of(self, batch: Batch, row_in_batch: int) -> tuple[str | None, ...]:
        """The row as text, in the order of the columns."""
        count = (batch.rows or 0) + len(batch.rejects)
        rows = rows_between(self.path, list(self._settings.names), batch.first_row, count)
        rejected = {reject.row - batch.first_row for reject in batch.rejects}
        kept = [position for position in range(count) if position not in rejected]
        return tuple(_shown(column, kept[row_in_batch]) for column in rows.columns)

    def close(self) -> None:
        self._file.close()

    def _advance(self, chunk: Chunk) -> None:
        read = chunk.first_row + len(chunk.rows) - 1
        self.bytes_read = self.size_bytes * read // self._file.metadata.num_rows


def _fields(file: pq.ParquetFile, path: Path, headers: Sequence[Header]) -> dict[str, pa.DataType]:
    """The headers that the file holds, in their own order."""
    schema = file.schema_arrow
    counts = {header.name: len(schema.get_all_field_indices(header.name)) for header in headers}
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        raise SourceError(f"expected every header once in {path}, found {', '.join(repeated)} more often")
    if not any(counts.values()):
        raise SourceError(f"expected columns {', '.join(counts)} in {path}, found only {', '.join(schema.names)}")
    return {name: schema.field(name).type for name, count in counts.items() if count}


def _typed(header: Header, fields: Mapping[str, pa.DataType], preserve_types: bool, faults: list[str]) -> Header:
    mapped = None
    if header.name in fields:
        try:
            mapped = postgresql_type(fields[header.name])
        except UnmappedTypeError as error:
            faults.append(f"{header.name}: {error}")
    return replace(header, type=header.type or (mapped if preserve_types else "text"))


def _travels(
    path: Path, fields: Mapping[str, pa.DataType], target_types: Mapping[str, str], timezone: str | None
) -> dict[str, Travel]:
    travels: dict[str, Travel] = {}
    faults: list[str] = []
    for name, arrow_type in fields.items():
        try:
            travels[name] = travel(arrow_type, target_types.get(name, "text"), timezone)
        except (MismatchError, UnmappedTypeError) as error:
            faults.append(f"{name}: {error}")
    if faults:
        raise SchemaMismatchError(_listed(f"expected columns that become the target's, found others in {path}", faults))
    return travels


def _listed(head: str, faults: list[str]) -> str:
    return "\n".join([f"{head}:", *(f"  {fault}" for fault in faults)])


def _batch(index: int, chunk: Chunk, settings: _Settings) -> Batch:
    """Rows whose values cannot travel are taken out as rejects, or the first of them is raised."""
    convert: Callable[[pa.RecordBatch, _Settings], Payload] = _records if settings.is_records else _binary
    rows, numbers = chunk.rows, np.arange(chunk.first_row, chunk.first_row + len(chunk.rows))
    rejects: list[Reject] = []
    while True:
        try:
            payload = convert(rows, settings)
        except _BadColumn as bad:
            found = _rejects(bad, rows, numbers)
            if settings.bad_rows is BadRows.FAIL:
                raise _error(settings.path, found[0]) from bad
            rejects += found
            rows, numbers = _without(rows, numbers, bad)
        else:
            size = len(payload.data) if isinstance(payload, BinaryBytes) else rows.nbytes
            ordered = tuple(sorted(rejects, key=lambda reject: reject.row))
            return Batch(index, settings.columns, payload, size, chunk.first_row, rows=len(rows), rejects=ordered)


class _BadColumn(Exception):
    def __init__(self, name: str, bad: BadValues) -> None:
        super().__init__(name)
        self.name = name
        self.bad = bad


def _arrays(rows: pa.RecordBatch, settings: _Settings, convert: Callable[[Travel, pa.Array], Any]) -> list[Any]:
    converted = []
    for name, journey in zip(settings.names, settings.travels, strict=True):
        try:
            converted.append(convert(journey, rows.column(name)))
        except BadValues as bad:
            raise _BadColumn(name, bad) from bad
    return converted


def _records(rows: pa.RecordBatch, settings: _Settings) -> Records:
    values = _arrays(rows, settings, lambda journey, array: journey.records(array))
    return Records(list(zip(*values, strict=True)))


def _binary(rows: pa.RecordBatch, settings: _Settings) -> BinaryBytes:
    arrays = _arrays(rows, settings, lambda journey, array: journey.wire(array))
    encoded = pa.RecordBatch.from_arrays(arrays, names=list(settings.names))
    encoder = _encoder(encoded.schema, settings)
    return BinaryBytes(b"".join((encoder.write_header(), encoder.write_batch(encoded), encoder.finish())))


def _encoder(schema: pa.Schema, settings: _Settings) -> ArrowToPostgresBinaryEncoder:
    builders: dict[str, Any] = {}
    for field, journey in zip(schema, settings.travels, strict=True):
        builders[field.name] = ArrowToPostgresBinaryEncoder.infer_encoder(field)
        if journey.is_jsonb:
            is_large = pa.types.is_large_string(field.type)
            builder = encoders.LargeStringEncoderBuilder if is_large else encoders.StringEncoderBuilder
            builders[field.name] = builder.new_with_output(field, Jsonb())
    return ArrowToPostgresBinaryEncoder.new_with_encoders(schema, builders)


def _rejects(bad: _BadColumn, rows: pa.RecordBatch, numbers: Any) -> list[Reject]:
    column = rows.column(bad.name)
    return [
        Reject(int(numbers[position]), None, bad.name, _shown(column, int(position)), f"expected {bad.bad.expected}")
        for position in bad.bad.positions
    ]


def _without(rows: pa.RecordBatch, numbers: Any, bad: _BadColumn) -> tuple[pa.RecordBatch, Any]:
    is_kept = np.ones(len(rows), dtype=np.bool_)
    is_kept[bad.bad.positions] = False
    return rows.filter(pa.array(is_kept)), numbers[is_kept]


def _error(path: Path, reject: Reject) -> SourceError:
    return SourceError(
        f"{reject.reason} in {path}, row {reject.row}, column {reject.column}, found {reject.value}; "
        "mend the file, or let such rows be rejected (--rejects reject)"
    )


def _refusal(path: Path, row: int, name: str, array: pa.Array, position: int, expected: str) -> SourceError:
    return _error(path, Reject(row, None, name, _shown(array, position), f"expected {expected}"))


def _shown(array: pa.Array, position: int) -> str | None:
    """The value as text, shortened; also one that has no text in PostgreSQL."""
    one = array.slice(position, 1)
    try:
        written = text(canonical(one), kind_of(one.type))[0].as_py()
    except BadValues:
        written = str(one.cast(pa.string())[0]) if pa.types.is_temporal(one.type) else repr(one[0].as_py())
    return written if written is None else written[:_SHOWN_CHARACTERS]
