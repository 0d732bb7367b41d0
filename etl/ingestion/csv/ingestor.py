"""CSV files as batches that COPY reads: the file's own bytes wherever those are sure to mean what the file says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from etl.errors import UsageError
from etl.ingestion.compressed import ByteStream
from etl.ingestion.csv.cutter import RecordCutter
from etl.ingestion.csv.decoder import utf8_blocks
from etl.ingestion.csv.dialect import dialect_of
from etl.ingestion.csv.headers import first_record, names_of
from etl.ingestion.csv.source import CsvSource
from etl.ingestion.model import BadRows, CopyPath, CsvOptions, Header, Records

DEFAULT_MAXIMUM_BYTES = 64 << 20


def open_csv(
    path: Path,
    headers: Sequence[Header],
    options: CsvOptions,
    *,
    chunk_size: int,
    bad_rows: BadRows,
    copy_path: CopyPath,
    maximum_bytes: int = DEFAULT_MAXIMUM_BYTES,
) -> CsvSource:
    """Reads the header. A file of 0 bytes has no batches and the columns of `headers`.

    Raises SourceError for what is wrong with the file, UsageError for what is wrong with the options.
    """
    if chunk_size < 1:
        raise UsageError(f"--chunk-size: expected at least 1, found {chunk_size}")
    return CsvSource(path, headers, options, chunk_size, bad_rows, copy_path, maximum_bytes)


def csv_names(path: Path, options: CsvOptions) -> tuple[str, ...] | None:
    """As the header spells them; None where it names none. Raises CsvError for a header that cannot be read."""
    if not options.has_header:
        return None
    with closing(ByteStream(path)) as stream:
        blocks = utf8_blocks(path, stream.blocks(), options.encoding)
        record = first_record(RecordCutter(path, blocks, dialect_of(options), 1, DEFAULT_MAXIMUM_BYTES), path)
        return None if record is None else names_of(record, path)


def batch_generator(
    path: Path | str,
    headers: Sequence[Header | str],
    chunk_size: int = 50_000,
    options: CsvOptions | None = None,
    *,
    maximum_bytes: int = DEFAULT_MAXIMUM_BYTES,
) -> Iterator[list[tuple[str | None, ...]]]:
    """The file's rows as tuples in the order of `headers`, None for a column that the file lacks."""
    named = [Header(header) if isinstance(header, str) else header for header in headers]
    source = open_csv(
        Path(path),
        named,
        options or CsvOptions(),
        chunk_size=chunk_size,
        bad_rows=BadRows.FAIL,
        copy_path=CopyPath.RECORDS,
        maximum_bytes=maximum_bytes,
    )
    try:
        places = {column.header: place for place, column in enumerate(source.columns)}
        wanted = [places.get(header.name) for header in named]
        for batch in source.batches():
            if isinstance(batch.payload, Records):
                rows = batch.payload.rows
                yield [tuple(None if place is None else row[place] for place in wanted) for row in rows]
    finally:
        source.close()
