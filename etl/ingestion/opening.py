"""Opens a file as what it is; the only place that knows both formats.

What reads Parquet is imported with the first such file: it takes as long as loading a small CSV file does.
"""

from __future__ import annotations

from pathlib import Path

from etl.files.unpacking import codec_of
from etl.ingestion.compressed import verify_compressed
from etl.ingestion.csv.ingestor import csv_names, open_csv
from etl.ingestion.database.target import TargetTable
from etl.ingestion.files import guess_file_type
from etl.ingestion.model import FileType, UploadOptions
from etl.ingestion.source import Source

MAXIMUM_BATCH_BYTES = 16 * 1024 * 1024
"""A batch beyond this is cut earlier: what is in flight stays bounded however wide the rows are."""


def type_of(path: Path, options: UploadOptions) -> FileType:
    return options.file_type or guess_file_type(str(path)) or FileType.CSV


def header_types(options: UploadOptions) -> dict[str, str]:
    """Column → PostgreSQL type, as `name:type` declares it; it counts where types are to be preserved."""
    if not options.preserve_types:
        return {}
    return {header.name: header.type for header in options.headers if header.type is not None}


def column_names(path: Path, options: UploadOptions) -> tuple[str, ...] | None:
    """As the file spells them; None for one that names none. SourceError for a file that cannot be opened."""
    if type_of(path, options) is FileType.CSV:
        return csv_names(path, options.csv)
    from etl.ingestion.parquet.reader import open_file

    with open_file(path) as file:
        return tuple(file.schema_arrow.names)


def declared_types(path: Path, options: UploadOptions) -> dict[str, str]:
    """The same with the types of the file itself, where it has some. SourceError for a file that cannot be opened."""
    types = header_types(options)
    if options.preserve_types and type_of(path, options) is FileType.PARQUET:
        from etl.ingestion.parquet.ingestor import parquet_columns

        found = parquet_columns(path, options.headers, preserve_types=True)
        types = {header.name: header.type for header in found if header.type is not None} | types
    return types


def verified(path: Path) -> None:
    """A compressed file is read to its end before its first row is loaded: its last bytes say whether it is whole."""
    if codec_of(path):
        verify_compressed(path)


def open_source(path: Path, options: UploadOptions, target: TargetTable, *, chunk_size: int) -> Source:
    if type_of(path, options) is FileType.CSV:
        return open_csv(
            path,
            options.headers,
            options.csv,
            chunk_size=chunk_size,
            bad_rows=options.bad_rows,
            copy_path=options.copy_path,
            maximum_bytes=MAXIMUM_BATCH_BYTES,
        )
    from etl.ingestion.parquet.ingestor import open_parquet

    return open_parquet(
        path,
        options.headers,
        target.plain_types,
        chunk_size=chunk_size,
        copy_path=options.copy_path,
        preserve_types=options.preserve_types,
        timezone=options.timezone,
        bad_rows=options.bad_rows,
        maximum_bytes=MAXIMUM_BATCH_BYTES,
    )
