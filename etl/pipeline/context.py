"""What a command asked for, and what every table of one run shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import SparkSession
from tenacity import Retrying

from etl.config.configuration import Configuration
from etl.config.destinations.load_config import TableLoadConfig
from etl.config.settings import Settings
from etl.config.tables.models import TableConfig
from etl.extract.factory import Sources
from etl.ledger.ledger import Ledger
from etl.ledger.values import FrozenWindow, LoadRecord, Run, Watermark
from etl.load.base import BaseLoader
from etl.model import Destination, TableDefinition
from etl.pipeline.options import RunOptions
from etl.pipeline.publication import PublicationOrder
from etl.report.progress import Progress
from etl.retrying import as_configured
from etl.transform.declarative import Transformer
from etl.transform.factory import TransformerFactory


@dataclass(frozen=True)
class Work:
    """One table and the destinations that this run still owes it."""

    table: TableConfig
    destinations: tuple[Destination, ...]

    def load_config(self, destination: Destination) -> TableLoadConfig:
        return self.table.loads[destination]


@dataclass(frozen=True)
class Job:
    """What a command asked for, and what it opened to do it."""

    configuration: Configuration
    options: RunOptions
    spark: SparkSession
    ledger: Ledger
    progress: Progress

    @property
    def settings(self) -> Settings:
        return self.configuration.settings


@dataclass(frozen=True)
class RunContext(Job):
    """The job and its run. `definitions` is the source's live schema; `frozen`, `earlier` and `earlier_loaders` (by run
    and destination) are of the runs that this one continues."""

    run: Run
    sources: Sources
    loaders: Mapping[Destination, BaseLoader[Any]]
    definitions: Mapping[str, TableDefinition]
    watermarks: Mapping[tuple[str, Destination], Watermark]
    order: PublicationOrder
    frozen: Mapping[str, FrozenWindow] = field(default_factory=dict)
    earlier: Mapping[tuple[str, Destination], LoadRecord] = field(default_factory=dict)
    earlier_loaders: Mapping[tuple[str, Destination], BaseLoader[Any]] = field(default_factory=dict)
    live_runs: frozenset[str] = frozenset()
    require_alive: Callable[[], None] = lambda: None
    """Raises LockedError where this run was declared dead: its leases are gone and another may be loading."""
    sources_are_read: Callable[[int], None] = lambda tables: None
    """Told how many tables are materialised, so that the sources are held no longer than needed."""

    def lease(self, table: str, destination: Destination) -> AbstractContextManager[None]:
        """Raises LockedError where another run has held it for as long as options or settings allow."""
        asked = self.options.lock_wait_seconds
        seconds = self.settings.run.lock_timeout_seconds if asked is None else asked
        return self.ledger.lease(self.run.run_id, table, destination, seconds)

    def asking_again(self, table: str, destination: Destination) -> Retrying:
        """For questions to source and store, which may be asked twice; loads are retried by their loaders."""
        return as_configured(self.settings.run, "question retried", table, destination)

    def transformer(self, work: Work) -> Transformer:
        return TransformerFactory.get_transformer(
            work.table,
            self.definitions.get(work.table.name),
            work.destinations,
            self.settings.hash_salt,
            self.settings.mask_key,
            self.configuration.tables,
        )
