"""One try of one load: everything its steps need to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from etl.clickhouse.door import ClickHouseDoor
from etl.config.destinations.clickhouse.load_config import ClickHouseTableLoadConfig
from etl.load.clickhouse.schema import SchemaPlan
from etl.load.clickhouse.target import TargetTable
from etl.model import Checksums
from etl.statements.clickhouse.names import StagingNames


@dataclass(frozen=True)
class Job:
    """`expected` is what the rows amount to, if they are to be validated; `load_id` is unique to the load."""

    door: ClickHouseDoor
    config: ClickHouseTableLoadConfig
    names: StagingNames
    target: TargetTable | None
    plan: SchemaPlan
    run_id: str
    run_number: int
    load_id: str
    started_at: datetime

    @property
    def database(self) -> str:
        return self.names.database

    @property
    def qualified_target(self) -> str:
        return f"{self.database}.{self.config.target_name}"


@dataclass(frozen=True)
class Staged:
    """The winners' rows, all in one table. `partitions` are its partition ids with their rows; `gone` is a table of
    keys that the source calls deleted, if there are such."""

    table: str
    rows: int
    bytes: int
    partitions: Mapping[str, int]
    gone: str = ""


@dataclass(frozen=True)
class Outcome:
    """What becomes of the staged rows, plus the rows that leave the target."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    deleted: int = 0


@dataclass(frozen=True)
class Frame:
    """What is known of the frame on its way: its rows, those that the contract refused, and what to expect."""

    rows: int | None
    rejected: int
    expected: Checksums | None
    keys_are_unique: bool
