"""One load from staging to COMMIT, tried again where that may help."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from pyspark.sql import DataFrame

from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.tables.modes import updates_by_key
from etl.errors import ConnectionLostError, ContentionError, EtlError
from etl.load.base import LoaderConfig, LoadFacts
from etl.load.postgresql import preparation as preparing
from etl.load.postgresql.publication.group import Outcome, publish_group
from etl.load.postgresql.publication.table import Filled, Publication
from etl.load.postgresql.transfer import run_table as staging
from etl.postgresql.door import sqlstate
from etl.postgresql.sqlstates import UNIQUE_VIOLATION
from etl.statements.postgresql.naming import Table, staging_table
from etl.statements.postgresql.writing import Write

Load = tuple[DataFrame, PostgreSQLTableLoadConfig, LoadFacts | None]


class LoadAttempt:
    """Remembers from one try to the next what is staged, and an outcome whose COMMIT got no answer."""

    def __init__(self, config: LoaderConfig, loads: Sequence[Load], started: float) -> None:
        self._config = config
        self._loads = loads
        self._started = started
        self._filled: dict[Table, Filled] = {}
        self._unanswered: Outcome | None = None
        self._is_doubted = False

    def run(self) -> Outcome:
        """Stages what is not staged yet, then publishes everything in one transaction."""
        if self._unanswered is not None and self._was_committed():
            return self._unanswered
        self._unanswered = None
        publications = [self._stage(load) for load in self._loads]
        computed: list[Outcome] = []
        try:
            return publish_group(publications, self._config, self._started, computed)
        except ConnectionLostError:
            self._unanswered = computed[-1] if computed else None
            self._filled.clear()  # a crash empties unlogged tables
            raise
        except ContentionError as error:
            self._is_doubted = sqlstate(error) == UNIQUE_VIOLATION
            raise

    def discard(self) -> None:
        """Drops what this load staged; a server that cannot be reached leaves it to the next run's clean-up."""
        for staged_table in self._staging_tables():
            with suppress(EtlError):
                staging.discard(self._config.settings, staged_table)

    def _stage(self, load: Load) -> Publication:
        df, config, facts = load
        prepared = preparing.prepare(df.schema, config, self._config)
        if prepared.agreement.ddl:
            preparing.evolve(prepared, self._config.settings)
        write = prepared.write
        return replace(
            prepared,
            staged=self._fill(write, df, config, facts).staged,
            facts=facts,
            are_keys_checked=facts is not None and not self._is_doubted,
            gone=self._stage_gone(write, config, facts),
        )

    def _stage_gone(self, write: Write, config: PostgreSQLTableLoadConfig, facts: LoadFacts | None) -> Filled | None:
        """Keys that the source calls deleted, in a staging table of their own."""
        if facts is None or facts.deleted is None or not updates_by_key(config):
            return None
        columns = tuple(write.column(name) for name in write.match)
        staging_of = gone_table(write.target, self._config.run_id)
        listed = replace(write, staging=staging_of, columns=columns, settable=(), extras=(), lists_gone=True)
        return self._fill(listed, facts.deleted.by(write.match), config, LoadFacts(rows=facts.deleted.rows))

    def _fill(self, write: Write, df: DataFrame, config: PostgreSQLTableLoadConfig, facts: LoadFacts | None) -> Filled:
        """The write's staging table, which a former try may have filled for the same write."""
        filled = self._filled.get(write.staging)
        if filled is None or filled.write != write:
            owner, columns = (write.target, self._config.run_id), (*write.columns, *write.extras)
            settings = self._config.settings
            staged = staging.stage_frame(df, columns, write.staging, owner, config, settings, facts)
            filled = self._filled[write.staging] = Filled(write, staged)
        return filled

    def _was_committed(self) -> bool:
        """The publishing transaction drops the staging tables: if one stands, it was rolled back."""
        return not any(staging.still_staged(self._config.settings, table) for table in self._staging_tables())

    def _staging_tables(self) -> list[Table]:
        targets = [Table(config.target_schema, config.target_name) for _, config, _ in self._loads]
        run_id = self._config.run_id
        return [name for target in targets for name in (staging_table(target, run_id), gone_table(target, run_id))]


def gone_table(target: Table, run_id: str) -> Table:
    return staging_table(target, f"{run_id}:deleted")
