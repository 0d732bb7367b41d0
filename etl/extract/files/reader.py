"""Files as a source: measured by their listing, read whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Self

from pyspark.sql import DataFrame, SparkSession

from etl.config.settings import Settings
from etl.config.tables.models import TableConfig
from etl.extract.files.files import measure_files, read_files
from etl.extract.reader import SourceReader
from etl.extract.values import Measurement, Window
from etl.model import TableDefinition


class FileReader(SourceReader):
    knows_columns = False

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark

    @classmethod
    @contextmanager
    def opened(cls, spark: SparkSession, settings: Settings) -> Iterator[Self]:
        yield cls(spark)

    def definitions(self, tables: Sequence[TableConfig]) -> Mapping[str, TableDefinition]:
        return {}

    def measure(self, table: TableConfig, window: Window) -> Measurement:
        return measure_files(self._spark, table)

    def read(
        self, table: TableConfig, definition: TableDefinition | None, window: Window, measurement: Measurement
    ) -> DataFrame:
        return read_files(self._spark, table)
