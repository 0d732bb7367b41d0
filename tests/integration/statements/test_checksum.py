"""The same rows give the same checksums in Spark, PostgreSQL and ClickHouse."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import psycopg2
import pytest
import urllib3
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from etl.load.frames import columns_of
from etl.model import Checksums
from etl.statements.checksum import (
    clickhouse_checksum_columns,
    differences,
    postgresql_checksum_columns,
    spark_checksum_columns,
)
from tests.conftest import RunningStack

pytestmark = pytest.mark.stack

SCHEMA = (
    "id string, flag boolean, small smallint, big bigint, price decimal(12,3), huge decimal(38,9), ratio double,"
    " single float, day date, at timestamp, body string, raw binary, tags array<string>, counts array<int>"
)
UTC = dt.UTC
ROWS = [
    (
        "1f3e8f7e-0000-4000-8000-000000000001", True, -5, 2**62, Decimal("19.990"), Decimal("1E28"), 0.1, 2.5,
        dt.date(1969, 12, 31), dt.datetime(1969, 7, 20, 20, 17, 40, 123456, tzinfo=UTC), "Zürich — 東京", b"\x00\xff",
        ["a", "b,c"], [1, None, -3],
    ),
    (
        "1f3e8f7e-0000-4000-8000-000000000002", False, 7, -(2**62), Decimal("-0.001"), Decimal("-1.5"), float("nan"),
        -1e30, dt.date(2026, 6, 30), dt.datetime(2026, 6, 30, 23, 59, 59, 999999, tzinfo=UTC), "", b"", [], [],
    ),
    (
        "1f3e8f7e-0000-4000-8000-000000000003", True, 0, 0, Decimal("0.000"), Decimal("0"), float("-inf"), -2.25,
        dt.date(1900, 1, 1), dt.datetime(2000, 2, 29, tzinfo=UTC), "it's \\ \"quoted\"", b"abc", [None], [0],
    ),
    ("1f3e8f7e-0000-4000-8000-000000000004", *([None] * 11), [], []),
]  # fmt: skip
POSTGRESQL = (
    "CREATE TEMP TABLE wide (id uuid, flag boolean, small smallint, big bigint, price numeric(12,3),"
    " huge numeric(38,9), ratio double precision, single real, day date, at timestamptz, body text, raw bytea,"
    " tags text[], counts integer[]) ON COMMIT DROP"
)
CLICKHOUSE = (
    "CREATE TEMPORARY TABLE wide (id String, flag Nullable(Bool), small Nullable(Int16), big Nullable(Int64),"
    " price Nullable(Decimal(12,3)), huge Nullable(Decimal(38,9)), ratio Nullable(Float64), single Nullable(Float32),"
    " day Nullable(Date32), at Nullable(DateTime64(6,'UTC')), body Nullable(String), raw Nullable(String),"
    " tags Array(Nullable(String)), counts Array(Nullable(Int32)))"
)


def wide_frame(spark: SparkSession) -> DataFrame:
    frame = spark.createDataFrame(ROWS, SCHEMA)
    return frame.withColumn("id", F.col("id").alias("id", metadata={"postgresql_type": "uuid"}))


def checksums_in_spark(frame: DataFrame) -> Checksums:
    expressions = spark_checksum_columns(columns_of(frame))
    row = frame.agg(F.count(F.lit(1)), *(F.expr(each) for each in expressions.values())).first()
    assert row is not None
    return Checksums(row[0], dict(zip(expressions, row[1:], strict=True)))


def checksums_in_postgresql(frame: DataFrame, url: str) -> Checksums:
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(POSTGRESQL)
            slots = ", ".join(["%s"] * len(ROWS[0]))
            for row in ROWS:
                cursor.execute(f"INSERT INTO wide VALUES ({slots})", row)
            expressions = postgresql_checksum_columns(columns_of(frame), "w")
            cursor.execute(f"SELECT count(*), {', '.join(expressions.values())} FROM wide AS w")
            found = cursor.fetchone()
            return Checksums(found[0], dict(zip(expressions, found[1:], strict=True)))
    finally:
        connection.close()


def clickhouse_value(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, Decimal):
        return f"'{value:f}'"
    if isinstance(value, float):
        return str(value)
    if isinstance(value, bytes):
        return f"unhex('{value.hex()}')"
    if isinstance(value, list):
        return f"[{', '.join(clickhouse_value(each) for each in value)}]"
    if isinstance(value, dt.datetime):
        return f"toDateTime64('{value:%Y-%m-%d %H:%M:%S.%f}', 6, 'UTC')"
    if isinstance(value, dt.date):
        return f"toDate32('{value}')"
    text = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"


def checksums_in_clickhouse(frame: DataFrame, stack: RunningStack) -> Checksums:
    server = stack.settings.clickhouse
    assert server is not None
    http = urllib3.PoolManager()

    def run(sql: str) -> str:
        answer = http.request(
            "POST",
            f"http://{server.host}:{server.port}/?database={server.database}&session_id=test_checksum",
            body=sql.encode(),
            headers={"X-ClickHouse-User": server.user, "X-ClickHouse-Key": server.password.get_secret_value()},
        )
        assert answer.status == 200, answer.data.decode()
        return answer.data.decode().rstrip("\n")

    run(CLICKHOUSE)
    rows = ", ".join(f"({', '.join(clickhouse_value(value) for value in row)})" for row in ROWS)
    run(f"INSERT INTO wide VALUES {rows}")
    expressions = clickhouse_checksum_columns(columns_of(frame), "w")
    found = run(f"SELECT count(), {', '.join(expressions.values())} FROM wide AS w").split("\t")
    run("DROP TABLE wide")
    return Checksums(int(found[0]), dict(zip(expressions, found[1:], strict=True)))


def test_the_three_stores_agree(spark: SparkSession, stack: RunningStack) -> None:
    frame = wide_frame(spark)
    expected = checksums_in_spark(frame)
    assert expected.rows == len(ROWS)
    assert not [name for name, value in expected.columns.items() if value.startswith("*")]
    assert differences(expected, checksums_in_postgresql(frame, stack.postgres_url)) == []
    assert differences(expected, checksums_in_clickhouse(frame, stack)) == []


@pytest.mark.parametrize("column", ["flag", "small", "big", "price", "ratio", "day", "at", "body", "raw", "counts"])
def test_one_other_value_is_seen(spark: SparkSession, column: str) -> None:
    frame = wide_frame(spark)
    other = {
        "flag": "NOT flag", "small": "small + 1S", "big": "big - 1", "price": "cast(price + 0.001BD as decimal(12,3))",
        "ratio": "ratio + 0.00001D", "day": "day + 1", "at": "at + INTERVAL '0.000001' SECOND", "body": "body || ' '",
        "raw": "concat(raw, X'00')", "counts": "array(1, NULL, -4)",
    }[column]  # fmt: skip
    changed = frame.withColumn(column, F.expr(f"CASE WHEN id LIKE '%1' THEN {other} ELSE `{column}` END"))
    faults = differences(checksums_in_spark(frame), checksums_in_spark(changed))
    assert len(faults) == 1
    assert faults[0].startswith(f"column {column}:")
