"""Spark as tests need it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark.sql import SparkSession

from etl.spark.session import build_session


@contextmanager
def small_session(folder: Path) -> Iterator[SparkSession]:
    """Small and local, with Delta and S3A; `folder` is for tables of Spark's own."""
    options = {
        "spark.master": "local[2]",
        "spark.driver.memory": "1g",
        # C2 as Java has it: a suite's JVM lives for many minutes, a night's for one
        "spark.driver.extraJavaOptions": "-Duser.timezone=UTC -XX:+UseParallelGC",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(folder),
    }
    session = build_session("ownlens-etl-tests", options)
    try:
        yield session
    finally:
        session.stop()
