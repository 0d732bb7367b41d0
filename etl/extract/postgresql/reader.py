"""The operational PostgreSQL as a source: every table as of the run's one snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import Self

import structlog
from pyspark.sql import DataFrame, SparkSession

from etl.config.settings import PostgreSQLSettings, Settings
from etl.config.tables.models import PostgreSQLSource, TableConfig
from etl.errors import UsageError
from etl.extract.postgresql.copying import copy_table
from etl.extract.postgresql.selection import Selection
from etl.extract.postgresql.snapshot import SourceSnapshot, is_filtered_by_role
from etl.extract.postgresql.tables import read_table
from etl.extract.reader import SourceReader
from etl.extract.values import Measurement, Unseen, Window
from etl.model import TableDefinition
from etl.spark.local_frame import DRIVER_BYTES
from etl.spark.session import interpreting

ROWS_IN_MEMORY = 10_000
"""At most so many rows come by one COPY, and their plans are interpreted: they take less time than Java classes for one
table's columns, which no other table can use."""

log = structlog.get_logger(__name__)


class PostgreSQLReader(SourceReader):
    knows_columns = True

    def __init__(self, spark: SparkSession, snapshot: SourceSnapshot, rows_per_partition: int) -> None:
        self._spark, self._snapshot, self._rows_per_partition = spark, snapshot, rows_per_partition

    @classmethod
    def require(cls, settings: Settings) -> None:
        _server(settings)

    @classmethod
    @contextmanager
    def opened(cls, spark: SparkSession, settings: Settings) -> Iterator[Self]:
        with SourceSnapshot(_server(settings)) as snapshot:
            yield cls(spark, snapshot, settings.run.rows_per_partition)

    def definitions(self, tables: Sequence[TableConfig]) -> Mapping[str, TableDefinition]:
        places = {
            table.name: (table.source.schema_name, table.source.table)
            for table in tables
            if isinstance(table.source, PostgreSQLSource)
        }
        live = self._snapshot.catalog(list(places.values()))
        return {name: live[place] for name, place in places.items() if place in live}

    def measure(self, table: TableConfig, window: Window) -> Measurement:
        return self._snapshot.measure(table, window)

    def unseen(self, table: TableConfig, snapshot: str | None) -> Unseen:
        return self._snapshot.unseen(table, snapshot)

    def read(
        self, table: TableConfig, definition: TableDefinition | None, window: Window, measurement: Measurement
    ) -> DataFrame:
        if is_filtered_by_role(table):
            log.info("rows filtered by row security", table=table.name, role=self._snapshot.settings.user)
        source = self._snapshot.source_table(table)
        selection = Selection.of(table, source, definition or source.definition, window)
        is_small = measurement.rows is not None and measurement.rows <= ROWS_IN_MEMORY
        if is_small and (frame := copy_table(self._interpreting, self._snapshot, selection, DRIVER_BYTES)) is not None:
            return frame
        spark = self._interpreting if is_small else self._spark
        return read_table(spark, self._snapshot, selection, measurement, self._rows_per_partition)

    @cached_property
    def _interpreting(self) -> SparkSession:
        return interpreting(self._spark)

    def caveat(self, table: TableConfig) -> str | None:
        if not is_filtered_by_role(table):
            return None
        return "row_security filter: only rows that the source shows to the reading role"

    def blamed(self) -> AbstractContextManager[None]:
        return self._snapshot.blamed()

    def cancel(self) -> None:
        self._snapshot.cancel()

    def release(self) -> None:
        self._snapshot.close()


def _server(settings: Settings) -> PostgreSQLSettings:
    if settings.source is None:
        raise UsageError("expected a source database, found none; set ETL_SOURCE_POSTGRES_URL or `source` in etl.yaml")
    return settings.source
