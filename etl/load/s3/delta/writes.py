"""Writes to one Delta table. Each function makes exactly one commit, which carries the run's transaction and note."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType

from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.load.s3.compare import key_condition
from etl.load.s3.delta.transaction import Transaction
from etl.load.s3.door import spark_door
from etl.load.s3.frames import column
from etl.load.s3.job import Change, Job, Place
from etl.load.s3.widening import with_types
from etl.model import PARTITION_DATE
from etl.statements.quoting import spark_identifier

_LEAVES = "_etl_leaves"
"""Of a row of a merge's source: whether the stored one goes."""

CODEC = "spark.sql.parquet.compression.codec"
"""What a session writes with where nobody says: MERGE and OPTIMIZE take no option."""


def codec_of(config: S3TableLoadConfig) -> str:
    """The entry's compression in Spark's words."""
    return "uncompressed" if config.compression == "none" else config.compression


def append(job: Job, change: Change, mark: Transaction, *, evolve: bool) -> None:
    """Adds rows; creates the table where there is none."""
    writer = _writer(job, change, mark).mode("append")
    if evolve:
        writer = writer.option("mergeSchema", "true")
    with spark_door("append to the Delta table", job.table):
        writer.save(job.path.uri)


def overwrite(job: Job, change: Change, mark: Transaction) -> None:
    """Replaces all rows, and the schema with them."""
    with spark_door("overwrite the Delta table", job.table):
        _writer(job, change, mark).mode("overwrite").option("overwriteSchema", "true").save(job.path.uri)


def widen(place: Place, stored: DataFrame, types: Mapping[str, DataType]) -> None:
    """The same rows with wider types, as one commit of its own, which no run takes for its load."""
    frame = with_types(stored, types)
    if place.config.partition_by:
        frame = frame.hint("rebalance", PARTITION_DATE)
    writer = frame.write.format("delta").option("compression", codec_of(place.config))
    if place.config.partition_by:
        writer = writer.partitionBy(PARTITION_DATE)
    with spark_door("write the Delta table anew with wider types", place.table):
        writer.mode("overwrite").option("overwriteSchema", "true").save(place.path.uri)


def replace_days(job: Job, change: Change, days: Iterable[date], mark: Transaction, *, evolve: bool) -> None:
    """Replaces these days, each whole."""
    listed = ", ".join(f"DATE '{day.isoformat()}'" for day in sorted(days))
    writer = _writer(job, change, mark).mode("overwrite").option("replaceWhere", f"{PARTITION_DATE} IN ({listed})")
    if evolve:
        writer = writer.option("mergeSchema", "true")
    with spark_door("replace days of the Delta table", job.table):
        writer.save(job.path.uri)


def merge(job: Job, change: Change, old_days: frozenset[date], mark: Transaction, *, evolve: bool) -> None:
    """Updates, inserts and deletes by key. The change holds new and differing rows only, and those that leave;
    `old_days` are the days on which stored ones change: new keys stand nowhere, so no other day can match, and a moved
    row is found where it was.
    """
    session = _session_of_this_load(job, mark)
    condition = key_condition(job.config, "incoming", "stored")
    if old_days:
        condition = condition & column(PARTITION_DATE, "stored").isin(sorted(old_days))
    with spark_door("merge into the Delta table", job.table):
        table = DeltaTable.forPath(session, job.path.uri)
        merging = table.alias("stored").merge(_source(change).alias("incoming"), condition)
        if evolve:
            merging = merging.withSchemaEvolution()
        if change.leaving is None:
            merging.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()
            return
        # named one by one, or the flag would become a column of the table
        values: dict[str, str | Column] = {
            spark_identifier(name): column(name, "incoming") for name in change.frame.columns
        }
        merging = merging.whenMatchedDelete(column(_LEAVES, "incoming"))
        merging.whenMatchedUpdate(set=values).whenNotMatchedInsert(values=values).execute()


def _source(change: Change) -> DataFrame:
    frame: DataFrame = change.frame
    if change.leaving is None:
        return frame
    leaving: DataFrame = change.leaving
    known = [column(name) for name in frame.columns if name in leaving.columns]
    coming = frame.withColumn(_LEAVES, F.lit(False))
    return coming.unionByName(leaving.select(*known, F.lit(True).alias(_LEAVES)), allowMissingColumns=True)


def _session_of_this_load(job: Job, mark: Transaction) -> SparkSession:
    """MERGE takes transaction and note from the session's configuration, which other threads share: hence its own."""
    session = job.place.spark.newSession()
    for name, value in {
        "spark.databricks.delta.write.txnAppId": mark.application,
        "spark.databricks.delta.write.txnVersion": str(mark.version),
        "spark.databricks.delta.commitInfo.userMetadata": mark.note,
        CODEC: codec_of(job.config),
        # the source is persisted by the caller and compared before: it reads the same in both passes. Delta would
        # otherwise refuse it for being cached
        "spark.databricks.delta.merge.materializeSource": "none",
        "spark.databricks.delta.merge.failSourceCachedAfterMaterialization": "false",
        "spark.sql.shuffle.partitions": job.place.spark.conf.get("spark.sql.shuffle.partitions") or "2",
        "spark.sql.session.timeZone": "UTC",
    }.items():
        session.conf.set(name, value)
    return session


def _writer(job: Job, change: Change, mark: Transaction) -> DataFrameWriter:
    writer = (
        _spread(job, change.frame, change.rows or 0)
        .write.format("delta")
        .option("txnAppId", mark.application)
        .option("txnVersion", mark.version)
        .option("userMetadata", mark.note)
        .option("compression", codec_of(job.config))
    )
    return writer.partitionBy(PARTITION_DATE) if job.config.partition_by else writer


def _spread(job: Job, frame: DataFrame, rows: int) -> DataFrame:
    """Several days in several tasks would be a file a day and task. A day of its own that is too large is split."""
    run = job.run.settings.run
    tasks = max(1, min(run.writers, math.ceil(rows / run.rows_per_partition)))
    if tasks > 1 and job.config.partition_by and len(job.content.dates) > 1:
        return frame.hint("rebalance", PARTITION_DATE)
    return frame.coalesce(tasks)
