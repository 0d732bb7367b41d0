"""One load by the product's own loader, outside a run: what the races and the small tables time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from uuid import uuid4

from pyspark.sql import SparkSession

from bench.events import DATE_COLUMN, KEY, Rows
from etl.config.destinations.clickhouse.load_config import ClickHouseEngine, ClickHouseTableLoadConfig
from etl.config.destinations.load_config import TableLoadConfig
from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.destinations.s3.load_config import S3Format, S3TableLoadConfig
from etl.config.settings import Settings
from etl.load.base import LoaderConfig
from etl.load.factory import LoaderFactory
from etl.model import PARTITION_DATE, Destination, LoadResult, WriteMode

Entry = Callable[[str], TableLoadConfig]
_run_numbers = count(1)


@dataclass(frozen=True)
class Loading:
    """`entry` makes the table's configuration for a target's name."""

    spark: SparkSession
    settings: Settings
    destination: Destination
    entry: Entry
    validate: bool

    def load(self, rows: Rows, target: str) -> LoadResult:
        """A run of its own each time: what an earlier one published is found by content, not by the run's mark."""
        config = LoaderConfig(self.settings, uuid4().hex, next(_run_numbers), validate=self.validate)
        loader = LoaderFactory.get_loader(self.destination, self.spark, self.settings, config)
        return loader.load(rows.frame, self.entry(target), rows.facts(validate=self.validate))

    def __call__(self, rows: Rows, target: str) -> None:
        result = self.load(rows, target)
        if result.accounted != rows.count:
            raise RuntimeError(f"{result.target}: expected {rows.count} rows accounted for, found {result}")


def postgresql_entry(target: str) -> TableLoadConfig:
    return PostgreSQLTableLoadConfig(table_name=target, target_name=target, key=(KEY,), mode=WriteMode.UPSERT)


def clickhouse_entry(target: str) -> TableLoadConfig:
    """Append by month, as event tables are."""
    return ClickHouseTableLoadConfig(
        table_name=target,
        target_name=target,
        key=(KEY,),
        mode=WriteMode.APPEND,
        order_by=(KEY,),
        date_column=DATE_COLUMN,
        partition_by=(f"toYYYYMM({DATE_COLUMN})",),
    )


def clickhouse_jdbc_entry(target: str) -> TableLoadConfig:
    return clickhouse_entry(target).model_copy(update={"writer": "jdbc"})


def clickhouse_reference_entry(target: str) -> TableLoadConfig:
    """The whole table replaced, as reference tables are."""
    return ClickHouseTableLoadConfig(
        table_name=target,
        target_name=target,
        key=(KEY,),
        mode=WriteMode.REPLACE_PARTITION,
        engine=ClickHouseEngine.REPLACING_MERGE_TREE,
        order_by=(KEY,),
    )


def parquet_flat_entry(target: str) -> TableLoadConfig:
    return S3TableLoadConfig(table_name=target, path=f"bench/{target}", key=(KEY,), mode=WriteMode.OVERWRITE)


def parquet_by_date_entry(target: str) -> TableLoadConfig:
    dated = {"date_column": DATE_COLUMN, "partition_by": (PARTITION_DATE,)}
    return parquet_flat_entry(target).model_copy(update=dated)


def delta_entry(target: str) -> TableLoadConfig:
    """Merged by key and partitioned by day, as snapshots are."""
    delta = {"format": S3Format.DELTA, "mode": WriteMode.MERGE}
    return parquet_by_date_entry(target).model_copy(update=delta)


def delta_flat_entry(target: str) -> TableLoadConfig:
    return delta_entry(target).model_copy(update={"partition_by": ()})
