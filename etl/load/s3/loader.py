"""S3Loader: a frame into the lake, as a Delta table or as Parquet or JSON files."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date
from typing import ClassVar
from uuid import uuid4

import structlog
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from etl.config.destinations.s3.load_config import S3Format, S3TableLoadConfig
from etl.config.destinations.s3.settings import S3Settings
from etl.config.settings import Settings
from etl.config.tables.modes import deletes_vanished
from etl.errors import ConfigurationError, ConflictError, Fault
from etl.load.base import BaseLoader, LoadFacts, Sample
from etl.load.frames import Misfits, iterate_rejects
from etl.load.many_partitions import many_partitions
from etl.load.numerics import facts_without, reject_misfits, settle_numerics
from etl.load.rejected import discarded
from etl.load.s3.delta.load import StoredDelta, load_delta
from etl.load.s3.delta.log import commit_of_token, commits_of_run, has_commits
from etl.load.s3.delta.writes import widen
from etl.load.s3.door import spark_door
from etl.load.s3.files.exchange import repair
from etl.load.s3.files.manifest import read_load, read_manifest
from etl.load.s3.files.orphans import remove_dead_staging
from etl.load.s3.files.publication import load_files
from etl.load.s3.files.table import FileTable
from etl.load.s3.frames import Content, examine, prepare
from etl.load.s3.job import Job
from etl.load.s3.paths import TablePath, get_s3_path
from etl.load.s3.schema import Fitted, fit
from etl.load.s3.store import ObjectStore, StoreAddress, require_bucket
from etl.load.s3.widening import with_types
from etl.model import PARTITION_DATE, ConflictResolution, Destination, LoadResult, WriteMode
from etl.retrying import as_configured
from etl.spark.session import configure_s3

_NOTHING = Content(rows=0, digest="", dates=frozenset())


log = structlog.get_logger(__name__)


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
        job = self._job(df, config, token=uuid4().hex)
        run = self.config.settings.run
        for attempt in as_configured(run, "load retried", config.table_name, self.destination):
            with attempt:
                lost_answer = attempt.retry_state.attempt_number > 1
                result = (self._published_by(job) if lost_answer else None) or self._load(job, df, facts)
        # only here is it known: the result was made before it was written, as its own record
        return replace(result, seconds=round(time.monotonic() - job.started, 3))

    def target(self, config: S3TableLoadConfig) -> str:
        return TablePath.of(self._settings, config).uri

    def get_s3_path(self, table: S3TableLoadConfig, partition_date: date | None = None) -> str:
        return get_s3_path(self._settings, table, partition_date)

    def target_exists(self, config: S3TableLoadConfig) -> bool:
        path, store = TablePath.of(self._settings, config), self._store()
        if config.format is S3Format.DELTA:
            return has_commits(store, path)
        return store.get(path.manifest_key) is not None or any(
            path.is_data(entry.key) for entry in store.objects(path.prefix)
        )

    def sample(self, config: S3TableLoadConfig, rows: int) -> Sample:
        configure_s3(self.spark, self._settings)
        uri = self.target(config)
        frame = self.spark.read.format(config.format.value).load(uri)
        return Sample(uri, frame.count(), frame.columns, [list(row) for row in frame.limit(rows).collect()])

    def published(self, config: S3TableLoadConfig) -> LoadResult | None:
        path, store = TablePath.of(self._settings, config), self._store()
        if config.format is S3Format.DELTA:
            commits = commits_of_run(store, path, self.config.run_id)
            return commits[0].load_result() if commits else None
        manifest = read_load(store, path, self.config.run_id)
        if manifest is None:  # killed between the manifest and its copy under the run's name
            current = read_manifest(store, path)
            manifest = current if current and current.run_id == self.config.run_id else None
        return manifest.load_result() if manifest else None

    def plan(self, df: DataFrame, config: S3TableLoadConfig) -> list[str]:
        refuse_impossible(config)
        job = self._job(df, config, token="plan")  # noqa: S106 - no password
        exists = self.target_exists(config)
        prepared = prepare(settle_numerics(df, config).frame, config)
        fitted = fit(prepared, self._stored_schema(job) if exists else None, config)
        into = f"{config.format} {job.path.uri}" + (" by partition_date" if config.partition_by else "")
        steps = [f"{config.mode} into {into}" if exists else f"create {into}"]
        steps += [f"schema: {sentence}" for sentence in fitted.difference.sentences()]
        if fitted.widened:
            steps.append(f"write the table anew once, with wider types of {', '.join(fitted.widened)}")
        return steps

    def remove_orphans(self, config: S3TableLoadConfig, live_runs: frozenset[str]) -> list[str]:
        return remove_dead_staging(self._store(), TablePath.of(self._settings, config), live_runs)

    @property
    def _settings(self) -> S3Settings:
        settings = self.config.settings.s3
        if settings is None:
            raise ConfigurationError([Fault("conf/etl.yaml", 0, "expected an S3 bucket; set ETL_S3_BUCKET")])
        return settings

    def _store(self) -> ObjectStore:
        return ObjectStore(StoreAddress.of(self._settings))

    def _job(self, df: DataFrame, config: S3TableLoadConfig, token: str) -> Job:
        address = StoreAddress.of(self._settings)
        return Job(
            spark=self.spark,
            store=ObjectStore(address),
            address=address,
            path=TablePath.of(self._settings, config),
            run=self.config,
            config=config,
            token=token,
            started=time.monotonic(),
            frame=df,
            content=_NOTHING,
        )

    def _load(self, job: Job, df: DataFrame, facts: LoadFacts | None) -> LoadResult:
        config = job.config
        is_delta = config.format is S3Format.DELTA
        if not is_delta:
            repair(job.store, job.path)
        exists = self.target_exists(config)
        if exists and config.mode in (WriteMode.IGNORE, WriteMode.ERROR):
            return self._leave(job, df, facts)
        with spark_door("examine the frame", job.table):
            settled = settle_numerics(df, config)
            left_out = reject_misfits(df, settled, config, facts, self.config.keep_rejects)
            facts = facts_without(facts, left_out, settled)
            prepared = prepare(settled.frame, config)
            stored = self._stored_delta(job) if is_delta and exists else StoredDelta(None)
            table = None if is_delta else FileTable.find(job)
            fitted = fit(prepared, table.schema if table else stored.schema, config)
            rejected = left_out + self._reject(job, prepared, fitted.misfits, facts)
            content = examine(fitted.frame, config, facts)
        known = facts.checksums if facts and fitted.frame is prepared else None
        job = replace(job, frame=fitted.frame, content=content, checksums=known, rows_rejected=rejected)
        if table:
            result = load_files(job, replace(table, job=job))
        else:
            result = load_delta(job, self._evolved(job, stored, fitted))
        return replace(result, notes=(*result.notes, *many_partitions(config, len(content.dates))))

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

    def _leave(self, job: Job, df: DataFrame, facts: LoadFacts | None) -> LoadResult:
        """`ignore` and `error`: the target stands, nothing is written."""
        if job.config.mode is WriteMode.ERROR:
            raise ConflictError(
                f"expected no target (mode: error), found {job.path.uri}; remove it or choose another mode",
                table=job.table,
                destination=Destination.S3,
            )
        with spark_door("count the frame", job.table):
            rows = facts.rows if facts else df.count()
        job = replace(job, content=replace(_NOTHING, rows=rows))
        return job.result(skipped=rows, skipped_reason="the target exists (mode: ignore)")

    def _stored_delta(self, job: Job) -> StoredDelta:
        return StoredDelta(self.spark.read.format("delta").load(job.path.uri))

    def _evolved(self, job: Job, stored: StoredDelta, fitted: Fitted) -> StoredDelta:
        """What stands once its types hold what comes; an overwrite brings the types with its rows."""
        evolve = fitted.difference.renames_columns
        if not fitted.widened or stored.rows is None:
            return replace(stored, evolve=evolve)
        if job.config.mode is WriteMode.OVERWRITE or deletes_vanished(job.config):
            return replace(stored, rows=with_types(stored.rows, fitted.widened), evolve=True)
        widen(job, stored.rows, fitted.widened)
        log.info("types widened", table=job.table, target=job.path.uri, columns=list(fitted.widened))
        return replace(self._stored_delta(job), evolve=evolve)

    def _stored_schema(self, job: Job) -> StructType | None:
        with spark_door("read the target's schema", job.table):
            if job.config.format is S3Format.DELTA:
                return self._stored_delta(job).schema
            return FileTable.find(job).schema

    def _published_by(self, job: Job) -> LoadResult | None:
        """What this very call has published before its answer was lost."""
        if job.config.format is S3Format.DELTA:
            commit = commit_of_token(job.store, job.path, job.token)
            return commit.load_result() if commit else None
        manifest = read_manifest(job.store, job.path)
        return manifest.load_result() if manifest and manifest.token == job.token else None


def refuse_impossible(config: S3TableLoadConfig) -> None:
    """What no run could do; the message names all of it."""
    faults = []
    if config.mode not in S3Loader.supported_modes:
        faults.append(f"mode {config.mode} is none of the lake's; use merge for upsert")
    elif config.mode not in config.modes:
        faults.append(f"{config.mode} needs format: delta, not {config.format}")
    if config.mode is WriteMode.MERGE and not config.key:
        faults.append("merge needs a key")
    appends_files = config.mode is WriteMode.APPEND and config.format is not S3Format.DELTA
    if appends_files and config.key and config.conflict_resolution is ConflictResolution.UPDATE:
        faults.append(f"{config.format} files cannot be updated in place; set conflict_resolution to error or skip")
    if config.mode is WriteMode.OVERWRITE_PARTITIONS and not config.partition_by:
        faults.append("overwrite_partitions needs partition_by: [partition_date]")
    if config.partition_by and not config.date_column:
        faults.append("partition_by needs a date_column")
    if faults:
        raise ConfigurationError([Fault(f"table {config.table_name}", 0, fault) for fault in faults])
