"""A frame of held rows is one like any other, and the JVM hears of it only when it is asked."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import ArrayType, DecimalType, IntegerType, StringType, StructField, StructType

from etl.spark.local_frame import HeldFrame, held_rows, type_named

SCHEMA = StructType([StructField("id", IntegerType(), False, {"a": "b"}), StructField("text", StringType())])
ROWS = pa.table({"id": pa.array([1, 2], pa.int32()), "text": ["a", None]})


def test_what_is_known_of_it_is_not_asked_of_the_jvm(spark: SparkSession) -> None:
    frame = HeldFrame(spark, ROWS, SCHEMA)
    assert (frame.schema, frame.columns, held_rows(frame)) == (SCHEMA, ["id", "text"], ROWS)
    assert "_jdf" not in vars(frame)
    assert held_rows(frame.where("true")) is None


def test_spark_sees_rows_types_and_metadata(spark: SparkSession) -> None:
    frame = HeldFrame(spark, pa.concat_tables([ROWS, ROWS]), SCHEMA)
    assert frame.where("id = 2").select("text", "id").collect() == [(None, 2), (None, 2)]
    assert frame.where("true").schema == SCHEMA
    assert frame.withColumn("more", frame["id"] + 1).agg({"more": "sum"}).first() == (10,)
    assert HeldFrame(spark, ROWS.slice(0, 0), SCHEMA).where("true").collect() == []


def test_types_are_told_by_their_names() -> None:
    assert type_named("array<decimal(38,10)>") == ArrayType(DecimalType(38, 10))
    with pytest.raises(ValueError, match="expected a type of a source's column, found 'map<int,int>'"):
        type_named("map<int,int>")


def test_decimals_arrive(spark: SparkSession) -> None:
    schema = StructType([StructField("amount", DecimalType(12, 2))])
    rows = pa.table({"amount": pa.array([Decimal("1.50"), None], pa.decimal128(12, 2))})
    assert HeldFrame(spark, rows, schema).collect() == [(Decimal("1.50"),), (None,)]
