"""Lists files wherever Spark can read them, through the same file systems and credentials.

What is listed is what is read: the rules by which Spark's readers pass a file over are applied here too, and every
file that they leave out is kept with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from etl.errors import SourceError
from etl.extract.files.unseen import refuse_unseen
from etl.spark.causes import in_words

_MARKERS = ("_SUCCESS", "_committed_", "_started_", "_metadata", "_common_metadata", "_delta_log", "_temporary")
"""What writers leave beside their files: nobody misses it."""

_HIDDEN = "Spark takes names that begin with _ or . for hidden; rename it to load it"
_COPYING = "its name says that it is still being copied (._COPYING_)"


@dataclass(frozen=True, order=True)
class SourceFile:
    """`version` is the store's etag where it has one, else the time of the last change."""

    path: str
    size_bytes: int
    version: str


@dataclass(frozen=True, order=True)
class SkippedFile:
    """A file that the source's path matches and that is not read."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True)
class Listing:
    files: tuple[SourceFile, ...]
    skipped: tuple[SkippedFile, ...] = ()


def list_files(spark: SparkSession, path: str, *, is_delta: bool = False) -> Listing:
    """All files at a file, folder or glob; of a Delta table its log, which alone says what the table holds."""
    jvm: Any = spark.sparkContext._jvm
    try:
        root = jvm.org.apache.hadoop.fs.Path(path + "/_delta_log" if is_delta else path)
        # PySpark has no listing of its own
        file_system = root.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())
        refuse_unseen(jvm, file_system, root)
        found = file_system.globStatus(root) or []
        below = [file for status in found for file in _files_under(file_system, status, is_named=is_delta)]
    except Py4JError as error:
        raise SourceError(f"expected files at {path}, the store says: {in_words(str(error))}") from error
    return Listing(
        tuple(sorted(file for file in below if isinstance(file, SourceFile))),
        tuple(sorted(file for file in below if isinstance(file, SkippedFile))),
    )


def plain_path(path: str) -> str:
    """Without scheme and server, for messages and to compare the spellings of Hadoop and of Spark."""
    scheme, colon, rest = path.partition(":/")
    return path if not colon or "/" in scheme else "/" + rest.lstrip("/") if scheme == "file" else path


def _files_under(file_system: Any, status: Any, *, is_named: bool) -> Iterator[SourceFile | SkippedFile]:
    """`is_named`: the path itself means this one, whatever it is called."""
    name = status.getPath().getName()
    if not is_named and (reason := _why_skipped(name)):
        # a folder is passed over with all that is in it
        if not name.startswith(_MARKERS) and not name.endswith(".crc"):
            yield SkippedFile(plain_path(status.getPath().toString()), reason)
    elif status.isFile():
        yield _file(status)
    else:
        for child in file_system.listStatus(status.getPath()):
            yield from _files_under(file_system, child, is_named=False)


def _why_skipped(name: str) -> str | None:
    """As Spark decides (HadoopFSUtils.shouldFilterOutPathName), for files and folders alike."""
    if name.startswith(("_metadata", "_common_metadata")):
        return _HIDDEN
    if (name.startswith("_") and "=" not in name) or name.startswith("."):
        return _HIDDEN
    return _COPYING if name.endswith("._COPYING_") else None


def _file(status: Any) -> SourceFile:
    has_etag = status.getClass().getSimpleName() == "S3AFileStatus"
    version = status.getETag() if has_etag else str(status.getModificationTime())
    return SourceFile(status.getPath().toString(), status.getLen(), version)
