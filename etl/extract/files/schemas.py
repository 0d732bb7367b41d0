"""Why files cannot be read together: which file and which column, where Spark names two schemas or a bare type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from etl.config.tables.models import FileFormat, FileSource
from etl.extract.files.listing import SourceFile, plain_path
from etl.spark.causes import in_words

_MOST_FILES = 200
"""So many are looked at to find the one that differs."""


def why_unreadable(spark: SparkSession, source: FileSource, files: Sequence[SourceFile], error: Exception) -> str:
    said = in_words(str(error))
    if source.format is not FileFormat.PARQUET or any(plain_path(file.path) in said for file in files):
        is_told = any(plain_path(file.path) in said for file in files)
        return said if is_told else f"{source.path}: expected {source.format} files, found: {said}"
    return next(_differences(spark, files), f"{source.path}: expected parquet files, found: {said}")


def _differences(spark: SparkSession, files: Sequence[SourceFile]) -> Iterator[str]:
    """A column that Spark cannot hold, or that is of two types; read from the files' own footers."""
    seen: dict[str, tuple[str, str]] = {}
    for file in files[:_MOST_FILES]:
        path = plain_path(file.path)
        for name, written in _fields(spark, file.path):
            if not _can_hold(spark, written):
                yield (
                    f"{path}: column {name} is {_type_of(written)}, which Spark does not read; "
                    "write it as another type, or leave it out"
                )
            first, where = seen.setdefault(name, (_type_of(written), path))
            if first != _type_of(written):
                yield (
                    f"{path}: column {name} is {_type_of(written)}, but {first} in {where}; "
                    "write it alike in all files, or load them as tables of their own"
                )


def _fields(spark: SparkSession, path: str) -> list[tuple[str, Any]]:
    jvm: Any = spark.sparkContext._jvm
    configuration = spark.sparkContext._jsc.hadoopConfiguration()
    try:
        file = jvm.org.apache.parquet.hadoop.util.HadoopInputFile.fromPath(
            jvm.org.apache.hadoop.fs.Path(path), configuration
        )
        reader = jvm.org.apache.parquet.hadoop.ParquetFileReader.open(file)
        try:
            return [(field.getName(), field) for field in reader.getFileMetaData().getSchema().getFields()]
        finally:
            reader.close()
    except Py4JError:
        return []


def _can_hold(spark: SparkSession, field: Any) -> bool:
    jvm: Any = spark.sparkContext._jvm
    try:
        message = jvm.org.apache.parquet.schema.MessageType("one", [field])
        converter = jvm.org.apache.spark.sql.execution.datasources.parquet.ParquetToSparkSchemaConverter
        converter(spark._jsparkSession.sessionState().conf()).convert(message)
    except (Py4JError, PySparkException):
        return False
    return True


def _type_of(field: Any) -> str:
    """`optional int64 at (TIMESTAMP(NANOS,false))` without name and repetition."""
    text = str(field.toString()).replace(f" {field.getName()}", "", 1)
    return text.split(" ", 1)[-1]
