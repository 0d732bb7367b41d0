"""ClickHouse as a destination: staged by the executors, compared and published by the server, in one atomic step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar
from uuid import uuid4

import structlog
from pyspark.sql import DataFrame

from etl.clickhouse.door import ClickHouseDoor
from etl.config.destinations.clickhouse.load_config import ClickHouseEngine, ClickHouseTableLoadConfig
from etl.config.destinations.clickhouse.settings import ClickHouseSettings
from etl.config.destinations.clickhouse.spec import CLICKHOUSE
from etl.config.settings import Settings
from etl.config.tables.modes import replaces_partitions, updates_by_key
from etl.errors import ConfigurationError, EtlError, Fault, ReconciliationError, StoreError
from etl.load.base import BaseLoader, LoadFacts, Sample
from etl.load.clickhouse.aggregates import refresh_aggregates
from etl.load.clickhouse.expiry import leave_out_expired
from etl.load.clickhouse.job import Frame, Job, Outcome, Staged
from etl.load.clickhouse.marker import PublishedLoad, published_loads
from etl.load.clickhouse.properties import properties_of
from etl.load.clickhouse.publish import Publication
from etl.load.clickhouse.schema import SchemaPlan, plan_load
from etl.load.clickhouse.target import TargetTable, describe, frame_columns
from etl.load.clickhouse.transfer.frame import discarded_rows, prepare_frame, spread
from etl.load.clickhouse.transfer.jdbc_writer import stage_jdbc
from etl.load.clickhouse.transfer.run_table import stage_arrow
from etl.load.frames import checksums_of
from etl.load.many_partitions import many_partitions
from etl.load.marks import require_marks, with_marks
from etl.load.numerics import Settled, facts_without, reject_misfits, settle_numerics
from etl.load.rejected import discarded
from etl.model import Checksums, Column, ConflictResolution, Destination, LoadResult, WriteMode
from etl.retrying import as_configured
from etl.statements.clickhouse.catalog import DATABASE_ENGINE, TABLE_COMMENT, TABLES_WITH_PREFIX
from etl.statements.clickhouse.names import (
    StagingNames,
    run_token,
    run_token_of,
    staging_names,
    staging_prefix,
)
from etl.statements.clickhouse.tables import create_table, drop_tables
from etl.statements.quoting import clickhouse_name

log = structlog.get_logger(__name__)


class ClickHouseLoader(BaseLoader[ClickHouseTableLoadConfig]):
    """Append, merge and replace_partition. `FINAL` is the read of a ReplacingMergeTree."""

    destination: ClassVar[Destination] = Destination.CLICKHOUSE
    supported_modes: ClassVar[frozenset[WriteMode]] = ClickHouseTableLoadConfig.supported_modes

    @classmethod
    def require_server(cls, settings: Settings) -> None:
        if settings.clickhouse:
            with ClickHouseDoor(settings.clickhouse) as door:
                door.query("SELECT 1")

    def load(self, df: DataFrame, config: ClickHouseTableLoadConfig, facts: LoadFacts | None = None) -> LoadResult:
        _require_usable(config)
        df = with_marks(df, config)
        started = time.monotonic()
        load_id = uuid4().hex
        run = self.config.settings.run
        for attempt in as_configured(run, "load retried", config.table_name, self.destination):
            with attempt, self._door(config) as door:
                number = attempt.retry_state.attempt_number
                # the connection may have been lost after the exchange: then the load is done
                done = self._find_published(door, config, load_id) if number > 1 else None
                result = done or self._try(door, df, config, facts, load_id, number, started)
                self._refresh_aggregates(door, config, result)
        return result

    def replace_partition(
        self, df: DataFrame, config: ClickHouseTableLoadConfig, facts: LoadFacts | None = None
    ) -> LoadResult:
        """Each partition that the frame has rows of becomes exactly the frame's rows; the others stay."""
        return self.load(df, config.model_copy(update={"mode": WriteMode.REPLACE_PARTITION}), facts)

    def target(self, config: ClickHouseTableLoadConfig) -> str:
        return f"{self._database(config)}.{config.target_name}"

    def target_exists(self, config: ClickHouseTableLoadConfig) -> bool:
        with self._door(config) as door:
            return bool(door.query(TABLE_COMMENT, parameters=self._parameters(config)))

    def follows_entry(self, config: ClickHouseTableLoadConfig) -> bool:
        with self._door(config) as door:
            target = describe(door, self._database(config), config.target_name)
            return target is None or not properties_of(door, config, target).differ

    def sample(self, config: ClickHouseTableLoadConfig, rows: int) -> Sample:
        name = clickhouse_name(self._database(config), config.target_name)
        read = f"{name} FINAL" if config.engine is ClickHouseEngine.REPLACING_MERGE_TREE else name
        with self._door(config) as door:
            count = int(door.query(f"SELECT count() FROM {read}")[0][0])
            columns = [str(row[0]) for row in door.query(f"DESCRIBE TABLE {name}")]
            return Sample(f"clickhouse {read}", count, columns, door.query(f"SELECT * FROM {read} LIMIT {rows:d}"))

    def published(self, config: ClickHouseTableLoadConfig) -> LoadResult | None:
        """A run that died after it published may have left the aggregates behind: they are refreshed here."""
        with self._door(config) as door:
            loads = self._published_loads(door, config)
            latest = next((load for load in loads if load.run_id == self.config.run_id), None)
            if latest is None:
                return None
            result = latest.result(config.table_name, self.target(config))
            self._refresh_aggregates(door, config, result)
        return result

    def plan(self, df: DataFrame, config: ClickHouseTableLoadConfig) -> list[str]:
        _require_usable(config)
        df = with_marks(df, config)
        database, table = self._database(config), config.target_name
        with self._door(config) as door:
            target = self._describe(door, config)
            plan = plan_load(door, database, self._columns(df, config, settle_numerics(df, config)), config, target)
        require_marks(config, [column.name for column in plan.columns], self.target(config))
        if target is None:
            steps = [create_table(database, table, plan.shape)]
        else:
            steps = [*plan.alterations(database, table), *plan.properties.notes()]
        steps.append(f"stage as {staging_prefix(database, table)}* by {config.writer}, compare by key")
        return [*steps, f"{config.mode}: publish what differs by EXCHANGE TABLES with a clone of {table}"]

    def remove_orphans(self, config: ClickHouseTableLoadConfig, live_runs: frozenset[str]) -> list[str]:
        database = self._database(config)
        prefix = staging_prefix(database, config.target_name)
        live = {run_token(run_id) for run_id in live_runs}
        with self._door(config) as door:
            found = _tables_with_prefix(door, database, prefix)
            orphans = [name for name in found if run_token_of(prefix, name) not in live]
            if orphans:
                door.execute(drop_tables(database, orphans))
        return [f"{database}.{name}" for name in orphans]

    def _try(
        self,
        door: ClickHouseDoor,
        df: DataFrame,
        config: ClickHouseTableLoadConfig,
        facts: LoadFacts | None,
        load_id: str,
        number: int,
        started: float,
    ) -> LoadResult:
        target = self._describe(door, config)
        settled = settle_numerics(df, config)
        plan = plan_load(door, self._database(config), self._columns(df, config, settled), config, target)
        names = staging_names(self._database(config), config.target_name, self.config.run_id, f"{load_id[:8]}{number}")
        require_marks(config, [column.name for column in plan.columns], self.target(config))
        run = self.config
        job = Job(door, config, names, target, plan, run.run_id, run.run_number, load_id, run.started_at)
        with _staging_dropped(door, names):
            frame, staged = self._stage(df, settled, job, facts)
            return self._publish(job, staged, frame, started)

    def _refresh_aggregates(self, door: ClickHouseDoor, config: ClickHouseTableLoadConfig, result: LoadResult) -> None:
        refresh_aggregates(door, self._database(config), config.target_name, changed=result.changed)

    def _stage(self, incoming: DataFrame, settled: Settled, job: Job, facts: LoadFacts | None) -> tuple[Frame, Staged]:
        table, keep = job.config.table_name, self.config.keep_rejects
        left_out = reject_misfits(incoming, settled, job.config, facts, keep)
        df, facts = settled.frame, facts_without(facts, left_out, settled)
        prepared = prepare_frame(df, job.config, job.plan)
        rows = facts.rows if facts else None
        frame, settings = spread(prepared, rows, self.config.settings.run), self._settings(job.config)
        is_jdbc = job.config.writer == "jdbc"
        staged = stage_jdbc(frame, job, settings, facts) if is_jdbc else stage_arrow(frame, job, settings, facts)
        staged = replace(staged, gone=self._stage_gone(job, facts))
        rejected = (df.count() if rows is None else rows) - staged.rows if job.plan.discards else 0
        if rows is not None and rows != staged.rows + rejected:
            raise ReconciliationError(
                f"{job.config.table_name}: expected {rows} rows, staged {staged.rows} in ClickHouse; "
                "the frame changed between two reads, so persist it before it is loaded",
                table=job.config.table_name,
                destination=self.destination,
            )
        if facts is not None:
            facts.refuse_too_many_rejected(job.config, rejected, lambda: discarded(rejected))
        if rejected and keep is not None:
            keep(table, self.destination, discarded_rows(df, job.config, job.plan))
        return Frame(rows, rejected + left_out, self._expected(prepared, job.plan, facts), facts is not None), staged

    def _stage_gone(self, job: Job, facts: LoadFacts | None) -> str:
        """The table of the keys that the source calls deleted; empty where there are none, or nothing stands."""
        config = job.config
        if facts is None or facts.deleted is None or job.target is None or not updates_by_key(config):
            return ""
        keys = settle_numerics(facts.deleted.by(config.key), config).frame
        listing = replace(job, names=job.names.of_gone, plan=job.plan.of(config.key))
        known = LoadFacts(rows=facts.deleted.rows)
        return stage_arrow(
            spread(keys, known.rows, self.config.settings.run), listing, self._settings(config), known
        ).table

    def _expected(self, prepared: DataFrame, plan: SchemaPlan, facts: LoadFacts | None) -> Checksums | None:
        if not self.config.validate:
            return None
        if facts and facts.checksums and not plan.discards:
            return facts.checksums
        return checksums_of(prepared, plan.columns, {CLICKHOUSE.digest})

    def _publish(self, job: Job, staged: Staged, frame: Frame, started: float) -> LoadResult:
        kept, frame, expired = leave_out_expired(job, staged, frame)

        def result_of(outcome: Outcome) -> LoadResult:
            return LoadResult(
                job.config.table_name,
                self.destination,
                job.qualified_target,
                job.config.mode,
                rows_in=staged.rows + frame.rejected,
                rows_inserted=outcome.inserted,
                rows_updated=outcome.updated,
                rows_unchanged=outcome.unchanged,
                rows_skipped=outcome.skipped + expired,
                rows_rejected=frame.rejected,
                rows_deleted=outcome.deleted,
                bytes_written=staged.bytes,
                seconds=time.monotonic() - started,
                notes=(*many_partitions(job.config, len(kept.partitions)), *job.plan.properties.notes()),
            )

        def proof(outcome: Outcome) -> PublishedLoad:
            return PublishedLoad.of(result_of(outcome), job.run_id, job.load_id)

        return result_of(Publication(job, kept, frame, proof).publish())

    def _describe(self, door: ClickHouseDoor, config: ClickHouseTableLoadConfig) -> TargetTable | None:
        target = describe(door, self._database(config), config.target_name)
        if target is None:
            _require_atomic(door, self._database(config), config)
        return target

    def _columns(self, df: DataFrame, config: ClickHouseTableLoadConfig, settled: Settled) -> tuple[Column, ...]:
        return settled.typed(frame_columns(df, self.config.definitions.get(config.table_name)))

    def _find_published(
        self, door: ClickHouseDoor, config: ClickHouseTableLoadConfig, load_id: str
    ) -> LoadResult | None:
        loads = self._published_loads(door, config)
        found = next((load for load in loads if load.load_id == load_id), None)
        return found.result(config.table_name, self.target(config)) if found else None

    def _published_loads(self, door: ClickHouseDoor, config: ClickHouseTableLoadConfig) -> list[PublishedLoad]:
        rows = door.query(TABLE_COMMENT, parameters=self._parameters(config))
        return published_loads(rows[0][0]) if rows else []

    def _database(self, config: ClickHouseTableLoadConfig) -> str:
        return config.target_database or self._configured().database

    def _settings(self, config: ClickHouseTableLoadConfig) -> ClickHouseSettings:
        """With the target's database as the session's own: CLONE AS needs it."""
        return self._configured().model_copy(update={"database": self._database(config)})

    def _configured(self) -> ClickHouseSettings:
        settings = self.config.settings.clickhouse
        if settings is None:
            raise StoreError("expected a ClickHouse server in the settings, found none; set ETL_CLICKHOUSE_URL")
        return settings

    def _door(self, config: ClickHouseTableLoadConfig) -> ClickHouseDoor:
        run = self.config.settings.run
        return ClickHouseDoor(self._settings(config), lock_timeout_seconds=run.lock_timeout_seconds)

    def _parameters(self, config: ClickHouseTableLoadConfig) -> dict[str, str]:
        return {"database": self._database(config), "table": config.target_name}


