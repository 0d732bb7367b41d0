"""Reads a table's files: CSV, JSON lines, Parquet or Delta, at a local path or any URI that Spark knows (s3a://).

CSV and JSON with declared columns are read as text: transform casts them, so that a value that does not fit becomes a
reject with its reason and not a NULL. A file is read whole each time; its fingerprint says when it need not be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import reduce
from hashlib import sha256
from urllib.parse import unquote

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from etl.config.tables.models import FileFormat, FileSource, TableConfig
from etl.errors import SourceError
from etl.extract.files.heads import read_headers, refuse_what_is_no_text
from etl.extract.files.listing import Listing, SourceFile, list_files, plain_path
from etl.extract.files.schemas import why_unreadable
from etl.extract.values import Measurement
from etl.model import UNREADABLE
from etl.nearest import suggestion
from etl.statements.quoting import spark_identifier

_REPLACEMENT = "\ufffd"
_NOTHING = "\ue000"
"""Stands for a field without a character: Spark takes whatever equals its `nullValue` for NULL, quoted or not."""
_STRICT = {"ignoreCorruptFiles": "false", "ignoreMissingFiles": "false"}
_SHOWN, _TOLD = 5, 100
_PATTERN = re.compile(r"[{}\[\]*?]")
_KEYED_FOLDER = re.compile(r"/[^/=]+=[^/]*/")


def measure_files(spark: SparkSession, table: TableConfig, expression_hash: str = "") -> Measurement:
    """Fingerprints the listing (path, size, time or etag), not the content; the rows are not counted."""
    listing = _existing_files(spark, table)
    digest = sha256(expression_hash.encode())
    for file in listing.files:
        digest.update(f"\n{file.path}\t{file.size_bytes}\t{file.version}".encode())
    is_delta = _source(table).format is FileFormat.DELTA
    return Measurement(
        rows=None,
        fingerprint=digest.hexdigest(),
        tail_fingerprint=digest.hexdigest(),
        # of a Delta table its log is listed, which says nothing of its rows' files
        files_read=None if is_delta else len(listing.files),
        files_skipped=_told(list(map(str, listing.skipped))),
    )


def read_files(spark: SparkSession, table: TableConfig) -> DataFrame:
    """All rows of the files, lazily. Text formats with declared columns bring strings and the UNREADABLE column."""
    source = _source(table)
    files = _existing_files(spark, table).files
    if source.format is not FileFormat.DELTA and not (source.format is FileFormat.CSV and source.header):
        _refuse_mixed_folders(table, source, files)
    try:
        frame = _READERS[source.format](spark, table, source, files)
        if source.format is not FileFormat.DELTA:
            _require_all_read(table, source, files, frame)
    except (PySparkException, Py4JError) as error:
        raise SourceError(why_unreadable(spark, source, files, error), table=table.name) from error
    return frame


# --- CSV ------------------------------------------------------------------------------------------------------------


def _read_csv(spark: SparkSession, table: TableConfig, source: FileSource, files: Sequence[SourceFile]) -> DataFrame:
    """Files whose headers differ are read apart and joined by the names of their columns."""
    if not source.header:
        refuse_what_is_no_text(spark, files)
        return _csv_frame(spark, source, list(source.columns), source.path)
    by_header: dict[tuple[str, ...], list[SourceFile]] = {}
    for file, header in read_headers(spark, _csv_options(source), files).items():
        if header:
            by_header.setdefault(_column_names(table, source, file, header), []).append(file)
    if len(by_header) == 1:
        return _csv_frame(spark, source, list(*by_header), source.path)
    frames = [
        _csv_frame(spark, source, list(names), [_literal_path(file.path) for file in alike])
        for names, alike in by_header.items()
    ]
    if not frames:
        raise SourceError(f"{source.path}: expected a header, found {len(files)} empty files", table=table.name)
    return reduce(DataFrame.unionByName, frames)


def _csv_frame(spark: SparkSession, source: FileSource, names: list[str], paths: str | list[str]) -> DataFrame:
    """`names` are the columns by place, so that the header itself is only passed over."""
    frame = (
        spark.read.schema(_text_schema(names))
        .options(**_csv_options(source), enforceSchema="true", mode="PERMISSIVE", columnNameOfCorruptRecord=UNREADABLE)
        # a header holds every column, so that folders named day=1 are but folders
        .options(recursiveFileLookup=source.header)
        .csv(paths)
    )
    damage = F.when(F.col(UNREADABLE).isNotNull(), F.lit(f"record=it does not have {len(names)} fields"))
    return _with_damage(_without_null_texts(frame, source.null_value), list(source.columns), damage)


def _without_null_texts(frame: DataFrame, null_value: str) -> DataFrame:
    """A text that stands for NULL by option does so quoted or not."""
    if not null_value:
        return frame
    names = [name for name in frame.columns if name != UNREADABLE]
    return frame.withColumns({name: F.nullif(F.col(spark_identifier(name)), F.lit(null_value)) for name in names})


def _column_names(
    table: TableConfig, source: FileSource, file: SourceFile, header: Sequence[str | None]
) -> tuple[str, ...]:
    """A header's declared columns under their names, the others under names of their own: nobody asks for them."""
    found = [name or "" for name in header]
    _require(table, source, plain_path(file.path), found)
    if twice := [name for name in source.columns if found.count(name) > 1]:
        raise SourceError(
            f"{plain_path(file.path)}: expected each declared column once in the header, "
            f"found {', '.join(twice)} more often; rename one of them",
            table=table.name,
        )
    return tuple(name if name in source.columns else f"_etl_field_{place}" for place, name in enumerate(found))


