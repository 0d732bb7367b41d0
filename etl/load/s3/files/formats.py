"""How rows become bytes: Parquet row groups and JSON lines, compressed as the table says."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql.types import StructType

from etl.config.destinations.s3.load_config import S3Format, S3TableLoadConfig
from etl.load.s3.files.multipart import UploadFile
from etl.model import PARTITION_DATE

_SAMPLE_ROWS = 10_000
_SPARK_VERSION = "4.2.0"
"""Readers look for it to tell that days before 1582 need no rebasing."""
_EXTENSIONS = {"zstd": "zstd.parquet", "snappy": "snappy.parquet", "gzip": "gz.parquet", "none": "parquet"}


@dataclass(frozen=True)
class FileFormat:
    """`spark_schema` is the frame's schema as Spark prints it (JSON): readers get nullability and metadata back."""

    format: S3Format
    compression: str
    spark_schema: str = field(default="", repr=False)

    @property
    def extension(self) -> str:
        if self.format is S3Format.JSON:
            return "json" if self.compression == "none" else "json.gz"
        return _EXTENSIONS[self.compression]


def file_format(config: S3TableLoadConfig, schema: StructType) -> FileFormat:
    """Of files with such rows; `partition_date` is said by their folders."""
    stored = StructType([field for field in schema.fields if field.name != PARTITION_DATE])
    return FileFormat(config.format, config.compression, stored.json())


def open_file(form: FileFormat, upload: UploadFile, first: pa.Table) -> ParquetFile | JsonFile:
    """`first` is a sample of what will be written: which columns are worth a dictionary is decided by it."""
    if form.format is S3Format.JSON:
        return JsonFile(upload, compressed=form.compression != "none")
    return ParquetFile(upload, form, first)


class ParquetFile:
    """Instants as adjusted microseconds, days since 1970 in the proleptic calendar: no reader rebases them."""

    def __init__(self, upload: Any, form: FileFormat, first: pa.Table) -> None:
        self._writer = pq.ParquetWriter(
            upload,
            first.schema.remove_metadata(),
            compression=form.compression,
            use_dictionary=_repeating_columns(first),
            store_schema=False,
            coerce_timestamps="us",
        )
        self._writer.add_key_value_metadata(
            {
                "org.apache.spark.version": _SPARK_VERSION,
                "org.apache.spark.sql.parquet.row.metadata": form.spark_schema,
            }
        )

    def write(self, rows: pa.Table) -> None:
        self._writer.write_table(rows.replace_schema_metadata(None), row_group_size=rows.num_rows)

    def close(self) -> None:
        self._writer.close()


class JsonFile:
    """One object a line. Rows arrive as one column of JSON text, made by Spark, which knows every type."""

    def __init__(self, upload: Any, *, compressed: bool) -> None:
        self._upload = upload
        # no modification time in the header: equal rows give equal bytes
        self._gzip = gzip.GzipFile(fileobj=upload, mode="wb", compresslevel=6, mtime=0) if compressed else None

    def write(self, rows: pa.Table) -> None:
        for chunk in rows.column(0).chunks:
            (self._gzip or self._upload).write(("\n".join(chunk.to_pylist()) + "\n").encode())

    def close(self) -> None:
        if self._gzip:
            self._gzip.close()


def empty_parquet(schema: pa.Schema, form: FileFormat) -> bytes:
    """A file without rows that still tells readers the schema."""
    sink = pa.BufferOutputStream()
    file = ParquetFile(sink, form, schema.empty_table())
    file.close()
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _repeating_columns(rows: pa.Table) -> list[str]:
    """Text and binary columns whose values repeat; on the others a dictionary costs time and saves nothing."""
    sample = rows.slice(0, _SAMPLE_ROWS)
    return [
        name
        for name, kind in zip(sample.column_names, sample.schema.types, strict=True)
        if (pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_string(kind))
        and pc.count_distinct(sample.column(name)).as_py() * 2 <= sample.num_rows
    ]
