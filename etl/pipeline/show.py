"""What stands in each store of one table: how many rows, and the first few. Reads only."""

from __future__ import annotations

from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table

from etl.config.configuration import Configuration
from etl.config.tables.models import TableConfig
from etl.load.base import LoaderConfig
from etl.load.factory import loader_class
from etl.pipeline.servers import configured_destinations


def show(configuration: Configuration, table: TableConfig, spark: SparkSession, rows: int, console: Console) -> None:
    """Prints one block a configured store."""
    config = LoaderConfig(configuration.settings, run_id="show", run_number=0)
    for destination in configured_destinations(configuration.settings):
        found = loader_class(destination)(spark, config).sample(table.loads[destination], rows)
        grid = Table(*found.columns, title=f"{found.target}: {found.rows:,} rows", title_justify="left")
        for row in found.first:
            grid.add_row(*("NULL" if value is None else str(value) for value in row))
        console.print(grid)
