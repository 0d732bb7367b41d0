"""What one chosen store cannot hold keeps the row out of all."""

from __future__ import annotations

import datetime as dt

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import StringType, StructField, StructType

from etl.model import POSTGRESQL_TYPE, ColumnDefinition, Destination, TableDefinition
from etl.transform.ranges import Limit
from tests.unit.transform.conftest import MakeFrame, file_table, outcomes, postgresql_table, transform

S3, POSTGRESQL, CLICKHOUSE = Destination.S3, Destination.POSTGRESQL, Destination.CLICKHOUSE


@pytest.mark.parametrize(
    ("expression", "destination", "fits"),
    [
        ("DATE'1900-01-01'", CLICKHOUSE, True),
        ("DATE'1899-12-31'", CLICKHOUSE, False),
        ("DATE'2299-12-31'", CLICKHOUSE, True),
        ("DATE'2300-01-01'", CLICKHOUSE, False),
        ("DATE'1899-12-31'", S3, True),
        ("DATE'0000-12-31'", S3, False),
        ("DATE'+10000-01-01'", S3, False),
        ("DATE'+10000-01-01'", POSTGRESQL, True),
        ("TIMESTAMP'2299-12-31 23:59:59.999999'", CLICKHOUSE, True),
        ("TIMESTAMP'2300-01-01 00:00:00'", CLICKHOUSE, False),
        ("TIMESTAMP'1899-12-31 23:59:59.999999'", CLICKHOUSE, False),
        ("array(DATE'2000-01-01', NULL)", CLICKHOUSE, True),
        ("array(DATE'2000-01-01', DATE'1800-01-01')", CLICKHOUSE, False),
        ("concat('a', char(0))", POSTGRESQL, False),
        ("concat('a', char(0))", CLICKHOUSE, True),
        ("array('a', char(0))", POSTGRESQL, False),
        ("CAST('NaN' AS double)", POSTGRESQL, True),
        ("CAST('NaN' AS double)", CLICKHOUSE, True),
        ("CAST(NULL AS date)", CLICKHOUSE, True),
    ],
)
def test_range(spark: SparkSession, expression: str, destination: Destination, fits: bool) -> None:
    df = spark.sql(f"SELECT 1 AS id, {expression} AS v")
    result = transform(file_table(transform={"trim": False}), df, destinations=[destination])
    expected = (1, "good", None) if fits else (1, "rejected", f"range:{destination}:v")
    assert outcomes(result) == [expected]
    assert Limit.of(destination, df.schema["v"], "").holds(df.toArrow().column("v")) is fits


def test_a_store_that_was_not_chosen_asks_for_nothing(frame: MakeFrame) -> None:
    df = frame("id int, day date", (1, dt.date(1800, 1, 1)))
    assert outcomes(transform(file_table(), df, destinations=[S3])) == [(1, "good", None)]


def test_length_is_checked_where_a_step_may_have_changed_it(frame: MakeFrame) -> None:
    definition = TableDefinition(
        "things",
        (ColumnDefinition("id", "integer", False), ColumnDefinition("code", "character varying(2)")),
        primary_key=("id",),
    )
    df = frame("id int, code string", (1, "ab"))
    schema = StructType(
        [df.schema["id"], StructField("code", StringType(), True, {POSTGRESQL_TYPE: "character varying(2)"})]
    )
    table = postgresql_table(transform={"derive": {"code": "concat(code, '!')"}})
    result = transform(table, df.to(schema), definition, [POSTGRESQL])
    assert outcomes(result) == [(1, "rejected", "range:postgresql:code")]
