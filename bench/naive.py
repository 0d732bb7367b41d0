"""The night as a script has it: one table and one store after the other by Spark's own writers, without any promise.

`python -m bench.naive`: nothing is checked, counted, atomic or kept for the next time, and rows are only appended.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StructField

from bench import stores
from bench.night_targets import lake_formats
from etl.config.configuration import load_configuration
from etl.config.settings import PostgreSQLSettings, Settings
from etl.load.clickhouse.transfer.jdbc_writer import jdbc_url
from etl.spark.session import build_session, configure_s3
from etl.statements.quoting import clickhouse_identifier, postgresql_identifier, postgresql_name

DATASET = "night_naive"
_CLICKHOUSE_TYPES = {
    "smallint": "Int16",
    "int": "Int32",
    "bigint": "Int64",
    "float": "Float32",
    "double": "Float64",
    "boolean": "Bool",
    "date": "Date32",
    "timestamp": "DateTime64(6, 'UTC')",
    "timestamp_ntz": "DateTime64(6, 'UTC')",
}
"""Of Spark's types; decimals are spelled alike, all others are text."""


def main(variables: Mapping[str, str]) -> None:
    configuration = load_configuration(environ=variables)
    settings = configuration.settings
    spark = build_session("bench-naive")
    assert settings.source is not None and settings.postgresql is not None and settings.s3 is not None
    configure_s3(spark, settings.s3)
    stores.tell_postgresql(settings.postgresql, f"CREATE SCHEMA {DATASET}")
    for name, lake_format in lake_formats(configuration).items():
        rows = _read(spark, settings.source, name)
        path = f"s3a://{settings.s3.bucket}/{DATASET}/{name}"
        rows.write.format(lake_format).save(path)
        _write_postgresql(rows, settings.postgresql, name)
        _write_clickhouse(rows, settings, name)


def _read(spark: SparkSession, source: PostgreSQLSettings, table: str) -> DataFrame:
    return spark.read.jdbc(source.jdbc_url, postgresql_identifier(table), properties=_credentials(source))


def _write_postgresql(rows: DataFrame, server: PostgreSQLSettings, table: str) -> None:
    rows.write.mode("append").jdbc(server.jdbc_url, postgresql_name(DATASET, table), properties=_credentials(server))


def _write_clickhouse(rows: DataFrame, settings: Settings, table: str) -> None:
    """Into a table that it makes: Spark's own would have no column that takes NULL."""
    server = settings.clickhouse
    assert server is not None
    target = clickhouse_identifier(f"{DATASET}___{table}")
    columns = ", ".join(f"{clickhouse_identifier(field.name)} {_clickhouse_type(field)}" for field in rows.schema)
    stores.tell_clickhouse(settings, f"CREATE TABLE {target} ({columns}) ENGINE = MergeTree ORDER BY tuple()")
    arrays = {field.name: F.to_json(field.name) for field in rows.schema if isinstance(field.dataType, ArrayType)}
    credentials = {"user": server.user, "password": server.password.get_secret_value()}
    options = {"driver": "com.clickhouse.jdbc.ClickHouseDriver", "isolationLevel": "NONE", **credentials}
    rows.withColumns(arrays).write.mode("append").jdbc(jdbc_url(server), target, properties=options)


def _clickhouse_type(field: StructField) -> str:
    name = field.dataType.simpleString()
    written = name if name.startswith("decimal") else _CLICKHOUSE_TYPES.get(name, "String")
    return f"Nullable({written})"


def _credentials(server: PostgreSQLSettings) -> dict[str, str]:
    return {
        "driver": "org.postgresql.Driver",
        "user": server.user,
        "password": server.password.get_secret_value(),
    }


if __name__ == "__main__":
    main(os.environ)
