"""What the pipeline asks of a source, whatever its kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar, Self

from pyspark.sql import DataFrame, SparkSession

from etl.config.settings import Settings
from etl.config.tables.models import TableConfig
from etl.extract.values import Measurement, Unseen, Window
from etl.model import TableDefinition


class SourceReader(ABC):
    """The tables of one kind of source for the length of a run; several threads ask it at the same time."""

    knows_columns: ClassVar[bool]
    """Whether `definitions` says what columns a table has now; of other kinds a table's columns are those it is read
    with."""

    @classmethod
    def require(cls, settings: Settings) -> None:
        """UsageError where the configuration does not say where the source is; asked before a run begins."""
        return

    @classmethod
    @abstractmethod
    def opened(cls, spark: SparkSession, settings: Settings) -> AbstractContextManager[Self]:
        """Open for a run. Where the source can, all tables are read as of the same instant."""

    @abstractmethod
    def definitions(self, tables: Sequence[TableConfig]) -> Mapping[str, TableDefinition]:
        """By the table's own name. One that cannot be read is left out: its own loads fail when they measure it."""

    @abstractmethod
    def measure(self, table: TableConfig, window: Window) -> Measurement:
        """What the window amounts to, before a row is read."""

    @abstractmethod
    def read(
        self, table: TableConfig, definition: TableDefinition | None, window: Window, measurement: Measurement
    ) -> DataFrame:
        """The window's rows: lazily, or as a HeldFrame, for which the source is not asked again. `definition` is None
        where nothing is known of the table but what is read."""

    def unseen(self, table: TableConfig, snapshot: str | None) -> Unseen:
        """What was not visible yet in the `snapshot` that was kept of an earlier measurement; nothing where the table
        does not follow its transactions, or no snapshot was kept."""
        return Unseen()

    def caveat(self, table: TableConfig) -> str | None:
        """What a person must know of the rows that will be read, where they may not be all."""
        return None

    def blamed(self) -> AbstractContextManager[None]:
        """Around what reads: where it fails for the source's sake, the error says so, whatever the reader heard."""
        return nullcontext()

    def cancel(self) -> None:
        """Ends what is being measured: a run that is given up waits for no answer."""
        return

    def release(self) -> None:
        """The last table is read: what the source holds for the run is let go."""
        return
