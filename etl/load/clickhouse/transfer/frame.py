"""The frame as ClickHouse gets it: the columns that are sent, without what the schema contract discards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from math import ceil
from operator import or_

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from etl.config.destinations.clickhouse.load_config import ClickHouseTableLoadConfig
from etl.config.settings import RunSettings
from etl.ledger.values import Reject
from etl.load.clickhouse.schema import SchemaPlan
from etl.load.frames import iterate_rejects
from etl.model import SchemaContract
from etl.spark.local_frame import held_rows
from etl.statements.quoting import spark_identifier


def prepare_frame(df: DataFrame, config: ClickHouseTableLoadConfig, plan: SchemaPlan) -> DataFrame:
    """Rows with a value that has no place in the target are left out (discard_row), or just that value is."""
    if config.schema_contract is SchemaContract.DISCARD_ROW:
        for column in _discards(config, plan):
            df = df.where(~column.is_refused)
    narrowed = dict(plan.narrowed)
    sent = [column.name for column in plan.columns]
    if not narrowed and df.columns == sent and not any(column.spark_type == "void" for column in plan.columns):
        return df
    return df.selectExpr(*(_expression(c.name, c.spark_type, narrowed.get(c.name)) for c in plan.columns))


def discarded_rows(df: DataFrame, config: ClickHouseTableLoadConfig, plan: SchemaPlan) -> Iterator[Reject]:
    """What `prepare_frame` leaves out, each row with the first rule that it breaks."""
    discards = _discards(config, plan)
    rule = F.coalesce(*(F.when(each.is_refused, F.lit(each.rule)) for each in discards))
    reason = F.coalesce(*(F.when(each.is_refused, F.lit(each.reason)) for each in discards))
    return iterate_rejects(df.where(reduce(or_, (each.is_refused for each in discards))), rule, reason)


def spread(df: DataFrame, rows: int | None, run: RunSettings) -> DataFrame:
    """No more partitions, and so connections, than the run allows and the rows are worth. Rows that the driver holds
    are in one piece."""
    if held_rows(df) is not None:
        return df
    needed = run.writers if rows is None else ceil(rows / run.rows_per_partition)
    return df.coalesce(max(1, min(run.writers, needed)))


@dataclass(frozen=True)
class _Discard:
    """A column with values that the target has no place for."""

    rule: str
    reason: str
    is_refused: SparkColumn


def _discards(config: ClickHouseTableLoadConfig, plan: SchemaPlan) -> list[_Discard]:
    types = plan.shape.column_types
    unknown = [
        _Discard(
            f"schema:{name}", f"{config.target_name} has no column {name}", F.col(spark_identifier(name)).isNotNull()
        )
        for name in plan.unknown
    ]
    narrowed = [
        _Discard(
            f"cast:{name}",
            f"the value does not fit {types[name]}",
            F.expr(f"{spark_identifier(name)} IS NOT NULL AND NOT {_fits(name, kind)}"),
        )
        for name, kind in plan.narrowed
    ]
    return unknown + narrowed


def _expression(name: str, spark_type: str, narrowed_to: str | None) -> str:
    column = spark_identifier(name)
    if narrowed_to:
        return f"CASE WHEN {_fits(name, narrowed_to)} THEN cast({column} AS {narrowed_to}) END AS {column}"
    return f"cast({column} AS string) AS {column}" if spark_type == "void" else column


def _fits(name: str, kind: str) -> str:
    column = spark_identifier(name)
    return f"coalesce(try_cast({column} AS {kind}) = {column}, false)"
