from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from etl.config.settings import PostgreSQLSettings
from etl.config.staging.models import StagingJob, StandardInputSource
from etl.errors import UsageError
from etl.staging.database.database import StagingDatabase
from etl.staging.loader import LoadOptions, StagingLoader
from etl.staging.sources.files import FileSource
from etl.staging.sources.ndjson import NdjsonFormat
from etl.staging.spark import load_dataframe
from etl.statements.staging.tables import StagingTable
from tests.integration.staging.conftest import Execute

pytestmark = pytest.mark.stack


def test_each_partition_stores_its_rows(
    spark: SparkSession,
    database: StagingDatabase,
    events: StagingTable,
    staging_settings: PostgreSQLSettings,
    execute: Execute,
    tmp_path: Path,
) -> None:
    job = StagingJob(
        id="frame",
        target_table=events.name,
        source=StandardInputSource(type="stdin"),
        source_id="key",
        required=("amount",),
        batch_size=100,
    )
    frame = spark.range(0, 1000, numPartitions=4).select(
        F.when(F.col("id") != 999, F.concat(F.lit("k"), F.col("id"))).alias("key"),
        F.when(F.col("id") != 5, (F.col("id") / 4).cast("decimal(20,2)")).alias("amount"),
        F.lit(True).alias("is_new"),
        F.expr("TIMESTAMP '2026-11-26 10:00:00.123456Z'").alias("at"),
        F.expr("TIMESTAMP_NTZ '2026-11-26 10:00:00.654321'").alias("wall"),
    )
    options = LoadOptions(run_id="frame", reject_dir=tmp_path)
    summary = load_dataframe(frame, job, staging_settings, options=options)
    assert summary.is_success
    assert (summary.run.rows_inserted, summary.run.rows_rejected, summary.run.rows_invalid) == (999, 1, 1)
    assert execute("SELECT count(*), count(data ->> 'amount') FROM stg_events") == [(999, 998)]
    assert execute(
        "SELECT data ->> 'amount', data ->> 'at', data ->> 'wall' FROM stg_events WHERE source_id = 'k7'"
    ) == [("1.75", "2026-11-26T10:00:00.123456Z", "2026-11-26T10:00:00.654321")]
    again = load_dataframe(frame, job, staging_settings, options=LoadOptions(run_id="again", reject_dir=tmp_path))
    assert again.run.rows_unchanged == 999
    ((reject,),) = execute("SELECT source_position FROM etl_run_rejects WHERE etl_run_id = 'frame'")
    assert reject == {"partition": 3, "row": 250}
    with pytest.raises(UsageError, match="run frame read a DataFrame, and job frame is of source stdin"):
        StagingLoader(database).retry(job, FileSource(NdjsonFormat(1 << 20), ()), "frame")


def test_empty_partitions_and_too_many_rejects(
    spark: SparkSession,
    database: StagingDatabase,
    events: StagingTable,
    staging_settings: PostgreSQLSettings,
    tmp_path: Path,
) -> None:
    job = StagingJob(
        id="frame", target_table=events.name, source=StandardInputSource(type="stdin"), source_id="key", batch_size=100
    )

    def load(frame: DataFrame, run_id: str, maximum: str = "50%") -> Any:
        limited = job.model_copy(update={"maximum_rejected": maximum})
        return load_dataframe(
            frame, limited, staging_settings, options=LoadOptions(run_id=run_id, reject_dir=tmp_path)
        ).run

    empty = load(spark.createDataFrame([], "key string"), "empty")
    assert (empty.status, empty.rows_attempted) == ("success", 0)
    mostly = spark.range(0, 300, numPartitions=3).select(F.when(F.col("id") < 10, F.col("id")).alias("key"))
    assert (load(mostly, "free", "97%").status, load(mostly, "free2", "97%").rows_rejected) == ("success", 290)
    share = load(mostly, "share")
    assert share.status == "partial"
    assert "at most 50% of the 300 records read to be rejected (maximum_rejected), found 290" in share.failure
    count = load(mostly, "count", "95")
    assert (count.status, count.batches_succeeded) == ("partial", 1)
    assert (
        "of the 100 records read to be rejected (maximum_rejected), found 100; the last of them: expected a"
        in count.failure
    )
    none = load(mostly.where("key IS NULL"), "none")
    assert (none.status, none.rows_rejected) == ("failed", 290)
    assert "to be rejected (maximum_rejected), found 290; the first reject: expected a source_id" in none.failure
