"""The frame as ClickHouse gets it: the columns that are sent, without what the schema contract discards."""

from __future__ import annotations

from math import ceil

from pyspark.sql import DataFrame

from etl.config.models import ClickHouseTableLoadConfig
from etl.config.settings import RunSettings
from etl.load.clickhouse.schema import SchemaPlan
from etl.model import SchemaContract
from etl.statements.quoting import spark_identifier


def prepare_frame(df: DataFrame, config: ClickHouseTableLoadConfig, plan: SchemaPlan) -> DataFrame:
    """Rows with a value that has no place in the target are left out (discard_row), or just that value is."""
    if config.schema_contract is SchemaContract.DISCARD_ROW and plan.discards:
        df = df.where(" AND ".join(_conditions(plan)))
    narrowed = dict(plan.narrowed)
    return df.selectExpr(*(_expression(c.name, c.spark_type, narrowed.get(c.name)) for c in plan.columns))


def spread(df: DataFrame, rows: int | None, run: RunSettings) -> DataFrame:
    """No more partitions, and so connections, than the run allows and the rows are worth."""
    needed = run.writers if rows is None else ceil(rows / run.rows_per_partition)
    return df.coalesce(max(1, min(run.writers, needed)))


def _conditions(plan: SchemaPlan) -> list[str]:
    return [f"{spark_identifier(name)} IS NULL" for name in plan.unknown] + [
        f"({spark_identifier(name)} IS NULL OR {_fits(name, kind)})" for name, kind in plan.narrowed
    ]


def _expression(name: str, spark_type: str, narrowed_to: str | None) -> str:
    column = spark_identifier(name)
    if narrowed_to:
        return f"CASE WHEN {_fits(name, narrowed_to)} THEN cast({column} AS {narrowed_to}) END AS {column}"
    return f"cast({column} AS string) AS {column}" if spark_type == "void" else column


def _fits(name: str, kind: str) -> str:
    column = spark_identifier(name)
    return f"coalesce(try_cast({column} AS {kind}) = {column}, false)"
