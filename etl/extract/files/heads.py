"""How the text files of a source begin: their headers, and whether they are text at all.

Read on the driver through Spark's own file systems, codecs and CSV parser, so that each file is understood by itself:
Spark takes the header of one file for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from etl.errors import SourceError
from etl.extract.files.listing import SourceFile, plain_path
from etl.spark.causes import in_words

Answer = TypeVar("Answer")

_SIDE_BY_SIDE = 8
"""Stores answer slowly, and many at a time."""

_NO_TEXT = {
    b"\x1f\x8b": "gzip, but its name does not end in .gz",
    b"BZh": "bzip2, but its name does not end in .bz2",
    b"\x28\xb5\x2f\xfd": "zstd, but its name does not end in .zst",
    b"PK\x03\x04": "a ZIP archive or an Excel workbook; unpack it, or export it as CSV",
    b"\xfd7zXZ\x00": "xz, which Spark does not read; unpack it, or compress it as .gz",
    b"7z\xbc\xaf": "a 7z archive; unpack it",
    b"PAR1": "a Parquet file",
}
"""How files begin that would be read as rows of garbage."""


def refuse_what_is_no_text(spark: SparkSession, files: Sequence[SourceFile]) -> None:
    _each(files, partial(_begin, spark, read=lambda stream: None))


def read_headers(
    spark: SparkSession, options: Mapping[str, str], files: Sequence[SourceFile]
) -> dict[SourceFile, tuple[str | None, ...]]:
    """The first record of each CSV file as Spark parses it; none for a file without one. `options` are the reader's."""

    def first_record(stream: Any) -> tuple[str | None, ...]:
        jvm: Any = spark.sparkContext._jvm
        parameters = jvm.PythonUtils.toScalaMap(dict(options))
        settings = jvm.org.apache.spark.sql.catalyst.csv.CSVOptions(parameters, False, "UTC").asParserSettings()
        parser = jvm.com.univocity.parsers.csv.CsvParser(settings)
        parser.beginParsing(stream, options["encoding"])
        record = parser.parseNext()
        return tuple(record) if record is not None else ()

    return dict(zip(files, _each(files, partial(_begin, spark, read=first_record)), strict=True))


def _each(files: Sequence[SourceFile], ask: Callable[[SourceFile], Answer]) -> list[Answer]:
    with ThreadPoolExecutor(min(_SIDE_BY_SIDE, len(files) or 1), thread_name_prefix="heads") as pool:
        return list(pool.map(ask, files))


def _begin(spark: SparkSession, file: SourceFile, *, read: Callable[[Any], Answer]) -> Answer:
    path = plain_path(file.path)
    try:
        with _opened(spark, file.path) as stream:
            stream.mark(16)
            head = bytes(stream.readNBytes(8))
            stream.reset()
            for begins, words in _NO_TEXT.items():
                if head.startswith(begins):
                    raise SourceError(f"{path}: expected text, found {words}")
            return read(stream)
    except Py4JError as error:
        said = in_words(str(error))
        raise SourceError(f"{path}: expected to read its first record, found: {said}") from error


@contextmanager
def _opened(spark: SparkSession, path: str) -> Iterator[Any]:
    """A Java stream of the file's text, unpacked as its name's ending says."""
    jvm: Any = spark.sparkContext._jvm
    configuration = spark.sparkContext._jsc.hadoopConfiguration()
    at = jvm.org.apache.hadoop.fs.Path(path)
    raw = at.getFileSystem(configuration).open(at)
    try:
        codec = jvm.org.apache.hadoop.io.compress.CompressionCodecFactory(configuration).getCodec(at)
        yield jvm.java.io.BufferedInputStream(raw if codec is None else codec.createInputStream(raw))
    finally:
        raw.close()
