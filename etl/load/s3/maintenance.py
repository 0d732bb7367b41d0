"""What a lake needs between loads: expired days go, small files are joined, files that no version needs are removed.

None of it that writes runs beside a load of the same table: the caller (`__main__`) holds the table's lease.
"""

from __future__ import annotations

from datetime import date, timedelta

from pyspark.sql import SparkSession

from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.config.destinations.s3.settings import S3Settings
from etl.errors import UsageError
from etl.load.s3.formats import lake_table
from etl.load.s3.job import Place
from etl.load.s3.table import LakeTable, Retention

SAFE_VACUUM_HOURS = 168
"""A week: a reader of an older version may still need the files."""


class LakeKeeper:
    """Maintains the tables of one bucket."""

    def __init__(self, spark: SparkSession, settings: S3Settings) -> None:
        self._spark, self._settings = spark, settings

    def retain(self, config: S3TableLoadConfig, today: date, *, apply: bool) -> Retention | None:
        """Finds the days past `retention_days`, and deletes them where `apply` says so; None: the table keeps all."""
        if config.retention_days is None or not config.partition_by:
            return None
        return self._table(config).expire(today - timedelta(days=config.retention_days), apply=apply)

    def optimize(self, config: S3TableLoadConfig) -> int:
        """Joins small files; returns how many files were replaced."""
        return self._table(config).optimize()

    def vacuum(self, config: S3TableLoadConfig, hours: int | None = None, *, even_if_unsafe: bool = False) -> None:
        """Removes files that no version younger than `hours` (the table's `vacuum_hours`) needs."""
        kept_hours = config.vacuum_hours if hours is None else hours
        if kept_hours < SAFE_VACUUM_HOURS and not even_if_unsafe:
            raise UsageError(
                f"expected to keep at least {SAFE_VACUUM_HOURS} hours of {config.table_name}, found {kept_hours}: "
                "readers of an older version would fail; pass --even-if-unsafe where there are none",
                table=config.table_name,
            )
        self._table(config).vacuum(kept_hours)

    def _table(self, config: S3TableLoadConfig) -> LakeTable:
        return lake_table(Place.of(self._spark, self._settings, config))
