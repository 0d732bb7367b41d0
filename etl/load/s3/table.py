"""What loads and upkeep ask of a table of the lake, whatever its format is and whoever writes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

from pyspark.sql.types import StructType

from etl.load.s3.compare import SparkComparison
from etl.load.s3.comparison import LARGE, Comparison, Extent
from etl.load.s3.job import Change, Job, Place, Rows
from etl.load.s3.schema import Fitted
from etl.model import LoadResult


@dataclass(frozen=True)
class Retention:
    """The days older than `cutoff`, and what they hold; `applied` tells whether they are gone."""

    table: str
    cutoff: date
    days: tuple[date, ...]
    rows: int | None
    files: int
    bytes: int
    applied: bool

    def __str__(self) -> str:
        verb = "deleted" if self.applied else "would delete"
        size = f"{self.rows} rows" if self.rows is not None else f"{self.files} files, {self.bytes} bytes"
        days = f"{self.days[0]} to {self.days[-1]}" if self.days else "none"
        return f"{verb} {len(self.days)} days before {self.cutoff} ({days}; {size})"


@dataclass(frozen=True)
class LakeTable(ABC):
    """One look at a table: what stands there is asked for once, so each try of a load makes a new one.

    The four that publish (`append`, `overwrite`, `replace_days`, `merge`) write a change, prove that it stands, keep
    its result in the table's own metadata, and return it with what was written. Readers see all or nothing of it, but
    for what files/exchange.py says of plain files.
    """

    compare: ClassVar[Comparison[Any]] = SparkComparison()
    place: Place

    @property
    @abstractmethod
    def exists(self) -> bool: ...

    @property
    @abstractmethod
    def rows(self) -> Rows | None:
        """None where no row can stand; so has `rows_on`."""

    @abstractmethod
    def rows_on(self, days: Iterable[date]) -> Rows | None: ...

    @abstractmethod
    def count(self) -> int: ...

    @property
    @abstractmethod
    def schema(self) -> StructType | None: ...

    def extent(self, incoming_rows: int) -> Extent:
        """How much would be compared, where that costs nothing to know."""
        return LARGE

    @abstractmethod
    def holds(self, schema: StructType) -> bool:
        """Whether an overwrite by such rows would leave the table's columns as they are."""

    @abstractmethod
    def stands_as(self, job: Job) -> bool:
        """Whether the metadata alone prove that the job's rows, and no others, stand there."""

    @abstractmethod
    def has_taken(self, job: Job) -> bool:
        """Whether the job's run has brought these very rows before: without a key nothing else can tell."""

    @abstractmethod
    def published(self, run_id: str) -> LoadResult | None:
        """What this run has published."""

    @abstractmethod
    def published_by(self, token: str) -> LoadResult | None:
        """What this very call of `load` has published."""

    def repair(self) -> None:
        """Finishes what a killed load left half-done, before anything is looked at."""
        return

    def fitted(self, fitted: Fitted) -> LakeTable:
        """The table whose types hold what comes."""
        return self

    @abstractmethod
    def append(self, job: Job, change: Change) -> LoadResult:
        """Creates the table where there is none."""

    @abstractmethod
    def overwrite(self, job: Job, change: Change) -> LoadResult:
        """In the place of all that stands, columns included."""

    @abstractmethod
    def replace_days(self, job: Job, change: Change, days: Collection[date]) -> LoadResult:
        """In the place of these days, each whole."""

    @abstractmethod
    def merge(self, job: Job, change: Change, old_days: frozenset[date]) -> LoadResult:
        """New and differing rows, by key, and those that leave; `old_days` are those on which stored ones change."""

    @abstractmethod
    def expire(self, cutoff: date, *, apply: bool) -> Retention:
        """Finds the days before `cutoff`, and deletes them where `apply` says so."""

    def files_to_join(self) -> int:
        """How many small files `optimize` would replace."""
        return 0

    def optimize(self) -> int:
        """Joins small files; returns how many files were replaced."""
        return 0

    def vacuum(self, hours: int) -> None:
        """Removes files that no version younger than this needs, where there are versions."""
        return
