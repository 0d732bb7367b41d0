"""A table of some 200,000 rows in the source, and whether it stands in three stores as it does there."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import boto3
import psycopg2
import urllib3
from pyspark.sql import SparkSession

from etl.config.settings import Settings
from etl.spark.session import s3_options

ROWS, NEW_ROWS = 200_000, 20_000

SOURCE = f"""
CREATE TABLE readings (
    reading_id bigint PRIMARY KEY, label text NOT NULL, amount numeric(12, 2), measured_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE FUNCTION measure(first bigint, last bigint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO readings
    SELECT id, md5(id::text), (id % 9973) / 7.0, timestamptz '2026-06-01' + id % 5 * interval '1 day', now()
    FROM generate_series(first, last) AS id
$$;
SELECT measure(1, {ROWS});
"""
NEXT_DAY = f"""
UPDATE readings SET label = md5(label), amount = amount + 1, updated_at = now();
SELECT measure({ROWS + 1}, {ROWS + NEW_ROWS});
"""
ENTRY = """
tables:
  readings:
    kind: snapshot
    date_column: measured_at
"""


def execute(settings: Settings, statement: str) -> None:
    assert settings.source
    with (
        closing(psycopg2.connect(**settings.source.connection_parameters)) as source,
        source,
        source.cursor() as cursor,
    ):
        cursor.execute(statement)


def assert_stores_equal_the_source(settings: Settings, spark: SparkSession) -> None:
    assert settings.source and settings.postgresql and settings.clickhouse and settings.s3
    expected = rows_of_postgresql(settings.source)
    assert rows_of_postgresql(settings.postgresql) == expected
    assert rows_of_clickhouse(settings.clickhouse) == expected
    s3 = settings.s3
    reader = spark.read.format("delta").options(**{**s3_options(s3), "fs.s3a.impl.disable.cache": "true"})
    lake = reader.load(f"s3a://{s3.bucket}/{s3.prefix}/cluster/readings").selectExpr(
        "reading_id", "label", "cast(amount AS string)", "unix_micros(measured_at)", "unix_micros(updated_at)"
    )
    assert sorted(tuple(row) for row in lake.collect()) == expected


def rows_of_postgresql(server: Any) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(**server.connection_parameters)) as connection, connection.cursor() as cursor:
        micros = ", ".join(f"(extract(epoch FROM {name}) * 1000000)::bigint" for name in ("measured_at", "updated_at"))
        cursor.execute(f"SELECT reading_id, label, amount::text, {micros} FROM readings ORDER BY reading_id")
        return cursor.fetchall()


def rows_of_clickhouse(server: Any) -> list[tuple[Any, ...]]:
    micros = "toUnixTimestamp64Micro(measured_at), toUnixTimestamp64Micro(updated_at)"
    lines = asked(
        server,
        f"SELECT reading_id, label, toDecimalString(amount, 2), {micros} FROM readings FINAL ORDER BY reading_id",
    )
    values = (line.split("\t") for line in lines)
    return [(int(one), two, three, int(four), int(five)) for one, two, three, four, five in values]


def asked(server: Any, query: str) -> list[str]:
    answer = urllib3.request(
        "POST",
        f"http://{server.host}:{server.port}/?database={server.database}",
        body=query.encode(),
        headers={"X-ClickHouse-User": server.user, "X-ClickHouse-Key": server.password.get_secret_value()},
    )
    assert answer.status == 200, answer.data.decode()
    return answer.data.decode().splitlines()


def assert_nothing_is_left_behind(settings: Settings) -> None:
    assert settings.postgresql and settings.clickhouse and settings.s3
    with closing(psycopg2.connect(**settings.postgresql.connection_parameters)) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT relname FROM pg_class WHERE relnamespace = 'etl_staging'::regnamespace")
        assert cursor.fetchall() == []
    tables = "SELECT name FROM system.tables WHERE database = currentDatabase()"
    assert asked(settings.clickhouse, tables) == ["readings"]
    s3 = settings.s3
    assert s3.access_key and s3.secret_key
    keys = {"aws_access_key_id": s3.access_key, "aws_secret_access_key": s3.secret_key}
    client = boto3.client(
        "s3",
        endpoint_url=s3.endpoint,
        region_name=s3.region,
        **{name: each.get_secret_value() for name, each in keys.items()},
    )
    assert client.list_multipart_uploads(Bucket=s3.bucket).get("Uploads", []) == []
