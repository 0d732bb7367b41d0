"""What every table of one run shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import SparkSession

from etl.config.configuration import Configuration
from etl.config.destinations.load_config import TableLoadConfig
from etl.config.tables.models import TableConfig
from etl.extract.postgresql.snapshot import SourceSnapshot
from etl.ledger.ledger import Ledger
from etl.ledger.values import FrozenWindow, LoadRecord, Run, Watermark
from etl.load.base import BaseLoader
from etl.model import Destination, TableDefinition
from etl.pipeline.options import RunOptions
from etl.pipeline.publication import PublicationOrder
from etl.report.progress import Progress
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
class RunContext:
    """`definitions` is the source's live schema; `frozen`, `earlier` and `earlier_loaders` (by run and destination) are
    of the runs that this one continues."""

    run: Run
    options: RunOptions
    configuration: Configuration
    spark: SparkSession
    ledger: Ledger
    loaders: Mapping[Destination, BaseLoader[Any]]
    definitions: Mapping[str, TableDefinition]
    watermarks: Mapping[tuple[str, Destination], Watermark]
    order: PublicationOrder
    progress: Progress
    snapshot: SourceSnapshot | None = None
    frozen: Mapping[str, FrozenWindow] = field(default_factory=dict)
    earlier: Mapping[tuple[str, Destination], LoadRecord] = field(default_factory=dict)
    earlier_loaders: Mapping[tuple[str, Destination], BaseLoader[Any]] = field(default_factory=dict)
    live_runs: frozenset[str] = frozenset()
    require_alive: Callable[[], None] = lambda: None
    """Raises LockedError where this run was declared dead: its leases are gone and another may be loading."""
    snapshot_is_read: Callable[[int], None] = lambda units: None
    """Told how many tables are materialised, so that the source's snapshot is held no longer than needed."""

    def transformer(self, work: Work) -> Transformer:
        salt = self.configuration.settings.hash_salt
        return TransformerFactory.get_transformer(
            work.table, self.definitions.get(work.table.name), work.destinations, salt
        )
