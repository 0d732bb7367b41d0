"""What a Spark task sends back to the driver."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from etl.errors import ContentionError
from etl.load.executors import Attempt, Receipt, write_partitions


def count(batches: Iterator[pa.RecordBatch], attempt: Attempt, _config: str) -> Receipt:
    return Receipt(attempt.part, attempt.number, sum(batch.num_rows for batch in batches), 0, detail="counted")


def refuse_the_second(batches: Iterator[pa.RecordBatch], attempt: Attempt, config: str) -> Receipt:
    if attempt.part == 1:
        raise ContentionError(config)
    return count(batches, attempt, config)


def break_down(_batches: Iterator[pa.RecordBatch], _attempt: Attempt, config: str) -> Receipt:
    raise ZeroDivisionError(config)


def test_receipts_come_back(spark: SparkSession) -> None:
    receipts = write_partitions(spark.range(0, 10, 1, 2), count, "")
    assert [(each.part, each.rows, each.detail, each.failure) for each in receipts] == [
        (0, 5, "counted", ""),
        (1, 5, "counted", ""),
    ]


def test_an_error_of_ours_comes_back_as_itself(spark: SparkSession) -> None:
    with pytest.raises(ContentionError, match=r"^the table is locked$") as caught:
        write_partitions(spark.range(10).repartition(2), refuse_the_second, "the table is locked")
    assert type(caught.value) is ContentionError


def test_a_fault_of_the_program_does_not_pass_for_one(spark: SparkSession) -> None:
    with pytest.raises(Exception, match="ZeroDivisionError: by nought"):
        write_partitions(spark.range(10).repartition(2), break_down, "by nought")
