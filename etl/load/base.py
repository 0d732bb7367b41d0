"""What every loader promises, and what it is given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pyspark.sql import DataFrame, SparkSession

from etl.config.destinations.load_config import TableLoadConfig
from etl.config.settings import Settings
from etl.config.tables.models import TableConfig
from etl.ledger.values import Reject
from etl.load.rejected import Rules, refuse_too_many_rejected
from etl.model import Checksums, Destination, LoadResult, MaintenanceResult, TableDefinition, WriteMode
from etl.spark.local_frame import DRIVER_BYTES
from etl.statements.quoting import spark_identifier

ConfigT = TypeVar("ConfigT", bound=TableLoadConfig)


class PublishRecorder(Protocol):
    """Writes a load's success (and its watermark) through the given cursor, in the transaction that publishes it."""

    def __call__(self, cursor: Any, result: LoadResult) -> None: ...


class RejectKeeper(Protocol):
    """Keeps the rows that a load leaves out, before it publishes the others. A load that is tried again in the same
    run may say them again: they are kept once.
    """

    def __call__(self, table_name: str, destination: Destination, rows: Iterable[Reject]) -> None: ...


class FenceHolder(Protocol):
    """Raises FencedError where an orchestrator has given this attempt up; else it waits with that until the cursor's
    transaction has ended."""

    def __call__(self, cursor: Any) -> None: ...


@dataclass(frozen=True)
class LoaderConfig:
    """What a loader knows of the run. `run_number` grows from run to run and serves as the version of rows."""

    settings: Settings
    run_id: str
    run_number: int
    definitions: Mapping[str, TableDefinition] = field(default_factory=dict)
    tables: Mapping[str, TableConfig] = field(default_factory=dict)
    """Every entry of the configuration: where another table stands is for its entry to say."""
    validate: bool = True
    record: PublishRecorder | None = None
    keep_rejects: RejectKeeper | None = None
    """For stores that cannot publish rows and rejects in one transaction; PostgreSQL's loader writes its own."""
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """The run's own instant, by the ledger's clock: since when rows are gone that it no longer finds."""
    hold_fence: FenceHolder | None = None
    """For rows that PostgreSQL's loader publishes without a record of a load."""


@dataclass(frozen=True)
class Deleted:
    """Rows that the source itself calls deleted, by their `keys`: what stands of them goes, or is marked, as the
    entry's `deleted_rows` says, in the step that publishes the others. They are no rows of the frame."""

    rows: int
    keys: DataFrame

    def by(self, names: Sequence[str]) -> DataFrame:
        """These columns of the keys; rows that the driver holds it holds on, where these are all."""
        return self.keys if self.keys.columns == list(names) else self.keys.select(*map(spark_identifier, names))


@dataclass(frozen=True)
class LoadFacts:
    """What the pipeline already knows of a frame, so that a loader need not count it again."""

    rows: int
    checksums: Checksums | None = None
    rows_read: int = 0
    """With those that the transform rejected, deduplicated or filtered."""
    rows_rejected: int = 0
    """By the transform; a loader's own come on top."""

    bytes: int = 0
    """Of its texts, bytes and nested values, about; 0 where it is not known."""
    deleted: Deleted | None = None

    def refuse_too_many_rejected(self, config: TableLoadConfig, own: int, rules: Callable[[], Rules]) -> None:
        if own:
            refuse_too_many_rejected(config, self.rows_rejected + own, max(self.rows_read, self.rows), rules)

    def fit_driver(self, most_rows: int) -> bool:
        """Whether they may come to the driver, which takes a small table faster than workers do."""
        rows = self.rows + (self.deleted.rows if self.deleted else 0)
        return rows <= most_rows and self.bytes <= DRIVER_BYTES


@dataclass(frozen=True)
class Sample:
    """What stands in a target: how many rows, and a few of them."""

    target: str
    rows: int
    columns: Sequence[str]
    first: Sequence[Sequence[Any]]


class BaseLoader(ABC, Generic[ConfigT]):
    """One destination. A load returns a LoadResult or raises an EtlError; run twice it leaves the same table.

    A loader is used by several threads at once, one table each: it holds no connection between calls.
    """

    destination: ClassVar[Destination]
    supported_modes: ClassVar[frozenset[WriteMode]]
    has_foreign_keys: ClassVar[bool] = False
    """Whether a table is published after its parents, and the tables of a cycle together."""

    def __init__(self, spark: SparkSession, config: LoaderConfig) -> None:
        self.spark = spark
        self.config = config

    @classmethod
    def require_server(cls, settings: Settings) -> None:
        """Asked before a run begins: raises where no retry would help, as for a bucket that is not there."""

    @abstractmethod
    def load(self, df: DataFrame, config: ConfigT, facts: LoadFacts | None = None) -> LoadResult:
        """Stage the frame, count and check what was staged, publish it in one atomic step."""

    def load_together(self, loads: Sequence[tuple[DataFrame, ConfigT, LoadFacts | None]]) -> list[LoadResult]:
        """Load tables that refer to one another in a cycle. Stores without foreign keys take them one by one."""
        return [self.load(df, config, facts) for df, config, facts in loads]

    @abstractmethod
    def target(self, config: ConfigT) -> str:
        """The qualified name or URI, as reports show it."""

    @abstractmethod
    def target_exists(self, config: ConfigT) -> bool:
        """Whether the target stands; an unchanged source is skipped only where it does."""

    def follows_entry(self, config: ConfigT) -> bool:
        """Whether what a load can alter without rows (a TTL, a codec) is as the entry says; where it is not, a table is
        loaded although its source is unchanged."""
        return True

    @abstractmethod
    def sample(self, config: ConfigT, rows: int) -> Sample:
        """Reads only; `rows` is how many are wanted."""

    @abstractmethod
    def published(self, config: ConfigT) -> LoadResult | None:
        """What this run (`config.run_id`) has already published into the target, by the store's own evidence."""

    @abstractmethod
    def plan(self, df: DataFrame, config: ConfigT) -> list[str]:
        """The DDL and steps that `load` would take, for --dry-run; writes nothing."""

    @abstractmethod
    def remove_orphans(self, config: ConfigT, live_runs: frozenset[str]) -> list[str]:
        """Drop staging that dead runs left for this target; returns what was dropped."""

    def maintain(self, config: ConfigT, today: date) -> MaintenanceResult | None:
        """The upkeep that the entry's `maintenance` asks for, under the table's lease; done twice it leaves the same
        table. None where the store needs none."""
        return None

    def plan_maintenance(self, config: ConfigT, today: date) -> list[str]:
        """What `maintain` would do to the table as it stands, for --dry-run; writes nothing."""
        return []

    def replay_orphans(self, configs: Sequence[ConfigT]) -> list[LoadResult]:
        """Load the rows that waited for their foreign-key parents; stores without foreign keys have none."""
        return []
