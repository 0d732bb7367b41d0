"""The frame on its way into the lake: its day, its content in one number, and what no table may hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql.types import (
    DataType,
    DateType,
    NullType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.errors import DataError, DuplicateKeyError, NullKeyError, SchemaMismatchError
from etl.load.base import LoadFacts
from etl.load.columns import refuse_columns
from etl.load.frames import columns_of
from etl.model import PARTITION_DATE, Destination
from etl.spark.local_frame import HeldFrame, held_rows
from etl.statements.quoting import spark_identifier
from etl.statements.spark_values import identity

LOW_HALF = 0xFFFFFFFF


@dataclass(frozen=True)
class Content:
    """What one look at a frame tells. `digest` is equal for equal sets of rows, in any order."""

    rows: int
    digest: str
    dates: frozenset[date]


def column(name: str, alias: str | None = None) -> Column:
    quoted = spark_identifier(name)
    return F.col(f"{alias}.{quoted}" if alias else quoted)


def prepare(df: DataFrame, config: S3TableLoadConfig) -> DataFrame:
    """Settles types that no lake table holds and adds `partition_date` as the last column of a partitioned table."""
    refuse_columns(config, columns_of(df))
    _refuse_missing(df.schema, config)
    settled = _settled(df)
    if not config.partition_by:
        return settled
    if (rows := held_rows(settled)) is not None:
        return _with_days(settled, rows, config)
    return settled.withColumn(PARTITION_DATE, _day_of(df.schema, config))


def examine(frame: DataFrame, config: S3TableLoadConfig, facts: LoadFacts | None) -> tuple[DataFrame, Content]:
    """The frame, counted and digested. Refuses rows without a day; keys too where nobody has done so before."""
    if facts is None:
        refuse_keys(frame, config)
    partitioned = bool(config.partition_by)
    high, low = row_digest(frame.schema)
    measures = [F.count(F.lit(1)).alias("rows"), F.sum(high).alias("high"), F.sum(low).alias("low")]
    if partitioned:
        measures.append(F.collect_set(column(PARTITION_DATE)).alias("dates"))
        measures.append(F.count_if(column(PARTITION_DATE).isNull()).alias("undated"))
    found = frame.agg(*measures).head()
    assert found is not None  # noqa: S101 - an aggregate without groups has one row
    if partitioned:
        refuse_undated(config, found["undated"], found["rows"])
    dates = frozenset(found["dates"]) if partitioned else frozenset()
    return frame, Content(found["rows"], _digest(found), dates)


def digest_of(frame: DataFrame) -> str:
    """What `examine` says of these rows; the columns count in the frame's order."""
    high, low = row_digest(frame.schema)
    found = frame.agg(F.count(F.lit(1)).alias("rows"), F.sum(high).alias("high"), F.sum(low).alias("low")).head()
    assert found is not None  # noqa: S101 - an aggregate without groups has one row
    return _digest(found)


def refuse_undated(config: S3TableLoadConfig, undated: int, rows: int) -> None:
    if undated:
        raise DataError(
            f"expected a {config.date_column} in every row, as the table is partitioned by its day; "
            f"found {undated} of {rows} rows without: give a default or reject them in transform",
            table=config.table_name,
            destination=Destination.S3,
        )


def digest_text(rows: int, high: int | None, low: int | None) -> str:
    """Of the sums of both halves of the rows' hashes."""
    return f"{rows}:{high or 0}:{low or 0}"


def _digest(sums: Row) -> str:
    return digest_text(sums["rows"], sums["high"], sums["low"])


def comparable(name: str, kind: DataType, alias: str | None = None) -> list[Column]:
    """What `<=>` and hashing take for the column, so that nothing equal passes for the same."""
    quoted = spark_identifier(name)
    value = f"{alias}.{quoted}" if alias else quoted
    return [F.expr(part) for part in identity(value, kind.simpleString())]


