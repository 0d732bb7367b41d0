"""S3Loader: a frame into the lake, as a Delta table or as Parquet or JSON files."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date
from typing import ClassVar
from uuid import uuid4

from pyspark.sql import DataFrame

from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.config.destinations.s3.settings import S3Settings
from etl.config.settings import Settings
from etl.config.tables.modes import MODES, updates_by_key
from etl.errors import ConfigurationError, Fault
from etl.load.base import BaseLoader, LoadFacts, Sample
from etl.load.frames import Misfits, iterate_rejects
from etl.load.many_partitions import many_partitions
from etl.load.marks import require_marks, with_marks
from etl.load.numerics import facts_without, reject_misfits, settle_numerics
from etl.load.rejected import discarded
from etl.load.s3.door import spark_door
from etl.load.s3.driver.frames import collect, rows_of
from etl.load.s3.files.orphans import remove_dead_staging
from etl.load.s3.formats import lake_table
from etl.load.s3.frames import Content, examine, prepare
from etl.load.s3.job import Job, Place, Rows
from etl.load.s3.lane import driver_table, lane
from etl.load.s3.maintenance import LakeKeeper
from etl.load.s3.modes import mode_of
from etl.load.s3.paths import TablePath, get_s3_path
from etl.load.s3.schema import fit
from etl.load.s3.table import LakeTable
from etl.model import PARTITION_DATE, Destination, LoadResult, MaintenanceResult, WriteMode
from etl.retrying import as_configured
from etl.s3.store import StoreAddress, require_bucket
from etl.spark.session import configure_s3

_NOTHING = Content(rows=0, digest="", dates=frozenset())


class S3Loader(BaseLoader[S3TableLoadConfig]):
    """Delta tables publish by one commit; plain files appear whole, then the old ones go (files/exchange.py)."""

    destination = Destination.S3
    supported_modes: ClassVar[frozenset[WriteMode]] = S3TableLoadConfig.supported_modes

    @classmethod
    def require_server(cls, settings: Settings) -> None:
        if settings.s3:
            require_bucket(StoreAddress.of(settings.s3))

    def load(self, df: DataFrame, config: S3TableLoadConfig, facts: LoadFacts | None = None) -> LoadResult:
        refuse_impossible(config)
        df = with_marks(df, config)
        job = Job(self._place(config), self.config, uuid4().hex, time.monotonic(), df, df.schema, _NOTHING)
        run = self.config.settings.run
        for attempt in as_configured(run, "load retried", config.table_name, self.destination):
            with attempt:
                is_again = attempt.retry_state.attempt_number > 1  # the answer may have been lost
                done = lake_table(job.place).published_by(job.token) if is_again else None
                result = done or self._load(job, df, facts)
        # only here is it known: the result was made before it was written, as its own record
        return replace(result, seconds=round(time.monotonic() - job.started, 3))

    def target(self, config: S3TableLoadConfig) -> str:
        return TablePath.of(self._settings, config).uri

    def get_s3_path(self, table: S3TableLoadConfig, partition_date: date | None = None) -> str:
        return get_s3_path(self._settings, table, partition_date)

    def target_exists(self, config: S3TableLoadConfig) -> bool:
        return self._table(config).exists

    def sample(self, config: S3TableLoadConfig, rows: int) -> Sample:
        configure_s3(self.spark, self._settings)
        uri = self.target(config)
        frame = self.spark.read.format(config.format.value).load(uri)
        return Sample(uri, frame.count(), frame.columns, [list(row) for row in frame.limit(rows).collect()])

    def published(self, config: S3TableLoadConfig) -> LoadResult | None:
        return self._table(config).published(self.config.run_id)

    def plan(self, df: DataFrame, config: S3TableLoadConfig) -> list[str]:
        refuse_impossible(config)
        table, mode = self._table(config), mode_of(config)
        if mode.existing and table.exists:
            return [mode.existing(config, self.target(config))]
        prepared = prepare(settle_numerics(with_marks(df, config), config).frame, config)
        with spark_door("read the target's schema", config.table_name):
            fitted = fit(prepared, table.schema, config)
        require_marks(config, fitted.frame.columns, self.target(config))
        into = f"{config.format} {self.target(config)}" + (" by partition_date" if config.partition_by else "")
        steps = [f"{config.mode} into {into}" if table.exists else f"create {into}"]
        steps += [f"schema: {sentence}" for sentence in fitted.difference.sentences()]
        if fitted.widened:
            steps.append(f"write the table anew once, with wider types of {', '.join(fitted.widened)}")
        return [*steps, lane(self._place(config))]

    def remove_orphans(self, config: S3TableLoadConfig, live_runs: frozenset[str]) -> list[str]:
        place = self._place(config)
        return remove_dead_staging(place.store, place.path, live_runs)

    def maintain(self, config: S3TableLoadConfig, today: date) -> MaintenanceResult:
        return LakeKeeper(self.spark, self._settings).maintain(config, today)

    def plan_maintenance(self, config: S3TableLoadConfig, today: date) -> list[str]:
        return LakeKeeper(self.spark, self._settings).plan(config, today)

    @property
    def _settings(self) -> S3Settings:
        settings = self.config.settings.s3
        if settings is None:
            raise ConfigurationError([Fault("conf/etl.yaml", 0, "expected an S3 bucket; set ETL_S3_BUCKET")])
        return settings

    def _place(self, config: S3TableLoadConfig) -> Place:
        return Place.of(self.spark, self._settings, config)

    def _table(self, config: S3TableLoadConfig) -> LakeTable:
        return lake_table(self._place(config))

    def _load(self, job: Job, df: DataFrame, facts: LoadFacts | None) -> LoadResult:
        config, mode = job.config, mode_of(job.config)
        small = driver_table(job.place, facts)
        table: LakeTable = small or lake_table(job.place)
        table.repair()
        if mode.existing and table.exists:
            return self._leave(job, df, facts, mode.existing(config, job.path.uri))
        with spark_door("examine the frame", job.table):
            settled = settle_numerics(df, config)
            left_out = reject_misfits(df, settled, config, facts, self.config.keep_rejects)
            facts = facts_without(facts, left_out, settled)
            prepared = prepare(settled.frame, config)
            fitted = fit(prepared, table.schema, config)
            require_marks(config, fitted.frame.columns, job.path.uri)
            rejected = left_out + self._reject(job, prepared, fitted.misfits, facts)
            if small and small.refuses(fitted):
                small, table = None, lake_table(job.place)
            frame, content = (collect if small else examine)(fitted.frame, config, facts)
            deleted = self._deleted_keys(config, facts, by_driver=small is not None)
        known = facts.checksums if facts and fitted.frame is prepared else None
        job = replace(job, frame=frame, schema=fitted.frame.schema, content=content, rows_rejected=rejected)
        job = replace(job, checksums=known, deleted=deleted)
        result = mode.write(job, table.fitted(fitted))
        return replace(result, notes=(*result.notes, *many_partitions(config, len(content.dates))))

    def _deleted_keys(self, config: S3TableLoadConfig, facts: LoadFacts | None, *, by_driver: bool) -> Rows | None:
        if facts is None or facts.deleted is None or not updates_by_key(config):
            return None
        keys = settle_numerics(facts.deleted.by(config.key), config).frame
        return rows_of(keys) if by_driver else keys

    def _reject(self, job: Job, prepared: DataFrame, misfits: Misfits | None, facts: LoadFacts | None) -> int:
        """Hands the rows that the contract discards to the ledger; how many they are."""
        if misfits is None:
            return 0
        rejected = misfits.among(prepared)
        rows = rejected.count()
        if facts is not None:
            facts.refuse_too_many_rejected(job.config, rows, lambda: discarded(rows))
        if rows and self.config.keep_rejects:
            kept = iterate_rejects(
                rejected, misfits.rule, misfits.reason, PARTITION_DATE if job.config.partition_by else None
            )
            self.config.keep_rejects(job.table, Destination.S3, kept)
        return rows

    def _leave(self, job: Job, df: DataFrame, facts: LoadFacts | None, reason: str) -> LoadResult:
        """The target stands, nothing is written."""
        with spark_door("count the frame", job.table):
            rows = facts.rows if facts else df.count()
        job = replace(job, content=replace(_NOTHING, rows=rows))
        return job.result(skipped=rows, skipped_reason=reason)


def refuse_impossible(config: S3TableLoadConfig) -> None:
    """What no run could do; the message names all of it."""
    faults, needs = [], MODES[config.mode]
    if config.mode not in S3Loader.supported_modes:
        faults.append(f"mode {config.mode} is none of the lake's; use merge for upsert")
    elif config.mode not in config.modes:
        faults.append(f"{config.mode} needs format: delta, not {config.format}")
    if needs.finds_by_key and not config.key:
        faults.append(f"{config.mode} needs a key")
    if config.would_update_files:
        faults.append(f"{config.format} files cannot be updated in place; set conflict_resolution to error or skip")
    if needs.needs_partitions and not config.partition_by:
        faults.append(f"{config.mode} needs partition_by: [partition_date]")
    if config.partition_by and not config.date_column:
        faults.append("partition_by needs a date_column")
    if faults:
        raise ConfigurationError([Fault(f"table {config.table_name}", 0, fault) for fault in faults])
