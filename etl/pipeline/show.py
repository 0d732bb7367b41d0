"""What stands in each store of one table: how many rows, and the first few. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table

from etl.config.configuration import Configuration
from etl.config.destinations.clickhouse.load_config import ClickHouseEngine, ClickHouseTableLoadConfig
from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.config.tables.models import TableConfig
from etl.load.clickhouse.door import ClickHouseDoor
from etl.load.postgresql.door import transaction
from etl.load.s3.paths import TablePath
from etl.model import Destination
from etl.spark.session import configure_s3
from etl.statements.quoting import clickhouse_name, postgresql_name

Sample = tuple[str, int, Sequence[str], Sequence[Sequence[Any]]]


def show(configuration: Configuration, table: TableConfig, spark: SparkSession, rows: int, console: Console) -> None:
    """Prints one block a configured store."""
    for target, count, names, sample in _samples(configuration, table, spark, rows):
        grid = Table(*names, title=f"{target}: {count:,} rows", title_justify="left")
        for row in sample:
            grid.add_row(*("NULL" if value is None else str(value) for value in row))
        console.print(grid)


def _samples(configuration: Configuration, table: TableConfig, spark: SparkSession, rows: int) -> Iterator[Sample]:
    lake, warehouse, analytics = (table.loads[name] for name in Destination)
    settings = configuration.settings
    if settings.s3 and isinstance(lake, S3TableLoadConfig):
        configure_s3(spark, settings.s3)
        uri = TablePath.of(settings.s3, lake).uri
        frame = spark.read.format(lake.format.value).load(uri)
        yield uri, frame.count(), frame.columns, [list(row) for row in frame.limit(rows).collect()]
    if settings.postgresql and isinstance(warehouse, PostgreSQLTableLoadConfig):
        name = postgresql_name(warehouse.target_schema, warehouse.target_name)
        with transaction(settings.postgresql, f"read {name}") as cursor:
            cursor.execute(f"SELECT count(*) FROM {name}")
            count = int(cursor.fetchone()[0])
            cursor.execute(f"SELECT * FROM {name} LIMIT %s", (rows,))
            columns = [column.name for column in cursor.description or ()]
            yield f"postgresql {name}", count, columns, cursor.fetchall()
    if settings.clickhouse and isinstance(analytics, ClickHouseTableLoadConfig):
        database = analytics.target_database or settings.clickhouse.database
        name = clickhouse_name(database, analytics.target_name)
        final = " FINAL" if analytics.engine is ClickHouseEngine.REPLACING_MERGE_TREE else ""
        with ClickHouseDoor(settings.clickhouse) as door:
            count = int(door.query(f"SELECT count() FROM {name}{final}")[0][0])
            columns = [str(row[0]) for row in door.query(f"DESCRIBE TABLE {name}")]
            yield f"clickhouse {name}{final}", count, columns, door.query(f"SELECT * FROM {name}{final} LIMIT {rows:d}")
