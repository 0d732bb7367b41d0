"""Makes the archive of Spark's classes: `python -m etl.spark.archiving`, which scripts/setup.py calls.

It archives what a JVM has loaded when it ends: here that of a session which has read, kept and grouped a few rows. The
archive appears whole or not at all, since Java trusts what it maps.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from subprocess import Popen
from typing import Any

import pyspark
from pyspark import SparkContext
from pyspark.sql import SparkSession

from etl.spark.class_archive import ClassArchive, find_class_archive
from etl.spark.session import build_session

_PATIENCE_SECONDS = 300
"""Java lays out and writes some ten thousand classes: seconds, on a machine that is not busy."""


def main() -> int:
    archive = find_class_archive(Path(pyspark.__file__).parent)
    if archive is None:
        return 1
    if not archive.is_settled:
        make_archive(archive)
    return 0


def make_archive(archive: ClassArchive) -> None:
    partial = archive.file.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    spark = build_session("ownlens-etl-set-up", {**archive.made(partial), "spark.ui.enabled": "false"})
    _rehearse(spark)
    _end(spark)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(archive.file)


def _rehearse(spark: SparkSession) -> None:
    rows = spark.range(8, numPartitions=1).selectExpr("id", "CAST(id AS STRING) AS text", "current_date() AS day")
    kept = rows.where("id > 0").persist()
    kept.groupBy("day").agg({"id": "sum", "text": "max"}).collect()
    kept.toArrow()
    kept.unpersist()


def _end(spark: SparkSession) -> None:
    """The JVM ends when the pipe that it reads from is closed, as it does here."""
    process: Popen[Any] = SparkContext._gateway.proc  # type: ignore[union-attr]
    spark.stop()
    process.communicate(timeout=_PATIENCE_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
