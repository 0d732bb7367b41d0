"""Loads frames into PostgreSQL: COPY into a staging table of the run, then one transaction publishes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar

from pyspark.sql import DataFrame

from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.tables.modes import finds_by_key
from etl.errors import EtlError, UsageError
from etl.load.base import BaseLoader, LoadFacts, Sample
from etl.load.marks import with_marks
from etl.load.postgresql import preparation as preparing
from etl.load.postgresql.attempt import Load, LoadAttempt
from etl.load.postgresql.door import transaction
from etl.load.postgresql.modes import MODES
from etl.load.postgresql.plan import plan_steps
from etl.load.postgresql.publication.history import find_published
from etl.load.postgresql.publication.replay import replay_waiting
from etl.load.postgresql.retries import loading_again
from etl.load.postgresql.target.catalog import exists
from etl.load.postgresql.target.references import validate_late_links
from etl.load.postgresql.transfer import run_table as staging
from etl.model import Destination, LoadResult, WriteMode
from etl.statements.postgresql.naming import Table
from etl.statements.quoting import postgresql_name


class PostgreSQLLoader(BaseLoader[PostgreSQLTableLoadConfig]):
    """A table is published after its foreign-key parents; tables of a cycle go through `load_together`."""

    destination: ClassVar[Destination] = Destination.POSTGRESQL
    has_foreign_keys: ClassVar[bool] = True
    supported_modes: ClassVar[frozenset[WriteMode]] = PostgreSQLTableLoadConfig.supported_modes

    def load(self, df: DataFrame, config: PostgreSQLTableLoadConfig, facts: LoadFacts | None = None) -> LoadResult:
        return self.load_together([(df, config, facts)])[0]

    def load_together(self, loads: Sequence[Load]) -> list[LoadResult]:
        """All of them in one transaction: foreign keys of a cycle are checked when every table is in."""
        started = time.monotonic()
        for _, config, _ in loads:
            self._check_config(config)
        loads = [(with_marks(df, config), config, facts) for df, config, facts in loads]
        settled = {config.table_name: self._settle_existing(df, config, facts) for df, config, facts in loads}
        wanted = [load for load in loads if settled[load[1].table_name] is None]
        if wanted:
            for result in self._stage_and_publish(wanted, started):
                settled[result.table_name] = result
        return [result for result in settled.values() if result is not None]

    def replay_orphans(self, configs: Sequence[PostgreSQLTableLoadConfig]) -> list[LoadResult]:
        """Loads the waiting rows of these tables whose parents have come, and marks their entries resolved in the
        same transaction. A row that the target holds by now, in whatever version, is resolved without writing."""
        names = ", ".join(config.table_name for config in configs)
        return loading_again(self.config.settings.run, names)(replay_waiting, configs, self.config)

    def target(self, config: PostgreSQLTableLoadConfig) -> str:
        return f"{config.target_schema}.{config.target_name}"

    def target_exists(self, config: PostgreSQLTableLoadConfig) -> bool:
        table = _table(config)
        with transaction(staging.postgresql_of(self.config.settings), f"look for {table}") as cursor:
            return exists(cursor, table)

    def sample(self, config: PostgreSQLTableLoadConfig, rows: int) -> Sample:
        name = postgresql_name(config.target_schema, config.target_name)
        with transaction(staging.postgresql_of(self.config.settings), f"read {name}") as cursor:
            cursor.execute(f"SELECT count(*) FROM {name}")
            count = int(cursor.fetchone()[0])
            cursor.execute(f"SELECT * FROM {name} LIMIT %s", (rows,))
            columns = [column.name for column in cursor.description or ()]
            return Sample(f"postgresql {name}", count, columns, cursor.fetchall())

    def published(self, config: PostgreSQLTableLoadConfig) -> LoadResult | None:
        with transaction(staging.postgresql_of(self.config.settings), "read the ledger") as cursor:
            return find_published(cursor, self.config.run_id, config.table_name)

    def plan(self, df: DataFrame, config: PostgreSQLTableLoadConfig) -> list[str]:
        self._check_config(config)
        if reason := self._existing(config):
            return [reason]
        return plan_steps(preparing.prepare(with_marks(df, config).schema, config, self.config))

    def remove_orphans(self, config: PostgreSQLTableLoadConfig, live_runs: frozenset[str]) -> list[str]:
        return staging.drop_orphans(self.config.settings, _table(config), live_runs)

    def _check_config(self, config: PostgreSQLTableLoadConfig) -> None:
        if config.mode not in self.supported_modes:
            raise UsageError(
                f"expected one of the modes {', '.join(sorted(self.supported_modes))} for {config.table_name} in "
                f"PostgreSQL, found {config.mode}",
                table=config.table_name,
            )
        if finds_by_key(config) and not (config.key or config.conflict_target):
            raise UsageError(
                f"expected a key for {config.table_name}: {config.mode} needs one; "
                "set `key`, or use append or overwrite",
                table=config.table_name,
            )

    def _existing(self, config: PostgreSQLTableLoadConfig) -> str | None:
        """Why a mode that asks only whether the target is there writes nothing."""
        existing = MODES[config.mode].existing
        return existing(config, self.target(config)) if existing and self.target_exists(config) else None

    def _settle_existing(
        self, df: DataFrame, config: PostgreSQLTableLoadConfig, facts: LoadFacts | None
    ) -> LoadResult | None:
        if not (reason := self._existing(config)):
            return None
        rows = facts.rows if facts else df.count()
        result = LoadResult(
            table_name=config.table_name,
            destination=self.destination,
            target=self.target(config),
            mode=config.mode,
            rows_in=rows,
            rows_skipped=rows,
            skipped_reason=reason,
        )
        if self.config.record is not None:
            with transaction(staging.postgresql_of(self.config.settings), "record a skipped load") as cursor:
                self.config.record(cursor, result)
        return result

    def _stage_and_publish(self, loads: Sequence[Load], started: float) -> list[LoadResult]:
        attempt = LoadAttempt(self.config, loads, started)
        names = ", ".join(config.table_name for _, config, _ in loads)
        try:
            outcome = loading_again(self.config.settings.run, names)(attempt.run)
        except BaseException as error:
            attempt.discard()
            if isinstance(error, EtlError):
                error.table = error.table or loads[0][1].table_name
                error.destination = str(self.destination)
            raise
        validate_late_links(staging.postgresql_of(self.config.settings), outcome.late_children)
        return list(outcome.results)


def _table(config: PostgreSQLTableLoadConfig) -> Table:
    return Table(config.target_schema, config.target_name)
