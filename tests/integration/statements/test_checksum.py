"""The same rows give the same checksums in Spark, PostgreSQL and ClickHouse."""

from __future__ import annotations

import datetime as dt
import random
import struct
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import psycopg2
import pyarrow as pa
import pytest
import urllib3
from pyspark.sql import DataFrame, SparkSession

from etl.config.destinations.registry import spec_of
from etl.load.arrow_checksums import checksums_of_rows
from etl.load.frames import checksums_of, columns_of
from etl.model import POSTGRESQL_TYPE, Checksums, Column, Destination, Digest
from etl.statements.checksum import (
    clickhouse_checksum_columns,
    differences,
    postgresql_checksum_columns,
)
from tests.conftest import RunningStack

pytestmark = pytest.mark.stack

SCHEMA = (
    "id string, flag boolean, small smallint, big bigint, price decimal(12,3), huge decimal(38,9), ratio double,"
    " single float, day date, at timestamp, body string, raw binary, code string, tags array<string>,"
    " counts array<int>, flags array<boolean>, ratios array<double>, singles array<float>, prices array<decimal(12,3)>,"
    " days array<date>, ats array<timestamp>, raws array<binary>"
)
UTC = dt.UTC
MOON = dt.datetime(1969, 7, 20, 20, 17, 40, 123456, tzinfo=UTC)
ROWS = [
    (
        "1f3e8f7e-0000-4000-8000-000000000001", True, -5, 2**62, Decimal("19.990"), Decimal("1E28"), 0.1, 2.5,
        dt.date(1969, 12, 31), MOON, "Zürich — 東京", b"\x00\xff", "ab",
        ["a", "b,c"], [1, None, -3], [True, None, False], [0.1, None, -0.0, float("nan"), 5e-324],
        [0.10000000149011612, None], [Decimal("1.500"), None, Decimal("-0.001")], [dt.date(1900, 1, 1), None],
        [MOON, None], [b"", None, b"\x00"],
    ),
    (
        "1f3e8f7e-0000-4000-8000-000000000002", False, 7, -(2**62), Decimal("-0.001"), Decimal("-1.5"), float("nan"),
        -1.0000000150474662e30, dt.date(2026, 6, 30), dt.datetime(2026, 6, 30, 23, 59, 59, 999999, tzinfo=UTC), "", b"",
        "", *([[]] * 9),
    ),
    (
        "1f3e8f7e-0000-4000-8000-000000000003", True, 0, 0, Decimal("0.000"), Decimal("0.000000001"), float("-inf"),
        -2.25, dt.date(1900, 1, 1), dt.datetime(2000, 2, 29, tzinfo=UTC), "it's \\ \"quoted\"", b"abc", "abcde",
        [None], [0], [False], [float("inf"), 1e308], [float("-inf")], [Decimal("0.000")], [dt.date(2026, 6, 30)],
        [dt.datetime(2000, 2, 29, tzinfo=UTC)], [b"abc"],
    ),
    ("1f3e8f7e-0000-4000-8000-000000000004", *([None] * 12), *([[]] * 9)),
]  # fmt: skip
POSTGRESQL = (
    "CREATE TEMP TABLE wide (id uuid, flag boolean, small smallint, big bigint, price numeric(12,3),"
    " huge numeric(38,9), ratio double precision, single real, day date, at timestamptz, body text, raw bytea,"
    " code char(5), tags text[], counts integer[], flags boolean[], ratios float8[], singles real[],"
    " prices numeric(12,3)[], days date[], ats timestamptz[], raws bytea[]) ON COMMIT DROP"
)
CLICKHOUSE = (
    "CREATE TEMPORARY TABLE wide (id String, flag Nullable(Bool), small Nullable(Int16), big Nullable(Int64),"
    " price Nullable(Decimal(12,3)), huge Nullable(Decimal(38,9)), ratio Nullable(Float64), single Nullable(Float32),"
    " day Nullable(Date32), at Nullable(DateTime64(6,'UTC')), body Nullable(String), raw Nullable(String),"
    " code Nullable(String), tags Array(Nullable(String)), counts Array(Nullable(Int32)), flags Array(Nullable(Bool)),"
    " ratios Array(Nullable(Float64)), singles Array(Nullable(Float32)), prices Array(Nullable(Decimal(12,3))),"
    " days Array(Nullable(Date32)), ats Array(Nullable(DateTime64(6,'UTC'))), raws Array(Nullable(String)))"
)


