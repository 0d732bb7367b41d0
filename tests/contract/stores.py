"""What the contract suite knows of each store: how to ask for a load, and how to read back what stands there."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import psycopg2
import urllib3
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from etl.config.destinations.clickhouse.load_config import ClickHouseEngine, ClickHouseTableLoadConfig
from etl.config.destinations.load_config import TableLoadConfig
from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.destinations.s3.load_config import S3Format, S3TableLoadConfig
from etl.config.settings import Settings
from etl.model import PARTITION_DATE, ConflictResolution, WriteMode
from etl.testing.store import Row, Store


def _common(table: str) -> dict[str, Any]:
    return {"table_name": table, "key": ("id",), "date_column": "day"}


def _s3_merging(table: str) -> TableLoadConfig:
    return S3TableLoadConfig(
        **_common(table),
        mode=WriteMode.MERGE,
        path=f"contract/{table}",
        format=S3Format.DELTA,
        partition_by=(PARTITION_DATE,),
    )


def _s3_appending(table: str, conflict: ConflictResolution) -> TableLoadConfig:
    return S3TableLoadConfig(
        **_common(table),
        mode=WriteMode.APPEND,
        path=f"contract/{table}",
        format=S3Format.DELTA,
        partition_by=(PARTITION_DATE,),
        conflict_resolution=conflict,
    )


def _s3_overwriting(table: str) -> TableLoadConfig:
    return S3TableLoadConfig(
        **_common(table),
        mode=WriteMode.OVERWRITE,
        path=f"contract/{table}",
        format=S3Format.DELTA,
        partition_by=(PARTITION_DATE,),
    )


def _postgresql_merging(table: str) -> TableLoadConfig:
    return PostgreSQLTableLoadConfig(**_common(table), mode=WriteMode.UPSERT, target_name=table)


def _postgresql_appending(table: str, conflict: ConflictResolution) -> TableLoadConfig:
    return PostgreSQLTableLoadConfig(
        **_common(table), mode=WriteMode.APPEND, target_name=table, conflict_resolution=conflict
    )


def _postgresql_overwriting(table: str) -> TableLoadConfig:
    return PostgreSQLTableLoadConfig(**_common(table), mode=WriteMode.OVERWRITE, target_name=table)


def _clickhouse_merging(table: str) -> TableLoadConfig:
    return ClickHouseTableLoadConfig(
        **_common(table),
        mode=WriteMode.MERGE,
        target_name=table,
        engine=ClickHouseEngine.REPLACING_MERGE_TREE,
        order_by=("id",),
        partition_by=("toYYYYMM(day)",),
    )


def _clickhouse_appending(table: str, conflict: ConflictResolution) -> TableLoadConfig:
    return ClickHouseTableLoadConfig(
        **_common(table),
        mode=WriteMode.APPEND,
        target_name=table,
        engine=ClickHouseEngine.MERGE_TREE,
        order_by=("id",),
        partition_by=("toYYYYMM(day)",),
        conflict_resolution=conflict,
    )


def _clickhouse_overwriting(table: str) -> TableLoadConfig:
    return ClickHouseTableLoadConfig(
        **_common(table),
        mode=WriteMode.REPLACE_PARTITION,
        target_name=table,
        engine=ClickHouseEngine.REPLACING_MERGE_TREE,
        order_by=("id",),
    )


def _read_s3(spark: SparkSession, settings: Settings, table: str, columns: str) -> list[Row]:
    assert settings.s3 is not None
    frame = spark.read.format("delta").load(f"s3a://{settings.s3.bucket}/data-lake/contract/{table}")
    assert frame.where(F.col(PARTITION_DATE) != F.col("day")).count() == 0
    return sorted(tuple(row) for row in frame.selectExpr(*_texts(columns)).collect())


def _read_postgresql(_spark: SparkSession, settings: Settings, table: str, columns: str) -> list[Row]:
    with closing(_connect(settings)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(f'{name}::text' for name in columns.split())} FROM public.{table}")
        return sorted(cursor.fetchall())


def _read_clickhouse(_spark: SparkSession, settings: Settings, table: str, columns: str) -> list[Row]:
    engine = _clickhouse(
        settings, f"SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = '{table}'"
    )
    final = " FINAL" if engine == "ReplacingMergeTree" else ""
    texts = ", ".join(columns.split())
    found = _clickhouse(
        settings, f"SELECT {texts} FROM {table}{final} SETTINGS output_format_decimal_trailing_zeros = 1"
    )
    rows = [tuple(None if value == "\\N" else value for value in line.split("\t")) for line in found.splitlines()]
    return sorted(rows, key=lambda row: tuple(str(value) for value in row))


def _s3_staging(spark: SparkSession, settings: Settings, table: str) -> list[str]:
    """Delta's own log is the only truth there: files it does not name are nothing a reader sees."""
    return []


def _postgresql_staging(_spark: SparkSession, settings: Settings, _table: str) -> list[str]:
    with closing(_connect(settings)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'etl_staging'")
        return [name for (name,) in cursor.fetchall()]


def _clickhouse_staging(_spark: SparkSession, settings: Settings, table: str) -> list[str]:
    found = _clickhouse(
        settings, f"SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE '%{table}%'"
    )
    return [name for name in found.splitlines() if name != table]


def _texts(columns: str) -> list[str]:
    return [f"cast(`{name}` as string)" for name in columns.split()]


def _connect(settings: Settings) -> Any:
    server = settings.postgresql
    assert server is not None
    return psycopg2.connect(
        host=server.host,
        port=server.port,
        user=server.user,
        password=server.password.get_secret_value(),
        dbname=server.database,
    )


def _clickhouse(settings: Settings, sql: str) -> str:
    server = settings.clickhouse
    assert server is not None
    answer = urllib3.request(
        "POST",
        f"http://{server.host}:{server.port}/?database={server.database}",
        body=sql.encode(),
        headers={"X-ClickHouse-User": server.user, "X-ClickHouse-Key": server.password.get_secret_value()},
    )
    assert answer.status == 200, answer.data.decode()
    return answer.data.decode().rstrip("\n")


STORES: Mapping[str, Store] = {
    "s3": Store("s3", _s3_merging, _s3_appending, _s3_overwriting, _read_s3, _s3_staging),
    "postgresql": Store(
        "postgresql",
        _postgresql_merging,
        _postgresql_appending,
        _postgresql_overwriting,
        _read_postgresql,
        _postgresql_staging,
    ),
    "clickhouse": Store(
        "clickhouse",
        _clickhouse_merging,
        _clickhouse_appending,
        _clickhouse_overwriting,
        _read_clickhouse,
        _clickhouse_staging,
    ),
}
