"""Loads that fall into very many partitions: one limit and one sentence for every store that cuts tables by date."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, TimestampNTZType, TimestampType

from etl.config.destinations.load_config import TableLoadConfig
from etl.statements.quoting import spark_identifier

MANY_PARTITIONS = 1_000
"""Of one load: beyond it the files (parts, in ClickHouse) that each partition has at least cost more than they find."""


def many_partitions(config: TableLoadConfig, partitions: int) -> tuple[str, ...]:
    """What a person should know, if anything; goes into the notes of the load and into the plan."""
    if partitions <= MANY_PARTITIONS:
        return ()
    less = "leave partition_by out or take another date_column"
    if any(expression.startswith("toYYYYMMDD(") for expression in config.partition_by):
        less = f"partition by month (toYYYYMM({config.date_column})), or {less}"
    return (
        f"the rows fall into {partitions} partitions of {config.date_column} (partition_by: "
        f"{', '.join(config.partition_by)}), more than {MANY_PARTITIONS}: each is at least a file of its own, which "
        f"makes loads and reads slow; {less}",
    )


def count_partitions(frame: DataFrame, config: TableLoadConfig) -> int:
    """How many partitions a frame falls into, for a plan: reads the date column alone."""
    kinds = {field.name: field.dataType for field in frame.schema.fields}
    name = config.date_column or ""
    if not config.partition_by or not isinstance(kinds.get(name), DateType | TimestampType | TimestampNTZType):
        return 0
    is_monthly = any(expression.startswith("toYYYYMM(") for expression in config.partition_by)
    unit = "month" if is_monthly else "day"
    return frame.select(F.date_trunc(unit, F.col(spark_identifier(name)))).distinct().count()
