"""The door to Spark and Delta: what they raise becomes one of our errors here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from etl.model import Destination
from etl.spark.causes import of_spark


@contextmanager
def spark_door(doing: str, table: str | None = None) -> Iterator[None]:
    """Around every Spark action and every Delta command."""
    try:
        yield
    except (PySparkException, Py4JError) as error:
        raise of_spark(error, doing, table=table, destination=Destination.S3) from error