def row_digest(schema: StructType) -> tuple[Column, Column]:
    """Both halves of a 64-bit hash of the row, as non-negative numbers whose sums stay within a bigint."""
    parts: list[str] = []
    for field in schema.fields:
        value = spark_identifier(field.name)
        # xxhash64 passes over NULL: without the flag (NULL, 'a') and ('a', NULL) would be one
        parts += [*identity(value, field.dataType.simpleString()), f"{value} IS NULL"]
    # as one text: each Column built in Python is several calls into the JVM, which for few rows are most of the cost
    whole = F.expr(f"xxhash64({', '.join(parts)})")
    return F.shiftrightunsigned(whole, 32), whole.bitwiseAND(F.lit(LOW_HALF))


def _settled(df: DataFrame) -> DataFrame:
    fields = df.schema.fields
    if not any(isinstance(field.dataType, NullType | TimestampNTZType) for field in fields):
        return df
    return df.select(*[_settled_column(field) for field in fields])


def _settled_column(field: StructField) -> Column:
    plain = column(field.name)
    if isinstance(field.dataType, NullType):
        return plain.cast(StringType()).alias(field.name)
    if isinstance(field.dataType, TimestampNTZType):
        return plain.cast(TimestampType()).alias(field.name, metadata=field.metadata)
    return plain


def _with_days(frame: DataFrame, rows: pa.Table, config: S3TableLoadConfig) -> DataFrame:
    _refuse_undatable(frame.schema, config)
    days = rows.column(config.date_column).cast(pa.date32(), safe=False)
    schema = StructType([*frame.schema.fields, StructField(PARTITION_DATE, DateType())])
    return HeldFrame(frame.sparkSession, rows.append_column(PARTITION_DATE, days), schema)


def _day_of(schema: StructType, config: S3TableLoadConfig) -> Column:
    _refuse_undatable(schema, config)
    # the session works in UTC (etl/spark/session.py), so the day of an instant is its day in UTC
    return F.to_date(column(config.date_column or ""))


def _refuse_undatable(schema: StructType, config: S3TableLoadConfig) -> None:
    kinds: dict[str, Any] = {field.name: field.dataType for field in schema.fields}
    kind = kinds.get(config.date_column or "")
    if not isinstance(kind, DateType | TimestampType | TimestampNTZType):
        found = kind.simpleString() if kind else f"no column {config.date_column!r}"
        raise SchemaMismatchError(
            f"expected date_column to be a date or timestamp, found {found}; correct the table's date_column",
            table=config.table_name,
            destination=Destination.S3,
        )


def _refuse_missing(schema: StructType, config: S3TableLoadConfig) -> None:
    if missing := [name for name in config.key if name not in schema.names]:
        raise SchemaMismatchError(
            f"expected the key columns {', '.join(missing)} in the frame, found {', '.join(schema.names)}; "
            "check `key` and the table's `transform` entry",
            table=config.table_name,
            destination=Destination.S3,
        )


def refuse_keys(frame: DataFrame, config: S3TableLoadConfig) -> None:
    """NULL in a key, and keys that come more than once."""
    if not config.key:
        return
    keys = [column(name) for name in config.key]
    incomplete = F.lit(False)
    for key in keys:
        incomplete = incomplete | key.isNull()
    found = (
        frame.groupBy(*keys)
        .agg(F.count(F.lit(1)).alias("_etl_rows"))
        .agg(
            F.sum(F.when(incomplete, column("_etl_rows")).otherwise(0)).alias("null_rows"),
            F.count_if(column("_etl_rows") > 1).alias("duplicated"),
            F.max(F.when(column("_etl_rows") > 1, F.to_json(F.struct(*keys)))).alias("sample"),
        )
        .head()
    )
    assert found is not None  # noqa: S101 - an aggregate without groups has one row
    named = f"the key ({', '.join(config.key)})"
    if found["null_rows"] and not config.null_safe_key:
        raise NullKeyError(
            f"expected no NULL in {named}, found {found['null_rows']} rows; reject them, or set null_safe_key",
            table=config.table_name,
            destination=Destination.S3,
        )
    if found["duplicated"]:
        raise DuplicateKeyError(
            f"expected {named} once in a load, found {found['duplicated']} keys several times, e.g. "
            f"{found['sample']}; deduplicate in transform",
            table=config.table_name,
            destination=Destination.S3,
        )
