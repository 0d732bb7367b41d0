"""What is told of a failure: of a table that hides columns no value of a row."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from pyspark.sql import SparkSession

from etl.errors import DataError, SourceError
from etl.pipeline.tables.boundary import told_of
from etl.project import log_dir
from etl.spark.causes import explained
from tests.unit.transform.conftest import postgresql_table

MASKED: dict[str, Any] = {"mask": {"mail": "all"}}
EXPRESSIONS = [
    "cast(mail AS int)",
    "to_timestamp(mail, 'yyyy')",
    "parse_json(mail)",
    "parse_url(mail, 'HOST')",
    "to_number(mail, '999')",
    "raise_error(mail)",
    "cast(length(mail) * 1e30D AS int)",
]


def failure_of(spark: SparkSession, expression: str) -> Exception:
    df = spark.createDataFrame([("jane's @home",)], "mail string").repartition(1)
    try:
        df.selectExpr(expression).collect()
    except Exception as error:  # noqa: BLE001 - as the boundary catches it
        return explained(error)
    raise AssertionError(expression)


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize("transform", [MASKED, {"hash": ["mail"]}, {"drop": ["mail"]}])
def test_a_value_that_spark_speaks_of_is_told_to_nobody(
    spark: SparkSession, expression: str, transform: dict[str, Any]
) -> None:
    told = told_of(failure_of(spark, expression), postgresql_table(transform=transform))
    assert isinstance(told, DataError)
    assert "things: an expression of `transform` has no result for the value of some row" in str(told)
    assert "jane" not in "".join(traceback.format_exception(told))


def test_nor_where_another_error_was_raised_from_it(spark: SparkSession) -> None:
    blamed = SourceError("the file is not as it was: jane's @home")
    blamed.__cause__ = failure_of(spark, "cast(mail AS int)")
    assert "jane" not in str(told_of(blamed, postgresql_table(transform=MASKED)))


def test_where_nothing_is_hidden_and_of_other_failures_all_is_said(spark: SparkSession) -> None:
    failure = failure_of(spark, "cast(mail AS int)")
    assert told_of(failure, postgresql_table()) is failure
    assert "jane" in str(failure)
    away = SourceError("no such file")
    assert told_of(away, postgresql_table(transform=MASKED)) is away


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_nor_does_sparks_own_log_hold_it(spark: SparkSession, expression: str) -> None:
    log = log_dir() / "spark.log"
    before = log.stat().st_size if log.exists() else 0
    failure_of(spark, expression)
    with log.open() as file:
        file.seek(before if log.stat().st_size >= before else 0)  # it may have been rolled
        written = file.read()
    assert "TaskSetManager" in written
    assert "jane" not in written