@contextmanager
def _staging_dropped(door: ClickHouseDoor, names: StagingNames) -> Iterator[None]:
    """Whatever happens, nothing of this try stays behind; what cannot be dropped now is the next run's orphan."""
    try:
        yield
    finally:
        try:
            found = _tables_with_prefix(door, names.database, f"{names.base}_")
            if found:
                door.execute(drop_tables(names.database, found))
        except EtlError as error:
            log.warning("staging left behind", database=names.database, staging=names.base, error=str(error))


def _tables_with_prefix(door: ClickHouseDoor, database: str, prefix: str) -> list[str]:
    rows = door.query(TABLES_WITH_PREFIX, parameters={"database": database, "prefix": prefix})
    return [row[0] for row in rows]


def _require_usable(config: ClickHouseTableLoadConfig) -> None:
    """What no configuration should hold; said before anything is touched."""
    sentences = []
    if config.mode not in config.modes:
        sentences.append(f"engine {config.engine} cannot {config.mode}")
    if not config.key:
        sentences.append("a key is needed to compare what is loaded with what stands; set `key`")
    if config.engine.value == "ReplacingMergeTree" and config.order_by and set(config.order_by) != set(config.key):
        sentences.append("ReplacingMergeTree keeps one row for each ORDER BY, so order_by must hold just the key")
    if replaces_partitions(config) and config.conflict_resolution is ConflictResolution.SKIP:
        sentences.append(f"{config.mode} makes a partition what the frame says, so it cannot skip rows that differ")
    if sentences:
        raise ConfigurationError([Fault(f"{config.table_name}.clickhouse", 0, sentence) for sentence in sentences])


def _require_atomic(door: ClickHouseDoor, database: str, config: ClickHouseTableLoadConfig) -> None:
    rows = door.query(DATABASE_ENGINE, parameters={"database": database})
    found = rows[0][0] if rows else "no such database"
    if found != "Atomic":
        raise StoreError(
            f"{config.table_name}: expected ClickHouse database {database} with engine Atomic, found {found}; "
            f"create it with CREATE DATABASE {database} ENGINE = Atomic, or set target_database",
            table=config.table_name,
            destination=Destination.CLICKHOUSE,
        )
