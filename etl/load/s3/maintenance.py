"""What a lake needs between loads: expired days go, small files are joined, files that no version needs are removed.

None of it that writes runs beside a load of the same table: the caller (a run, or `__main__`) holds the table's lease.
"""

from __future__ import annotations

import time
from datetime import date, timedelta

import structlog
from pyspark.sql import SparkSession

from etl.config.destinations.s3.load_config import SAFE_VACUUM_HOURS, S3Format, S3TableLoadConfig
from etl.config.destinations.s3.settings import S3Settings
from etl.errors import UsageError
from etl.load.s3.formats import lake_table
from etl.load.s3.job import Place
from etl.load.s3.paths import TablePath
from etl.load.s3.table import LakeTable, Retention
from etl.model import MaintenanceResult

log = structlog.get_logger(__name__)


class LakeKeeper:
    """Maintains the tables of one bucket."""

    def __init__(self, spark: SparkSession, settings: S3Settings) -> None:
        self._spark, self._settings = spark, settings

    def maintain(self, config: S3TableLoadConfig, today: date) -> MaintenanceResult:
        """All that the entry asks for; what Delta lets go of frees its space `vacuum_hours` later."""
        started, retained = time.monotonic(), self.retain(config, today, apply=True)
        joined = self.optimize(config)
        self.vacuum(config)
        return MaintenanceResult(
            config.table_name,
            config.destination,
            TablePath.of(self._settings, config).uri,
            deleted_before=retained.cutoff if retained else None,
            days_deleted=len(retained.days) if retained else 0,
            rows_deleted=retained.rows if retained else 0,
            files_joined=joined,
            seconds=round(time.monotonic() - started, 3),
        )

    def plan(self, config: S3TableLoadConfig, today: date) -> list[str]:
        """The same in words, with nothing done."""
        table = self._table(config)
        if not table.exists:
            return []
        steps = [str(retained)] if (retained := self.retain(config, today, apply=False)) else []
        if config.format is S3Format.DELTA:
            steps.append(f"would join {table.files_to_join()} small files")
            steps.append(f"would remove the files that no version of the last {config.vacuum_hours} hours needs")
        return steps

    def retain(self, config: S3TableLoadConfig, today: date, *, apply: bool) -> Retention | None:
        """Finds the days past `retention_days`, and deletes them where `apply` says so; None: the table keeps all."""
        if config.retention_days is None or not config.partition_by:
            return None
        found = self._table(config).expire(today - timedelta(days=config.retention_days), apply=apply)
        if found.applied and found.days:
            days = [str(day) for day in found.days]
            log.info("days deleted", table=found.table, before=str(found.cutoff), days=days, rows=found.rows)
        return found

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
