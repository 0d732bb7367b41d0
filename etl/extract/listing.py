"""Lists files wherever Spark can read them, through the same file systems and credentials."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from etl.errors import SourceError


@dataclass(frozen=True, order=True)
class SourceFile:
    """`version` is the store's etag where it has one, else the time of the last change."""

    path: str
    size_bytes: int
    version: str


def list_files(spark: SparkSession, path: str, *, is_delta: bool = False) -> list[SourceFile]:
    """All visible files at a file, folder or glob; of a Delta table its log, which alone says what the table holds."""
    jvm: Any = spark.sparkContext._jvm
    try:
        root = jvm.org.apache.hadoop.fs.Path(path + "/_delta_log" if is_delta else path)
        # PySpark has no listing of its own
        file_system = root.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())
        found = file_system.globStatus(root) or []
        return sorted(file for status in found for file in _files_under(file_system, status))
    except Py4JJavaError as error:
        raise SourceError(f"expected files at {path}, the store says: {error.java_exception.toString()}") from error


def _files_under(file_system: Any, status: Any) -> Iterator[SourceFile]:
    if status.isFile():
        yield _file(status)
        return
    for child in file_system.listStatus(status.getPath()):
        # Spark's readers skip these too
        if not child.getPath().getName().startswith(("_", ".")):
            yield from _files_under(file_system, child)


def _file(status: Any) -> SourceFile:
    has_etag = status.getClass().getSimpleName() == "S3AFileStatus"
    version = status.getETag() if has_etag else str(status.getModificationTime())
    return SourceFile(status.getPath().toString(), status.getLen(), version)
