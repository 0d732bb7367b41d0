"""The three stores as a race sees them: how many rows stand there, and how to be rid of them."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any

from pyspark.sql import SparkSession

from bench.measure import Store
from etl.clickhouse.door import ClickHouseDoor
from etl.config.settings import PostgreSQLSettings, Settings
from etl.postgresql.connection import connect
from etl.s3.store import ObjectStore, StoreAddress
from etl.statements.quoting import clickhouse_identifier, postgresql_identifier

_SCHEMAS = "SELECT coalesce(jsonb_agg(nspname), '[]') FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$)'"
_MERGES = "SELECT count() FROM system.merges WHERE database = currentDatabase()"
_CLICKHOUSE_TABLES = "SELECT name FROM system.tables WHERE database = currentDatabase()"


def postgresql(settings: Settings) -> Store:
    server = settings.postgresql
    assert server is not None
    return Store(
        "postgresql",
        count=lambda name: int(ask_postgresql(server, f"SELECT count(*) FROM {postgresql_identifier(name)}")),
        remove=lambda name: tell_postgresql(server, f"DROP TABLE IF EXISTS {postgresql_identifier(name)}"),
        settle=lambda: tell_postgresql(server, "CHECKPOINT"),
    )


def clickhouse(settings: Settings) -> Store:
    return Store(
        "clickhouse",
        count=lambda name: int(ask_clickhouse(settings, f"SELECT count() FROM {clickhouse_identifier(name)}")[0][0]),
        remove=lambda name: tell_clickhouse(settings, f"DROP TABLE IF EXISTS {clickhouse_identifier(name)} SYNC"),
        settle=lambda: wait_for_merges(settings),
    )


def wait_for_merges(settings: Settings) -> None:
    while ask_clickhouse(settings, _MERGES)[0][0]:
        time.sleep(0.1)


def s3(spark: SparkSession, settings: Settings, name: str, file_format: str) -> Store:
    return Store(
        name,
        count=lambda target: spark.read.format(file_format).load(lake_path(settings, target)).count(),
        remove=lambda target: remove_from_lake(settings, target),
        settle=lambda: None,
    )


def lake_path(settings: Settings, target: str) -> str:
    assert settings.s3 is not None
    return f"s3a://{settings.s3.bucket}/{settings.s3.prefix}/bench/{target}"


def remove_from_lake(settings: Settings, target: str) -> None:
    """Data, logs and the loader's own records beside them."""
    assert settings.s3 is not None
    store = ObjectStore(StoreAddress.of(settings.s3))
    store.delete([found.key for found in store.objects(f"{settings.s3.prefix}/bench/{target}/")])


def clear_all(settings: Settings) -> None:
    """Tables, ledger and lake, whoever made them; the source stays."""
    assert settings.postgresql is not None and settings.s3 is not None
    for schema in ask_postgresql(settings.postgresql, _SCHEMAS):
        tell_postgresql(settings.postgresql, f"DROP SCHEMA {postgresql_identifier(schema)} CASCADE")
    tell_postgresql(settings.postgresql, "CREATE SCHEMA public")
    for (table,) in ask_clickhouse(settings, _CLICKHOUSE_TABLES):
        tell_clickhouse(settings, f"DROP TABLE {clickhouse_identifier(table)} SYNC")
    store = ObjectStore(StoreAddress.of(settings.s3))
    store.delete([found.key for found in store.objects("")])


def tell_postgresql(server: PostgreSQLSettings, statement: str) -> None:
    with closing(connect(server)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)


def ask_postgresql(server: PostgreSQLSettings, statement: str) -> Any:
    """The one value of the one row."""
    with closing(connect(server)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone()
        assert row is not None
        (value,) = dict(row).values()
        return value


def tell_clickhouse(settings: Settings, statement: str) -> None:
    assert settings.clickhouse is not None
    with ClickHouseDoor(settings.clickhouse) as door:
        door.execute(statement)


def ask_clickhouse(settings: Settings, statement: str) -> list[list[Any]]:
    assert settings.clickhouse is not None
    with ClickHouseDoor(settings.clickhouse) as door:
        return door.query(statement)
