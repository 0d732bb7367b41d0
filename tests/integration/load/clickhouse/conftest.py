"""A database of this test session's own on the embedded ClickHouse, and loaders into it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from etl.clickhouse.door import ClickHouseDoor
from etl.config.destinations.clickhouse.load_config import ClickHouseTableLoadConfig
from etl.config.destinations.clickhouse.settings import ClickHouseSettings
from etl.config.settings import RunSettings, Settings
from etl.load.base import LoaderConfig
from etl.load.clickhouse import ClickHouseLoader
from etl.statements.clickhouse.names import staging_prefix
from tests.conftest import RunningStack


@dataclass(frozen=True)
class ClickHouse:
    """The database of the tests."""

    settings: ClickHouseSettings

    def execute(self, statement: str) -> None:
        with ClickHouseDoor(self.settings) as door:
            door.execute(statement)

    def query(self, statement: str) -> list[list[Any]]:
        with ClickHouseDoor(self.settings) as door:
            return door.query(statement)

    def rows(self, table: str, *, final: bool = False) -> list[list[Any]]:
        """All rows, as `SELECT *` shows them, in order."""
        return self.query(f"SELECT * FROM `{table}` {'FINAL' if final else ''} ORDER BY ALL")

    def tables(self) -> list[str]:
        """Tables but for the hidden ones of materialized views."""
        return [row[0] for row in self.query("SHOW TABLES") if not row[0].startswith(".inner")]

    def staging_of(self, table: str) -> list[str]:
        """What loads into `table` have left behind."""
        prefix = staging_prefix(self.settings.database, table)
        return [name for name in self.tables() if name.startswith(prefix)]


@pytest.fixture(scope="session")
def clickhouse(stack: RunningStack) -> Iterator[ClickHouse]:
    configured = stack.settings.clickhouse
    assert configured is not None
    database = f"loader_tests_{os.getpid()}"
    outside = ClickHouse(configured)
    outside.execute(f"CREATE DATABASE {database}")
    yield ClickHouse(configured.model_copy(update={"database": database}))
    outside.execute(f"DROP DATABASE {database} SYNC")


@pytest.fixture
def table(clickhouse: ClickHouse) -> Iterator[str]:
    """A name that no other test uses; whatever the test leaves under it is dropped."""
    name = f"t_{uuid4().hex[:10]}"
    yield name
    clickhouse.execute(f"DROP TABLE IF EXISTS `{name}` SYNC")


LoaderOf = Callable[..., ClickHouseLoader]


@pytest.fixture
def loader_of(spark: SparkSession, clickhouse: ClickHouse) -> LoaderOf:
    """Makes the loader of one run: `loader_of(2)` is that of run-2."""

    def make(run: int = 1, *, validate: bool = True, retries: int = 0, **options: Any) -> ClickHouseLoader:
        settings = Settings(
            clickhouse=clickhouse.settings, run=RunSettings(retries=retries, retry_for_seconds=0, writers=2)
        )
        return ClickHouseLoader(spark, LoaderConfig(settings, f"run-{run}", run, validate=validate, **options))

    return make


FrameOf = Callable[..., DataFrame]

SCHEMA = "id string, day date, name string, amount decimal(12,2)"


@pytest.fixture
def frame_of(spark: SparkSession) -> FrameOf:
    """A frame of (id, day, name, amount) rows."""

    def make(*rows: tuple[Any, ...], schema: str = SCHEMA) -> DataFrame:
        # through Arrow the rows become part of the plan: no Python worker, no job
        fields = StructType.fromDDL(schema)
        arrow = to_arrow_schema(fields, timezone="UTC")
        columns = zip(*rows, strict=True) if rows else [[] for _ in arrow]
        arrays = [pa.array(list(column), field.type) for column, field in zip(columns, arrow, strict=True)]
        return spark.createDataFrame(pa.Table.from_arrays(arrays, schema=arrow), fields).coalesce(1)

    return make


def entry(table: str, **options: Any) -> ClickHouseTableLoadConfig:
    """A table's entry: keyed by id, merged into a ReplacingMergeTree unless said otherwise."""
    return ClickHouseTableLoadConfig(
        **{
            "table_name": table,
            "target_name": table,
            "key": ("id",),
            "mode": "merge",
            "engine": "ReplacingMergeTree",
            **options,
        }
    )
