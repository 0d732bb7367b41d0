"""A job's configuration → its source."""

from __future__ import annotations

import sys

from etl.config.staging.jobs import StagingConfiguration
from etl.config.staging.models import (
    CsvFiles,
    FileFormat,
    PostgreSQLQuery,
    StagingJob,
    StandardInputSource,
)
from etl.staging.sources.base import Format, Source
from etl.staging.sources.csv import CsvFormat
from etl.staging.sources.files import FileSource, find_files, name_files
from etl.staging.sources.json_array import JsonArrayFormat
from etl.staging.sources.ndjson import NdjsonFormat
from etl.staging.sources.parquet import ParquetFormat, refuse_types
from etl.staging.sources.spool import Spool, SpooledSource
from etl.staging.sources.streams import Query, StandardInput


def open_source(job: StagingJob, configuration: StagingConfiguration, *, is_retry: bool = False) -> Source:
    """Finds the files, says which are missing and which have columns that cannot be read; no server is asked.

    For a retry a missing file is no fault of the command: it is one of the batches that stand in it.
    """
    source = job.source
    spool = Spool(configuration.spool_dir)
    if isinstance(source, PostgreSQLQuery):
        return SpooledSource(Query(configuration.query_server(source), source.query), spool)
    if isinstance(source, StandardInputSource):
        form = _format(source.format, job.maximum_record_bytes, source.delimiter)
        return SpooledSource(StandardInput(form, lambda: sys.stdin.buffer), spool)
    delimiter = source.delimiter if isinstance(source, CsvFiles) else ","
    files = name_files(source.path) if is_retry else find_files(source.path)
    if FileFormat(source.type) is FileFormat.PARQUET and not is_retry:
        for path in files:
            refuse_types(path)
    return FileSource(_format(FileFormat(source.type), job.maximum_record_bytes, delimiter), files)


def _format(name: FileFormat, longest: int, delimiter: str) -> Format:
    formats: dict[FileFormat, Format] = {
        FileFormat.NDJSON: NdjsonFormat(longest),
        FileFormat.JSON_ARRAY: JsonArrayFormat(longest),
        FileFormat.CSV: CsvFormat(longest, delimiter),
        FileFormat.PARQUET: ParquetFormat(),
    }
    return formats[name]