def wide_frame(spark: SparkSession) -> DataFrame:
    frame = spark.createDataFrame(ROWS, SCHEMA)
    return frame.withMetadata("id", {POSTGRESQL_TYPE: "uuid"}).withMetadata("code", {POSTGRESQL_TYPE: "character(5)"})


def checksums_in_spark(frame: DataFrame) -> Checksums:
    return checksums_of(frame, columns_of(frame))


@contextmanager
def postgresql(url: str) -> Iterator[Any]:
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET timezone = 'UTC'")
            yield cursor
    finally:
        connection.close()


def checksums_in_postgresql(cursor: Any, columns: Sequence[Column], table: str) -> Checksums:
    expressions = postgresql_checksum_columns(columns, "w")
    cursor.execute(f"SELECT count(*), {', '.join(expressions.values())} FROM {table} AS w")
    found = cursor.fetchone()
    return Checksums(found[0], dict(zip(expressions, found[1:], strict=True)))


class ClickHouse:
    """One session, which temporary tables live in."""

    def __init__(self, stack: RunningStack) -> None:
        server = stack.settings.clickhouse
        assert server is not None
        self._url = f"http://{server.host}:{server.port}/?database={server.database}&session_id={uuid.uuid4().hex}"
        self._headers = {"X-ClickHouse-User": server.user, "X-ClickHouse-Key": server.password.get_secret_value()}
        self._http = urllib3.PoolManager()

    def run(self, statement: str, rows: bytes = b"") -> str:
        url = f"{self._url}&{urlencode({'query': statement})}" if rows else self._url
        answer = self._http.request("POST", url, body=rows or statement.encode(), headers=self._headers)
        assert answer.status == 200, answer.data.decode()
        return answer.data.decode().rstrip("\n")

    def checksums(self, columns: Sequence[Column], table: str) -> Checksums:
        expressions = clickhouse_checksum_columns(columns, "w")
        found = self.run(f"SELECT count(), {', '.join(expressions.values())} FROM {table} AS w").split("\t")
        return Checksums(int(found[0]), dict(zip(expressions, found[1:], strict=True)))


def postgresql_value(value: object) -> object:
    """psycopg2 writes -0.0 as a numeric, which has no -0."""
    is_floats = isinstance(value, list) and any(isinstance(each, float) for each in value)
    if not is_floats:
        return value
    return "{" + ",".join("NULL" if each is None else repr(each) for each in value) + "}"  # type: ignore[attr-defined]


def clickhouse_value(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, Decimal):
        return f"'{value:f}'"
    if isinstance(value, float):  # text is not read to the last bit
        return f"reinterpretAsFloat64(toInt64({struct.unpack('<q', struct.pack('<d', value))[0]}))"
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


def test_rows_in_memory_agree(spark: SparkSession) -> None:
    """With Spark, whatever is asked; a slice of a table is read as what it is."""
    frame = wide_frame(spark)
    columns, rows = columns_of(frame), frame.toArrow()
    for digests in ({Digest.CRC32}, {Digest.MD5}, set(Digest), set[Digest]()):
        assert checksums_of_rows(rows, columns, digests) == checksums_of(frame, columns, digests)
    assert checksums_of_rows(pa.concat_tables([rows, rows]).slice(len(ROWS)), columns, set(Digest)) == (
        checksums_in_spark(frame)
    )
    nothing = frame.where("false")
    assert checksums_of_rows(rows.slice(0, 0), columns, set(Digest)) == checksums_in_spark(nothing)


