"""A frame on its way into plain files: uploaded by executors, and not yet seen by any reader."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from etl.config.destinations.s3.load_config import S3Format
from etl.errors import ReconciliationError
from etl.load.executors import write_partitions
from etl.load.s3.door import spark_door
from etl.load.s3.files.formats import empty_parquet, file_format
from etl.load.s3.files.multipart import UploadFile
from etl.load.s3.files.partition import FileTask, files_of, write_files
from etl.load.s3.frames import column
from etl.load.s3.job import Job
from etl.load.s3.paths import file_name, run_hash, run_of_file
from etl.model import PARTITION_DATE, Destination
from etl.s3.store import StagedFile, client_of
from etl.statements.spark_values import JSON_OPTIONS


def stage(job: Job, frame: DataFrame, rows: int) -> list[StagedFile]:
    """Uploads the frame's files without completing them; `rows` is what must have arrived."""
    task = _task(job, frame)
    files: list[StagedFile] = []
    try:
        with spark_door("write files", job.table):
            receipts = write_partitions(_few_partitions(job, _as_written(job, frame), rows), write_files, task)
        files = [file for receipt in receipts for file in files_of(receipt)]
        arrived = sum(file.rows for file in files)
        if arrived != rows:
            raise ReconciliationError(
                f"expected {rows} rows in the staged files, found {arrived}; nothing was published: is the frame "
                "computed from something that changes between two readings?",
                table=job.table,
                destination=Destination.S3,
            )
        if not files and not job.config.partition_by and job.config.format is S3Format.PARQUET:
            files = [_stage_empty(job, frame, task)]
    except BaseException:
        job.place.store.abort((file.key, file.upload_id) for file in files)
        discard_uploads(job)
        raise
    discard_uploads(job, winners=files)
    return files


def discard_uploads(job: Job, winners: Iterable[StagedFile] = ()) -> None:
    """Aborts what this run staged here, except the winners: other attempts of retried or speculative tasks."""
    store, kept, own = job.place.store, {file.upload_id for file in winners}, run_hash(job.run.run_id)
    pending = [each for each in store.pending_uploads(job.path.prefix) if run_of_file(each.key) == own]
    store.abort((each.key, each.upload_id) for each in pending if each.upload_id not in kept)


def _task(job: Job, frame: DataFrame) -> FileTask:
    return FileTask(
        address=job.place.address,
        prefix=job.path.prefix,
        run=run_hash(job.run.run_id),
        format=file_format(job.config, frame.schema),
        partitioned=bool(job.config.partition_by),
        target_file_bytes=job.config.target_file_size_mb * 1024 * 1024,
    )


def _as_written(job: Job, frame: DataFrame) -> DataFrame:
    if job.config.format is not S3Format.JSON:
        return frame
    names = [name for name in frame.columns if name != PARTITION_DATE]
    line = F.to_json(F.struct(*[column(name) for name in names]), JSON_OPTIONS).alias("value")
    return frame.select(line, *[column(name) for name in frame.columns if name == PARTITION_DATE])


def _few_partitions(job: Job, frame: DataFrame, rows: int) -> DataFrame:
    """No shuffle: a task splits its rows by day itself, so there are at most `writers` small files a day."""
    run = job.run.settings.run
    return frame.coalesce(max(1, min(run.writers, math.ceil(rows / run.rows_per_partition))))


def _stage_empty(job: Job, frame: DataFrame, task: FileTask) -> StagedFile:
    with spark_door("derive the Arrow schema", job.table):
        schema = frame.limit(0).toArrow().schema
    key = job.path.prefix + file_name(0, task.run, 0, 0, task.format.extension)
    upload = UploadFile(client_of(job.place.address), job.place.address.bucket, key)
    upload.write(empty_parquet(schema, task.format))
    return upload.stage(rows=0)
