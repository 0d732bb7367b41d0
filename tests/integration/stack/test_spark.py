"""The session of etl/spark/session.py: UTC whatever the machine's zone, S3 by run-time options, Delta at hand."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from pyspark.sql import SparkSession

from etl.spark.session import configure_s3
from tests.conftest import RunningStack

pytestmark = pytest.mark.stack


def test_delta_on_s3_returns_what_was_written(spark: SparkSession, stack: RunningStack) -> None:
    s3 = stack.settings.s3
    assert s3 is not None
    configure_s3(spark, s3)
    target = f"s3a://{s3.bucket}/test-{uuid.uuid4()}"

    spark.sql("SELECT id, timestamp'2024-03-31 02:30:00.123456' AS at FROM range(3)").write.format("delta").save(target)

    read = spark.read.format("delta").load(target).orderBy("id").collect()
    instant = datetime(2024, 3, 31, 2, 30, 0, 123456, tzinfo=UTC)
    assert [(row.id, row["at"].replace(tzinfo=UTC)) for row in read] == [(0, instant), (1, instant), (2, instant)]


def test_keys_are_not_among_spark_properties(spark: SparkSession, stack: RunningStack) -> None:
    s3 = stack.settings.s3
    assert s3 is not None and s3.secret_key is not None
    configure_s3(spark, s3)

    assert s3.secret_key.get_secret_value() not in str(spark.sparkContext.getConf().getAll())
    assert s3.secret_key.get_secret_value() not in spark.sql("SET").toPandas().to_string()