def test_the_three_stores_agree(spark: SparkSession, stack: RunningStack) -> None:
    frame = wide_frame(spark)
    columns = columns_of(frame)
    expected = checksums_in_spark(frame)
    assert expected.rows == len(ROWS)
    assert not [name for name, value in expected.columns.items() if "*" in value]

    with postgresql(stack.postgres_url) as cursor:
        cursor.execute(POSTGRESQL)
        kinds = [column.postgresql_type for column in columns]
        slots = ", ".join(f"CAST(%s AS {kind})" for kind in kinds)
        for row in ROWS:
            cursor.execute(f"INSERT INTO wide VALUES ({slots})", [postgresql_value(value) for value in row])
        found = checksums_in_postgresql(cursor, columns, "wide")
    asked = checksums_of(frame, columns, [spec_of(Destination.POSTGRESQL).digest])
    assert uncompared(asked, found) == []
    assert differences(asked, found) == differences(expected, found) == []

    clickhouse = ClickHouse(stack)
    clickhouse.run(CLICKHOUSE)
    rows = ", ".join(f"({', '.join(clickhouse_value(value) for value in row)})" for row in ROWS)
    clickhouse.run(f"INSERT INTO wide VALUES {rows}")
    found = clickhouse.checksums(columns, "wide")
    asked = checksums_of(frame, columns, [spec_of(Destination.CLICKHOUSE).digest])
    assert uncompared(asked, found) == []
    assert differences(asked, found) == differences(expected, found) == []


def uncompared(one: Checksums, other: Checksums) -> list[str]:
    """Columns of which both know nothing but the number of values."""
    return [
        name
        for name, checksum in one.columns.items()
        if all("*" in pair for pair in zip(sums_of(checksum), sums_of(other.columns[name]), strict=True))
    ]


def sums_of(checksum: str) -> list[str]:
    parts = checksum.split("/")
    return parts[:2] if len(parts) > 2 else parts[:1]


EDGES = [
    0.0, -0.0, 5e-324, -5e-324, sys.float_info.min, sys.float_info.max, float("inf"), float("-inf"), float("nan"), 2.53,
    1e12, 1e300, 2.0**52, 2.0**53 - 1, 2.0**63, -(2.0**63), 1e23, 0.1 + 0.2,
]  # fmt: skip


@pytest.mark.parametrize(("kind", "width"), [("double", 8), ("float", 4)])
def test_floats_of_every_kind_sum_to_the_same_everywhere(
    spark: SparkSession, stack: RunningStack, kind: str, width: int
) -> None:
    """Any bits: subnormal, infinite, NaN of any payload."""
    form = "<d" if kind == "double" else "<f"
    chance = random.Random(20260630)
    values = [struct.unpack(form, chance.randbytes(width))[0] for _ in range(2_000)] + [
        struct.unpack(form, struct.pack(form, value))[0] for value in EDGES if kind == "double" or abs(value) < 1e38
    ]
    frame = spark.createDataFrame([(value,) for value in values], f"value {kind}")
    columns = columns_of(frame)
    expected = checksums_in_spark(frame)
    assert checksums_of_rows(frame.toArrow(), columns, set(Digest)) == expected
    with postgresql(stack.postgres_url) as cursor:
        declared = columns[0].postgresql_type
        cursor.execute(
            f"CREATE TEMP TABLE numbers ON COMMIT DROP AS SELECT unnest(CAST(%s AS {declared}[])) AS value",
            (postgresql_value(values),),
        )
        assert differences(expected, checksums_in_postgresql(cursor, columns, "numbers")) == []
    clickhouse = ClickHouse(stack)
    clickhouse.run(f"CREATE TEMPORARY TABLE numbers (value Float{width * 8})")
    clickhouse.run("INSERT INTO numbers FORMAT RowBinary", b"".join(struct.pack(form, value) for value in values))
    assert differences(expected, clickhouse.checksums(columns, "numbers")) == []


def bits(value: float, change: int) -> float:
    """So many doubles further."""
    return float(struct.unpack("<d", struct.pack("<q", struct.unpack("<q", struct.pack("<d", value))[0] + change))[0])


