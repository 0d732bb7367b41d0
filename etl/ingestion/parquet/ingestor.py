"""Parquet files, column by column: batches of rows become COPY's binary format without a Python object a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from etl.arrow.travel import MismatchError, Travel, travel
from etl.arrow.types import UnmappedTypeError, postgresql_type
from etl.arrow.values import BadValues, canonical
from etl.errors import SchemaMismatchError, SourceError
from etl.ingestion.model import BadRows, CopyPath, Header, Reject
from etl.ingestion.parquet.cutter import Chunk, chunks
from etl.ingestion.parquet.encoder import refusal, shortened, shown
from etl.ingestion.parquet.reader import open_file
from etl.ingestion.parquet.source import ParquetOptions, ParquetSource
from etl.parquet_schema import described_schema

MAXIMUM_BYTES = 64 << 20
"""Of one batch, where the caller says nothing else."""


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
    parquet_columns says of a table to be made. As records, dates and times travel as text: asyncpg would write the
    first and the last of them as infinity, and no connection needs codecs of its own.

    Raises SourceError as parquet_columns does, and SchemaMismatchError with every column whose type does not become the
    target's.
    """
    file = open_file(path)
    try:
        fields = _fields(file, path, headers)
        travels = _travels(path, fields, target_types, timezone)
    except BaseException:
        file.close()
        raise
    return ParquetSource(file, ParquetOptions(path, travels, chunk_size, copy_path, bad_rows, maximum_bytes))


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
        value, row = shortened(shown(array, position)), chunk.first_row + position
        raise refusal(path, Reject(row, None, name, value, f"expected {bad.expected}")) from bad
    except (ValueError, OverflowError, pa.ArrowException) as error:
        raise SourceError(
            f"expected values that Python can hold in column {name} of {path}, rows {chunk.first_row} to "
            f"{chunk.first_row + len(array) - 1}, found one that it cannot: {error}"
        ) from error
    return values


def _fields(file: pq.ParquetFile, path: Path, headers: Sequence[Header]) -> dict[str, pa.DataType]:
    """The headers that the file holds, in their own order."""
    schema = described_schema(file)
    counts = {header.name: len(schema.get_all_field_indices(header.name)) for header in headers}
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        raise SourceError(f"expected every header once in {path}, found {', '.join(repeated)} more often")
    if not any(counts.values()):
        raise SourceError(f"expected columns {', '.join(counts)} in {path}, found only {', '.join(schema.names)}")
    return {name: schema.field(name).type for name, count in counts.items() if count}


def _typed(header: Header, fields: Mapping[str, pa.DataType], preserve_types: bool, faults: list[str]) -> Header:
    if header.type is not None or not preserve_types:
        return replace(header, type=header.type or "text")
    if header.name not in fields:
        return header
    try:
        return replace(header, type=postgresql_type(fields[header.name]))
    except UnmappedTypeError as error:
        faults.append(f"{header.name}: {error}")
        return header


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
