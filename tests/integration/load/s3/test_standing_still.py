"""A store that keeps its connections and says nothing: each wait ends, in words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession
from structlog.testing import capture_logs
from tenacity import wait_none

from etl.config.destinations.s3.settings import S3Settings
from etl.errors import ConnectionLostError
from etl.load.s3.door import spark_door
from etl.s3 import store
from etl.s3.store import ObjectStore, StoreAddress
from etl.spark.session import configure_s3
from tests.conftest import RunningStack
from tests.integration.load.s3.conftest import Lake
from tests.stopping import stopped_server

pytestmark = pytest.mark.stack

SAID = r"\(s3\.timeout_seconds\)\?$"


def test_boto3_asks_five_times_and_ends(stack: RunningStack, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "OF_A_STORE", wait_none())
    impatient = ObjectStore(StoreAddress.of(lake.settings.model_copy(update={"timeout_seconds": 1})))
    with (
        stopped_server(stack.data_dir, "s3"),
        capture_logs() as logs,
        pytest.raises(ConnectionLostError, match=f"to list nothing/, .*{SAID}"),
    ):
        list(impatient.objects("nothing/"))
    assert [log["attempt"] for log in logs] == [1, 2, 3, 4]
    assert list(impatient.objects("nothing/")) == []


@pytest.fixture
def least_patient(spark: SparkSession, lake: Lake) -> Iterator[S3Settings]:
    """Hadoop takes nothing below 15 seconds."""
    hadoop = spark.sparkContext._jsc.hadoopConfiguration()
    hadoop.set("fs.s3a.impl.disable.cache", "true")
    settings = lake.settings.model_copy(update={"timeout_seconds": 15})
    configure_s3(spark, settings)
    yield settings
    configure_s3(spark, lake.settings)
    hadoop.unset("fs.s3a.impl.disable.cache")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_spark_ends_too_and_says_which_setting(
    stack: RunningStack, spark: SparkSession, lake: Lake, least_patient: S3Settings
) -> None:
    uri = f"s3a://{least_patient.bucket}/tests/standing-still"
    spark.range(10).write.mode("overwrite").parquet(uri)
    frame = spark.read.parquet(uri)
    with (
        stopped_server(stack.data_dir, "s3"),
        pytest.raises(ConnectionLostError, match=f"expected Spark to read, .*{SAID}"),
        spark_door("read"),
    ):
        frame.collect()
    assert frame.count() == 10
