"""Pieces of a small table as Parquet files in memory, as files in the store, and read back from there."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from etl.errors import ConnectionLostError
from etl.load.s3.driver.canonical import canonical, differing_columns
from etl.load.s3.driver.frames import Piece
from etl.load.s3.files.formats import FileFormat, ParquetFile, empty_parquet
from etl.load.s3.job import Job
from etl.load.s3.verify import not_as_loaded
from etl.model import PARTITION_DATE, Destination
from etl.s3.store import ObjectStore


def encoded(piece: Piece, form: FileFormat) -> bytes:
    if not piece.rows.num_rows:
        return empty_parquet(piece.rows.schema, form)
    sink = pa.BufferOutputStream()
    file = ParquetFile(sink, form, piece.rows)
    file.write(piece.rows)
    file.close()
    content: bytes = sink.getvalue().to_pybytes()
    return content


def read_files(store: ObjectStore, keys: Sequence[str], schema: pa.Schema, table: str) -> list[pa.Table]:
    """The rows of each file, with the schema's columns (without `partition_date`); what a file lacks is NULL."""
    wanted = [field for field in schema if field.name != PARTITION_DATE]
    return [_read(key, content, wanted, table) for key, content in zip(keys, store.get_many(keys), strict=True)]


def _read(key: str, content: bytes | None, wanted: list[pa.Field], table: str) -> pa.Table:
    if content is None:
        # a table that is replaced while it is read: the load looks again
        raise ConnectionLostError(f"expected {key} in the store, found none", table=table, destination=Destination.S3)
    found = pq.read_table(pa.BufferReader(content), coerce_int96_timestamp_unit="us")
    columns = [
        found.column(field.name).cast(field.type)
        if field.name in found.column_names
        else pa.nulls(found.num_rows, field.type)
        for field in wanted
    ]
    return pa.table(columns, schema=pa.schema(wanted))


def refuse_difference(job: Job, pieces: Sequence[Piece], standing: Sequence[pa.Table]) -> None:
    """Each file read back from the store holds its piece, row by row and bit by bit."""
    faults = [fault for piece, found in zip(pieces, standing, strict=True) for fault in _faults(piece, found)]
    if faults:
        raise not_as_loaded(job, faults[:5])


def _faults(piece: Piece, found: pa.Table) -> list[str]:
    where = f" on {piece.day}" if piece.day else ""
    if found.num_rows != piece.rows.num_rows:
        return [f"expected {piece.rows.num_rows} rows{where}, found {found.num_rows}"]
    wrong = differing_columns(canonical(piece.rows), canonical(found.select(piece.rows.column_names)))
    return [f"column {name}{where} differs in {count} of {found.num_rows} rows" for name, count in wrong]
