"""What a lake needs between loads: expired days go, small files are joined, files that no version needs are removed.

None of it that writes runs beside a load of the same table: the caller (`__main__`) holds the table's lease.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import uuid4

from delta.tables import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from etl.config.destinations.s3.load_config import S3Format, S3TableLoadConfig
from etl.config.destinations.s3.settings import S3Settings
from etl.errors import UsageError
from etl.load.s3.delta.log import has_commits
from etl.load.s3.delta.writes import CODEC, codec_of
from etl.load.s3.door import spark_door
from etl.load.s3.files.exchange import Publication, repair
from etl.load.s3.files.manifest import now, read_manifest
from etl.load.s3.frames import column
from etl.load.s3.paths import TablePath, partition_date_of
from etl.load.s3.store import ObjectStore, StoreAddress, StoredObject
from etl.model import PARTITION_DATE

SAFE_VACUUM_HOURS = 168
"""A week: a reader of an older version may still need the files."""

_RETENTION_RUN = "retention"


@dataclass(frozen=True)
class Retention:
    """The days older than `cutoff`, and what they hold; `applied` tells whether they are gone."""

    table: str
    cutoff: date
    days: tuple[date, ...]
    rows: int | None
    files: int
    bytes: int
    applied: bool


class LakeKeeper:
    """Maintains the tables of one bucket."""

    def __init__(self, spark: SparkSession, settings: S3Settings) -> None:
        self._spark, self._settings = spark, settings
        self._store = ObjectStore(StoreAddress.of(settings))

    def retain(self, config: S3TableLoadConfig, today: date, *, apply: bool) -> Retention | None:
        """Finds the days past `retention_days`, and deletes them where `apply` says so; None: the table keeps all."""
        if config.retention_days is None or not config.partition_by:
            return None
        cutoff = today - timedelta(days=config.retention_days)
        if config.format is S3Format.DELTA:
            return self._retain_delta(config, cutoff, apply=apply)
        return self._retain_files(config, cutoff, apply=apply)

    def optimize(self, config: S3TableLoadConfig) -> int:
        """Joins small files of a Delta table up to `target_file_size_mb`; returns how many files were replaced."""
        table = self._delta(config, {
            "spark.databricks.delta.optimize.maxFileSize": str(config.target_file_size_mb * 1024 * 1024),
            "spark.databricks.delta.optimize.minFileSize": str(config.target_file_size_mb * 1024 * 1024 // 2),
        })  # fmt: skip
        if table is None:
            return 0
        with spark_door("optimize the Delta table", config.table_name):
            metrics = table.optimize().executeCompaction().select("metrics.numFilesRemoved").head()
        return int(metrics[0]) if metrics else 0

    def vacuum(self, config: S3TableLoadConfig, hours: int | None = None, *, even_if_unsafe: bool = False) -> None:
        """Removes files that no version younger than `hours` (the table's `vacuum_hours`) needs."""
        kept_hours = config.vacuum_hours if hours is None else hours
        if kept_hours < SAFE_VACUUM_HOURS and not even_if_unsafe:
            raise UsageError(
                f"expected to keep at least {SAFE_VACUUM_HOURS} hours of {config.table_name}, found {kept_hours}: "
                "readers of an older version would fail; pass --even-if-unsafe where there are none",
                table=config.table_name,
            )
        table = self._delta(config, {"spark.databricks.delta.retentionDurationCheck.enabled": "false"})
        if table is not None:
            with spark_door("vacuum the Delta table", config.table_name):
                table.vacuum(kept_hours)

    def _delta(self, config: S3TableLoadConfig, options: dict[str, str]) -> DeltaTable | None:
        """In a session of its own, as the options hold for a whole session; None where there is no Delta table."""
        path = TablePath.of(self._settings, config)
        if config.format is not S3Format.DELTA or not has_commits(self._store, path):
            return None
        session = self._spark.newSession()
        always = {"spark.sql.session.timeZone": "UTC", CODEC: codec_of(config)}
        for name, value in {**options, **always}.items():
            session.conf.set(name, value)
        return DeltaTable.forPath(session, path.uri)

    def _retain_delta(self, config: S3TableLoadConfig, cutoff: date, *, apply: bool) -> Retention:
        table = self._delta(config, {})
        if table is None:
            return Retention(config.table_name, cutoff, (), 0, 0, 0, applied=apply)
        expired = column(PARTITION_DATE) < F.lit(cutoff)
        with spark_door("find expired days", config.table_name):
            found = table.toDF().where(expired).groupBy(column(PARTITION_DATE)).count().collect()
            if apply and found:
                table.delete(expired)
        days = tuple(sorted(row[PARTITION_DATE] for row in found))
        # the files stay until vacuum: older versions of the table need them
        return Retention(config.table_name, cutoff, days, sum(row["count"] for row in found), 0, 0, applied=apply)

    def _retain_files(self, config: S3TableLoadConfig, cutoff: date, *, apply: bool) -> Retention:
        path = TablePath.of(self._settings, config)
        if apply:
            repair(self._store, path)
        expired = [
            entry
            for entry in self._store.objects(path.prefix)
            if path.is_data(entry.key) and (day := partition_date_of(entry.key)) is not None and day < cutoff
        ]
        if apply and expired:
            self._delete_files(path, expired)
        days = {day for entry in expired if (day := partition_date_of(entry.key))}
        size = sum(entry.size for entry in expired)
        return Retention(config.table_name, cutoff, tuple(sorted(days)), None, len(expired), size, applied=apply)

    def _delete_files(self, path: TablePath, expired: list[StoredObject]) -> None:
        """As a load exchanges files: killed half-way, the next one finishes it."""
        keys = [entry.key for entry in expired]
        manifest = read_manifest(self._store, path)
        if manifest is None:
            self._store.delete(keys)
            return
        token = uuid4().hex
        kept = {key: facts for key, facts in manifest.files.items() if key not in set(keys)}
        publication = Publication(self._store, path, token, _RETENTION_RUN)
        publication.show([], keys)
        publication.settle(replace(manifest, token=token, written_at=now(), is_whole=False, files=kept))
