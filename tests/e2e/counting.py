"""Rows in the source and in each store, counted by each store's own means."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import boto3
import psycopg2
import urllib3
from pyspark.sql import SparkSession

from etl.config.configuration import Configuration
from etl.config.destinations.clickhouse.load_config import ClickHouseTableLoadConfig
from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.config.settings import PostgreSQLSettings
from etl.model import Destination
from etl.spark.session import s3_options

Counts = dict[str, int]


def postgresql_counts(settings: PostgreSQLSettings | None, tables: Iterable[str]) -> Counts:
    assert settings is not None
    parts = [f"SELECT '{table}', count(*) FROM public.{table}" for table in tables]
    with closing(psycopg2.connect(**settings.connection_parameters)) as connection, connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts))
        return dict(cursor.fetchall())


def clickhouse_counts(configuration: Configuration, tables: Iterable[str]) -> Counts:
    server = configuration.settings.clickhouse
    assert server is not None

    def part(table: str) -> str:
        load = configuration.get_table_load_config(table, Destination.CLICKHOUSE)
        assert isinstance(load, ClickHouseTableLoadConfig)
        final = " FINAL" if load.engine == "ReplacingMergeTree" else ""
        return f"SELECT '{table}', count() FROM {load.target_name}{final}"

    answer = urllib3.request(
        "POST",
        f"http://{server.host}:{server.port}/?database={server.database}",
        body=" UNION ALL ".join(map(part, tables)).encode(),
        headers={"X-ClickHouse-User": server.user, "X-ClickHouse-Key": server.password.get_secret_value()},
    )
    assert answer.status == 200, answer.data.decode()
    lines = (line.split("\t") for line in answer.data.decode().splitlines())
    return {table: int(rows) for table, rows in lines}


def lake_counts(spark: SparkSession, configuration: Configuration, tables: Iterable[str]) -> Counts:
    s3 = configuration.settings.s3
    assert s3 is not None
    # Other tests of this session may have cached a file system for the same bucket of their own store.
    options = {**s3_options(s3), "fs.s3a.impl.disable.cache": "true"}
    names = list(tables)

    def count(table: str) -> int:
        load = configuration.get_table_load_config(table, Destination.S3)
        assert isinstance(load, S3TableLoadConfig)
        reader = spark.read.format(load.format.value).options(**options)
        return reader.load(f"s3a://{s3.bucket}/{s3.prefix}/{load.path}").count()

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(names, pool.map(count, names), strict=True))


def lake_objects(configuration: Configuration) -> dict[str, str]:
    """Every object of the bucket and its ETag: equal answers mean that nothing was written in between."""
    s3 = configuration.settings.s3
    assert s3 is not None
    assert s3.access_key is not None
    assert s3.secret_key is not None
    client = boto3.client(
        "s3",
        endpoint_url=s3.endpoint,
        region_name=s3.region,
        aws_access_key_id=s3.access_key.get_secret_value(),
        aws_secret_access_key=s3.secret_key.get_secret_value(),
    )
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=s3.bucket)
    return {found["Key"]: found["ETag"] for page in pages for found in page.get("Contents", [])}