D, AT = Decimal, dt.datetime(2026, 1, 1, tzinfo=UTC)
MICROSECOND, DAY = dt.timedelta(microseconds=1), dt.timedelta(days=1)
SEEN: list[tuple[str, list[Any], list[Any]]] = [
    ("boolean", [True, False], [True, True]),
    ("int", [1, 5], [2, 4]),
    ("bigint", [2**62, 0], [2**62 - 1, 1]),
    ("decimal(12,3)", [D("1.000"), D("5.000")], [D("1.001"), D("4.999")]),
    ("decimal(38,9)", [D("1E28"), D("5")], [D("1E28") + D("1E-9"), D("5") - D("1E-9")]),
    ("double", [2.53, 7.1], [bits(2.53, 1), bits(7.1, -1)]),
    ("double", [2.53], [2.5300000000000002]),
    ("double", [5e-324], [0.0]),
    ("double", [0.0], [-0.0]),
    ("double", [1e300], [bits(1e300, 1)]),
    ("double", [float("inf")], [float("-inf")]),
    ("float", [0.0], [1.401298464324817e-45]),
    ("date", [AT.date(), AT.date() + 9 * DAY], [AT.date() + DAY, AT.date() + 8 * DAY]),
    ("timestamp", [AT, AT + DAY], [AT + MICROSECOND, AT + DAY - MICROSECOND]),
    ("string", ["1.5"], ["1.50"]),
    ("string", ["2000", "2916"], ["9000", "9916"]),  # whose CRC32s have one sum
    ("binary", [b"a"], [b"a\x00"]),
    ("array<string>", [["a,b"]], [["a", "b"]]),
    ("array<string>", [[None]], [["NULL"]]),
    ("array<string>", [["a"], None], [["a"], []]),
    ("array<int>", [[1, None]], [[None, 1]]),
    ("array<boolean>", [[True, False]], [[False, True]]),
    ("array<double>", [[2.53, None]], [[bits(2.53, 1), None]]),
    ("array<double>", [[0.0]], [[-0.0]]),
    ("array<decimal(12,3)>", [[D("1.5"), D("2")]], [[D("2"), D("1.5")]]),
    ("array<date>", [[AT.date()]], [[AT.date() + DAY]]),
    ("array<timestamp>", [[AT, None]], [[AT + MICROSECOND, None]]),
    ("array<binary>", [[b"a", b""]], [[b"a", None]]),
]
"""Type, values, other values: what rounding does, and what joins and sums are blind to."""


@pytest.mark.parametrize("digest", Digest)
def test_every_change_is_seen(spark: SparkSession, digest: Digest) -> None:
    """The same in all stores, as the test above says: so it is enough to look at one of them."""
    schema = ", ".join(f"a{place} {kind}, b{place} {kind}" for place, (kind, _, _) in enumerate(SEEN))
    rows = [
        tuple(side[row] if row < len(side) else None for _, before, after in SEEN for side in (before, after))
        for row in range(2)
    ]
    frame = spark.createDataFrame(rows, schema)
    checksums = checksums_of(frame, columns_of(frame), [digest])
    assert checksums_of_rows(frame.toArrow(), columns_of(frame), [digest]) == checksums
    found = checksums.columns
    unseen = [
        (kind, before, after)
        for place, (kind, before, after) in enumerate(SEEN)
        if found[f"a{place}"] == found[f"b{place}"]
    ]
    assert unseen == []


def test_what_a_store_cannot_say_is_passed_over() -> None:
    def faults(one: str, other: str) -> list[str]:
        return differences(Checksums(1, {"a": one}), Checksums(1, {"a": other}))

    assert faults("17/1/1", "17/1/*") == []
    assert faults("17/1", "*/1") == []
    assert faults("17/1", "*/2") != []
    assert faults("17/1/1", "17/1/0") != []
    assert faults("17/3/1", "17/*/1") == []
    assert faults("17/3/1", "*/4/1") != []
    assert faults("17/1", "17/1/0") != []
