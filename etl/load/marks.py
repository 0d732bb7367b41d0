"""Rows that are gone from the source and stay in the store, marked: one column for every loader.

It travels with the rows that come, NULL in each of them: so a target gets it as it gets any new column, and a row that
comes back differs from the one that stands, and is updated.
"""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType, TimestampType

from etl.config.destinations.load_config import TableLoadConfig
from etl.config.tables.modes import holds_marks
from etl.errors import SchemaMismatchError
from etl.model import DELETED_AT, POSTGRESQL_TYPE
from etl.spark.local_frame import HeldFrame, held_rows

_FIELD = StructField(DELETED_AT, TimestampType(), True, {POSTGRESQL_TYPE: "timestamp with time zone"})


def with_marks(df: DataFrame, config: TableLoadConfig) -> DataFrame:
    """The frame as a target takes it that says of each row since when it is gone; else as it is."""
    if not holds_marks(config):
        return df
    if (rows := held_rows(df)) is not None:
        nulls = pa.nulls(rows.num_rows, pa.timestamp("us", tz="UTC"))
        return HeldFrame(
            df.sparkSession, rows.append_column(DELETED_AT, nulls), StructType([*df.schema.fields, _FIELD])
        )
    return df.select("*", F.lit(None).cast(TimestampType()).alias(DELETED_AT, metadata=_FIELD.metadata))


def require_marks(config: TableLoadConfig, written: Collection[str], target: str) -> None:
    """A contract that lets no column in leaves no place for the mark."""
    if not holds_marks(config) or DELETED_AT in written:
        return
    raise SchemaMismatchError(
        f"{config.table_name}: expected column {DELETED_AT} (timestamp with time zone) in {target}, by which rows that "
        f"are gone are marked (vanished_rows: mark), found none, and schema_contract {config.schema_contract} adds "
        "none; nothing was written. Add the column, or load once with `schema_contract: evolve`",
        table=config.table_name,
        destination=config.destination,
    )
