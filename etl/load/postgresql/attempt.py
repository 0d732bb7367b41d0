"""One load from staging to COMMIT, tried again where that may help."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from pyspark.sql import DataFrame

from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.errors import ConnectionLostError, ContentionError, EtlError
from etl.load.base import LoaderConfig, LoadFacts
from etl.load.postgresql import preparation as preparing
from etl.load.postgresql.publication.group import Outcome, publish_group
from etl.load.postgresql.publication.table import Publication
from etl.load.postgresql.transfer import run_table as staging
from etl.load.postgresql.transfer.run_table import Staged
from etl.postgresql.door import sqlstate
from etl.postgresql.sqlstates import UNIQUE_VIOLATION
from etl.statements.postgresql.naming import Table, staging_table
from etl.statements.postgresql.writing import Write

Load = tuple[DataFrame, PostgreSQLTableLoadConfig, LoadFacts | None]


@dataclass(frozen=True)
class _Filled:
    """A staging table that stands filled, and for which write."""

    write: Write
    staged: Staged


class LoadAttempt:
    """Remembers from one try to the next what is staged, and an outcome whose COMMIT got no answer."""

    def __init__(self, config: LoaderConfig, loads: Sequence[Load], started: float) -> None:
        self._config = config
        self._loads = loads
        self._started = started
        self._filled: dict[Table, _Filled] = {}
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
        filled = self._filled.get(write.target)
        if filled is None or filled.write != write:
            owner = (write.target, self._config.run_id)
            columns = (*write.columns, *write.extras)
            settings = self._config.settings
            staged = staging.stage_frame(df, columns, write.staging, owner, config, settings, facts)
            filled = self._filled[write.target] = _Filled(write, staged)
        return replace(
            prepared, staged=filled.staged, facts=facts, are_keys_checked=facts is not None and not self._is_doubted
        )

    def _was_committed(self) -> bool:
        """The publishing transaction drops the staging tables: if one stands, it was rolled back."""
        return not any(staging.still_staged(self._config.settings, table) for table in self._staging_tables())

    def _staging_tables(self) -> list[Table]:
        targets = [Table(config.target_schema, config.target_name) for _, config, _ in self._loads]
        return [staging_table(target, self._config.run_id) for target in targets]