def _csv_options(source: FileSource) -> dict[str, str]:
    return {
        "header": str(source.header).lower(),
        "sep": source.delimiter,
        "encoding": source.encoding,
        # "" is an empty text and nothing at all is NULL; a quote is doubled, as RFC 4180 says; a field may hold lines
        "nullValue": _NOTHING,
        "emptyValue": "",
        "quote": '"',
        "escape": '"',
        "multiLine": "true",
        **_STRICT,
    }


# --- JSON, Parquet, Delta -------------------------------------------------------------------------------------------


def _read_json(spark: SparkSession, table: TableConfig, source: FileSource, files: Sequence[SourceFile]) -> DataFrame:
    refuse_what_is_no_text(spark, files)
    reader = spark.read.options(
        mode="PERMISSIVE", columnNameOfCorruptRecord=UNREADABLE, encoding=source.encoding, **_STRICT
    )
    if not source.columns:
        frame = reader.json(source.path)
        wanted = [name for name in frame.columns if name != UNREADABLE]
        return _with_damage(frame, wanted, _json_damage()) if UNREADABLE in frame.columns else frame
    frame = reader.schema(_text_schema(list(source.columns))).json(source.path)
    return _with_damage(frame, list(source.columns), _json_damage())


def _json_damage() -> Column:
    return F.when(F.col(UNREADABLE).isNotNull(), F.lit("record=it is not one JSON object a line"))


def _read_parquet(
    spark: SparkSession, table: TableConfig, source: FileSource, files: Sequence[SourceFile]
) -> DataFrame:
    return _declared(spark.read.options(mergeSchema="true", **_STRICT).parquet(source.path), table, source)


def _read_delta(spark: SparkSession, table: TableConfig, source: FileSource, files: Sequence[SourceFile]) -> DataFrame:
    return _declared(spark.read.format("delta").load(source.path), table, source)


_READERS: dict[FileFormat, Callable[[SparkSession, TableConfig, FileSource, Sequence[SourceFile]], DataFrame]] = {
    FileFormat.CSV: _read_csv,
    FileFormat.JSON: _read_json,
    FileFormat.PARQUET: _read_parquet,
    FileFormat.DELTA: _read_delta,
}


