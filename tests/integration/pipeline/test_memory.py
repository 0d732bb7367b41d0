"""Rows of a megabyte in a driver of two gigabytes, by ./spark-submit.sh, as it is used."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from etl.clickhouse.door import ClickHouseDoor
from etl.config.configuration import load_configuration
from etl.spark.session import configure_s3
from tests.integration.pipeline.conftest import Shop, execute, submitted

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(1800)]

STORES = "s3,postgresql,clickhouse"
ROWS = 1_200
"""Of a megabyte each. Fetched 10,000 at a time, as once, they ended a driver of two gigabytes (exit code 52)."""


def test_rows_of_a_megabyte_come_through_a_driver_of_two_gigabytes(shop: Shop, spark: SparkSession) -> None:
    shop.source(
        "CREATE TABLE big (id int PRIMARY KEY, doc text NOT NULL); ALTER TABLE big ALTER doc SET STORAGE external;"
        "INSERT INTO big SELECT r, (SELECT string_agg(md5(r || ':' || g), '') FROM generate_series(1, 32768) g) "
        f"FROM generate_series(1, {ROWS}) r"
    )
    target = f"{shop.name}_big"
    shop.tables(f"tables: {{big: {{clickhouse: {{target_name: {target}}}}}}}")
    settings = load_configuration(shop.folder, shop.environ).settings
    assert settings.clickhouse is not None and settings.s3 is not None
    source = execute(shop.environ["ETL_SOURCE_POSTGRES_URL"], f"SELECT id, md5(doc) FROM {shop.name}.big ORDER BY id")
    assert len(source) == ROWS
    with ClickHouseDoor(settings.clickhouse) as door:
        try:
            with submitted(shop, "2g", STORES) as process:
                said, _ = process.communicate()
            assert process.returncode == 0, said
            assert shop.target("SELECT id, md5(doc) FROM public.big ORDER BY id") == source
            assert door.query(f"SELECT id, lower(hex(MD5(doc))) FROM {target} FINAL ORDER BY id") == [
                list(row) for row in source
            ]
        finally:
            door.execute(f"DROP TABLE IF EXISTS {target}")
    configure_s3(spark, settings.s3)
    # this session would not hold a whole row group as one batch
    spark.conf.set("spark.sql.parquet.enableVectorizedReader", "false")
    try:
        lake = spark.read.parquet(f"s3a://{settings.s3.bucket}/{settings.s3.prefix}/{shop.name}/big")
        assert [tuple(row) for row in lake.selectExpr("id", "md5(doc)").orderBy("id").collect()] == source
    finally:
        spark.conf.unset("spark.sql.parquet.enableVectorizedReader")
