"""How incoming rows are compared with stored ones: by Spark, or in the driver's memory, with the same answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Generic, TypeVar

from pyspark.sql.types import StructType

from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.errors import ConflictError, DuplicateKeyError
from etl.model import ConflictResolution, Destination

_SAMPLE_KEYS = 5
_SMALL_ROWS = 50_000
_SMALL_BYTES = 8 * 1024 * 1024
_FEW_FILES = 8

RowsT = TypeVar("RowsT")
"""A Spark frame or, of a small table, an Arrow table in the driver's memory."""


@dataclass(frozen=True)
class Extent:
    """How much is compared with how much. It decides how, never what is found.

    A small table costs what its Spark jobs cost: the fewer, the better. A large one costs what is read.
    """

    rows: int
    stored_files: int
    stored_bytes: int

    @property
    def is_small(self) -> bool:
        return self.rows <= _SMALL_ROWS and self.stored_bytes <= _SMALL_BYTES

    @property
    def fits_one_task(self) -> bool:
        """Joins and sums within one task need no shuffle and no second job; it opens the files one after the other."""
        return self.is_small and self.stored_files <= _FEW_FILES


LARGE = Extent(rows=_SMALL_ROWS + 1, stored_files=0, stored_bytes=0)
"""Where nobody knows."""


@dataclass(frozen=True)
class Standing:
    """The incoming keys that stand already. `keys` holds them, computed once, a row for each stored row; `equal` and
    `differing` count these, `doubled` those beyond a key's first."""

    keys: Any
    equal: int
    differing: int
    dates_of_differing: frozenset[date]
    is_small: bool = False
    doubled: int = 0

    @property
    def matched(self) -> int:
        return self.equal + self.differing


NOTHING_STANDS = Standing(keys=None, equal=0, differing=0, dates_of_differing=frozenset())


@dataclass(frozen=True)
class Day:
    """What stands on a day. Equal days hold equal rows, in whatever order."""

    rows: int
    content: Hashable


class Comparison(ABC, Generic[RowsT]):
    """What the write modes ask of rows."""

    @abstractmethod
    def find_standing(
        self, frame: RowsT, stored: RowsT, config: S3TableLoadConfig, dates: frozenset[date], extent: Extent
    ) -> Standing:
        """Looks up each incoming key; `dates` are the frame's own days."""

    @abstractmethod
    def differing_keys(self, standing: Standing, config: S3TableLoadConfig, most: int) -> list[str]:
        """Some of the keys whose stored row differs, as JSON."""

    @abstractmethod
    def without_equal(self, frame: RowsT, standing: Standing, config: S3TableLoadConfig) -> RowsT:
        """The new and the differing rows."""

    @abstractmethod
    def without_standing(self, frame: RowsT, standing: Standing, config: S3TableLoadConfig) -> RowsT:
        """The new rows."""

    @abstractmethod
    def on_days(self, rows: RowsT, days: Iterable[date]) -> RowsT: ...

    @abstractmethod
    def off_days(self, rows: RowsT, days: Iterable[date]) -> RowsT: ...

    @abstractmethod
    def days_of_keys(self, frame: RowsT, stored: RowsT, config: S3TableLoadConfig) -> frozenset[date]:
        """The days on which keys of the frame stand."""

    @abstractmethod
    def without_keys(self, rows: RowsT, keys: RowsT, config: S3TableLoadConfig) -> RowsT:
        """Those whose key is not among those of `keys`."""

    @abstractmethod
    def with_keys(self, rows: RowsT, keys: RowsT, config: S3TableLoadConfig) -> RowsT:
        """Those whose key is."""

    @abstractmethod
    def held(self, rows: RowsT) -> RowsT:
        """The same, computed once, and cut off from the target, which the load changes."""

    @abstractmethod
    def count(self, rows: RowsT) -> int: ...

    @abstractmethod
    def joined(self, rows: RowsT, more: RowsT) -> RowsT:
        """Both; a column that one of them lacks is NULL there."""

    @abstractmethod
    def days_of(self, rows: RowsT) -> frozenset[date | None]:
        """The days on which they stand."""

    @abstractmethod
    def unmarked(self, rows: RowsT) -> RowsT:
        """Those that are not marked as gone from the source; all where the table has no such column yet."""

    @abstractmethod
    def marked(self, rows: RowsT, schema: StructType, since: datetime) -> RowsT:
        """They, with these columns, as gone from the source; a column that the table lacks yet is NULL."""

    @abstractmethod
    def contents_by_day(self, rows: RowsT) -> dict[date, Day]: ...

    def refuse_differing(self, standing: Standing, config: S3TableLoadConfig) -> None:
        """`conflict_resolution: error`: a stored row that differs fails the load; equal ones are merely unchanged."""
        if not standing.differing or config.conflict_resolution is not ConflictResolution.ERROR:
            return
        raise ConflictError(
            f"expected no stored row to differ, found {standing.differing} keys whose stored row does, e.g. "
            f"{', '.join(self.differing_keys(standing, config, _SAMPLE_KEYS))}; "
            "set conflict_resolution or correct the source",
            table=config.table_name,
            destination=Destination.S3,
        )


def refuse_doubles(standing: Standing, config: S3TableLoadConfig) -> None:
    """What a key finds twice in the target has no right answer, and hides a key that is not there from the counts."""
    if standing.doubled:
        keys = standing.matched - standing.doubled
        raise DuplicateKeyError(
            f"expected each key once in the target, found {standing.matched} stored rows for {keys} keys; "
            f"load the table once with --full-refresh",
            table=config.table_name,
            destination=Destination.S3,
        )