def _declared(frame: DataFrame, table: TableConfig, source: FileSource) -> DataFrame:
    if not source.columns:
        return frame
    _require(table, source, source.path, frame.columns)
    return frame.select(*(F.col(spark_identifier(name)) for name in source.columns))


def _with_damage(frame: DataFrame, wanted: Sequence[str], damage: Column) -> DataFrame:
    """Also names the first text that is not in the declared encoding; Java has put U+FFFD there."""
    columns = [F.col(spark_identifier(name)) for name in wanted]
    texts = [
        F.when(column.contains(_REPLACEMENT), F.concat(F.lit(f"{name}="), column))
        for name, column in zip(wanted, columns, strict=True)
        if isinstance(frame.schema[name].dataType, StringType)
    ]
    return frame.select(*columns, F.coalesce(damage, *texts).alias(UNREADABLE))


def _text_schema(names: Sequence[str]) -> StructType:
    return StructType([StructField(name, StringType()) for name in [*names, UNREADABLE]])


# --- what must be there ---------------------------------------------------------------------------------------------


def _require(table: TableConfig, source: FileSource, where: str, found: Sequence[str]) -> None:
    missing = [name for name in source.columns if name not in found]
    if missing:
        lines = [f"  {name}: {suggestion(name, found)}" for name in missing]
        raise SourceError("\n".join([f"{where} lacks declared columns:", *lines]), table=table.name)


def _require_all_read(table: TableConfig, source: FileSource, files: Sequence[SourceFile], frame: DataFrame) -> None:
    """No file may be counted and left out: what Spark will read is what was listed."""
    will_be_read = {_place(unquote(uri)) for uri in frame.inputFiles()}
    left_out = [plain_path(file.path) for file in files if file.size_bytes and _place(file.path) not in will_be_read]
    if left_out:
        raise SourceError(
            f"{source.path}: expected Spark to read {len(files)} files, found that it leaves out {_some(left_out)}; "
            "rename them",
            table=table.name,
        )


def _refuse_mixed_folders(table: TableConfig, source: FileSource, files: Sequence[SourceFile]) -> None:
    """Beside folders named day=1 Spark leaves out, without a word, the files that are in none."""
    if _PATTERN.search(source.path):
        return
    inside = [file for file in files if _KEYED_FOLDER.search(file.path.partition(source.path.rstrip("/"))[2])]
    outside = [plain_path(file.path) for file in files if file not in inside]
    if inside and outside:
        raise SourceError(
            f"{source.path}: expected all files in folders named column=value, or none, found outside of them "
            f"{_some(outside)}; move them, or name what is to be read by a pattern",
            table=table.name,
        )


def _existing_files(spark: SparkSession, table: TableConfig) -> Listing:
    source = _source(table)
    listing = list_files(spark, source.path, is_delta=source.format is FileFormat.DELTA)
    if not listing.files:
        skipped = f"; passed over are {_some(list(map(str, listing.skipped)))}" if listing.skipped else ""
        raise SourceError(
            f"expected {source.format} files of table {table.name} at {source.path}, found none{skipped}",
            table=table.name,
        )
    return listing


def _told(skipped: list[str]) -> tuple[str, ...]:
    more = [f"… and {len(skipped) - _TOLD} more"] if len(skipped) > _TOLD else []
    return (*skipped[:_TOLD], *more)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _place(uri: str) -> str:
    """Hadoop writes file:/a b and Spark file:///a%20b."""
    return re.sub(r"^(\w+):/+", r"\1:/", uri)


def _literal_path(path: str) -> str:
    """Spark takes what it is given for a pattern."""
    return re.sub(r"([\\{}\[\]*?])", r"\\\1", path)


def _source(table: TableConfig) -> FileSource:
    if not isinstance(table.source, FileSource):
        raise SourceError(f"expected a table of files, found one of PostgreSQL: {table.name}", table=table.name)
    return table.source
