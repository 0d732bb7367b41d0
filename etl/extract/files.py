"""Reads a table's files: CSV, JSON lines, Parquet or Delta, at a local path or any URI that Spark knows (s3a://).

CSV and JSON with declared columns are read as text: transform casts them, so that a value that does not fit becomes a
reject with its reason and not a NULL. A file is read whole each time; its fingerprint says when it need not be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from etl.config.models import FileFormat, FileSource, TableConfig
from etl.config.nearest import suggestion
from etl.errors import SourceError
from etl.extract.listing import SourceFile, list_files
from etl.extract.values import Measurement
from etl.model import UNREADABLE
from etl.statements.quoting import spark_identifier

_REPLACEMENT = "\ufffd"
_NOTHING = "\ue000"
"""Stands for a field without a character: Spark takes whatever equals its `nullValue` for NULL, quoted or not."""
_STRICT = {"ignoreCorruptFiles": "false", "ignoreMissingFiles": "false"}


def measure_files(spark: SparkSession, table: TableConfig, expression_hash: str = "") -> Measurement:
    """Fingerprints the listing (path, size, time or etag), not the content; the rows are not counted."""
    digest = sha256(expression_hash.encode())
    for file in _existing_files(spark, table):
        digest.update(f"\n{file.path}\t{file.size_bytes}\t{file.version}".encode())
    return Measurement(rows=None, fingerprint=digest.hexdigest(), tail_fingerprint=digest.hexdigest())


def read_files(spark: SparkSession, table: TableConfig) -> DataFrame:
    """All rows of the files, lazily. Text formats with declared columns bring strings and the UNREADABLE column."""
    source = _source(table)
    _existing_files(spark, table)
    try:
        return _READERS[source.format](spark, table, source)
    except AnalysisException as error:
        raise SourceError(
            f"{source.path}: expected {source.format} files, Spark says {error.getCondition()}", table=table.name
        ) from error


def _read_csv(spark: SparkSession, table: TableConfig, source: FileSource) -> DataFrame:
    names = _csv_names(spark, table, source)
    frame = (
        spark.read.schema(_text_schema(names))
        .options(**_csv_options(source), enforceSchema="false", mode="PERMISSIVE", columnNameOfCorruptRecord=UNREADABLE)
        .csv(source.path)
    )
    wanted = list(source.columns) or names
    damage = F.when(F.col(UNREADABLE).isNotNull(), F.lit(f"record=it does not have {len(names)} fields"))
    return _with_damage(_without_null_texts(frame, source.null_value), wanted, damage)


def _without_null_texts(frame: DataFrame, null_value: str) -> DataFrame:
    """A text that stands for NULL by option does so quoted or not."""
    if not null_value:
        return frame
    names = [name for name in frame.columns if name != UNREADABLE]
    return frame.withColumns({name: F.nullif(F.col(spark_identifier(name)), F.lit(null_value)) for name in names})


def _csv_names(spark: SparkSession, table: TableConfig, source: FileSource) -> list[str]:
    """In the files' own order: with a header the declared columns are found by name, never by place."""
    if not source.header:
        return list(source.columns)
    names = spark.read.options(**_csv_options(source), inferSchema="false").csv(source.path).columns
    _require(table, source, names)
    return names


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


def _read_json(spark: SparkSession, table: TableConfig, source: FileSource) -> DataFrame:
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


def _read_parquet(spark: SparkSession, table: TableConfig, source: FileSource) -> DataFrame:
    return _declared(spark.read.options(mergeSchema="true", **_STRICT).parquet(source.path), table, source)


def _read_delta(spark: SparkSession, table: TableConfig, source: FileSource) -> DataFrame:
    return _declared(spark.read.format("delta").load(source.path), table, source)


_READERS: dict[FileFormat, Callable[[SparkSession, TableConfig, FileSource], DataFrame]] = {
    FileFormat.CSV: _read_csv,
    FileFormat.JSON: _read_json,
    FileFormat.PARQUET: _read_parquet,
    FileFormat.DELTA: _read_delta,
}


def _declared(frame: DataFrame, table: TableConfig, source: FileSource) -> DataFrame:
    if not source.columns:
        return frame
    _require(table, source, frame.columns)
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


def _require(table: TableConfig, source: FileSource, found: Sequence[str]) -> None:
    missing = [name for name in source.columns if name not in found]
    if missing:
        lines = [f"  {name}: {suggestion(name, found)}" for name in missing]
        raise SourceError("\n".join([f"{source.path} lacks declared columns:", *lines]), table=table.name)


def _existing_files(spark: SparkSession, table: TableConfig) -> list[SourceFile]:
    source = _source(table)
    files = list_files(spark, source.path, is_delta=source.format is FileFormat.DELTA)
    if not files:
        raise SourceError(
            f"expected {source.format} files of table {table.name} at {source.path}, found none", table=table.name
        )
    return files


def _source(table: TableConfig) -> FileSource:
    if not isinstance(table.source, FileSource):
        raise SourceError(f"expected a table of files, found one of PostgreSQL: {table.name}", table=table.name)
    return table.source
