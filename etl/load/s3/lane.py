"""Which of the two lanes a table takes into the lake: the driver's, for small ones, or Spark's."""

from __future__ import annotations

import re

from etl.config.destinations.s3.load_config import S3Format, S3TableLoadConfig, S3Writer
from etl.load.base import LoadFacts
from etl.load.s3.driver.table import DriverTable
from etl.load.s3.job import Place
from etl.spark.local_frame import DRIVER_BYTES

MOST_ROWS = 50_000
_FORMATS = frozenset({S3Format.DELTA, S3Format.PARQUET})
_PLAIN_PATH = re.compile(r"[\w./=-]*", re.ASCII)


def driver_table(place: Place, facts: LoadFacts | None) -> DriverTable | None:
    """The table as the driver writes it; None where Spark does."""
    if why_spark(place) or not _is_small(place.config, facts):
        return None
    table = _table(place)
    return None if table.refusal else table


def why_spark(place: Place) -> str:
    """What of the entry and the store is for Spark, whatever comes and stands; empty where nothing is."""
    config, address = place.config, place.address
    if config.writer is S3Writer.SPARK:
        return "writer: spark"
    if config.format not in _FORMATS:
        return f"{config.format} text is Spark's"
    if address.ca_file or not address.verify:
        return "the store's certificate has a CA of its own"
    if not _PLAIN_PATH.fullmatch(place.path.prefix):
        return "its path has signs that have to be escaped"
    return ""


def lane(place: Place) -> str:
    """For a plan, which knows no rows."""
    reason = why_spark(place) or _table(place).refusal
    if reason:
        return f"written by Spark: {reason}"
    if place.config.writer is S3Writer.RUST:
        return "written by the driver"
    return f"written by the driver up to {MOST_ROWS} rows and {DRIVER_BYTES // 1024**2} MiB, above by Spark"


def _table(place: Place) -> DriverTable:
    # executors import the loader, too, and need not have the `deltalake` package
    from etl.load.s3.driver.delta import DriverDeltaTable
    from etl.load.s3.driver.files import DriverFileTable

    kinds: dict[S3Format, type[DriverTable]] = {S3Format.DELTA: DriverDeltaTable, S3Format.PARQUET: DriverFileTable}
    return kinds[place.config.format](place)


def _is_small(config: S3TableLoadConfig, facts: LoadFacts | None) -> bool:
    if config.writer is S3Writer.RUST:
        return True
    return facts is not None and facts.fit_driver(MOST_ROWS)
