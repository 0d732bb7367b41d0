"""A table of plain Parquet or JSON files: what stands there, and how a frame is staged beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from etl.config.destinations.s3.load_config import S3Format
from etl.errors import ReconciliationError
from etl.load.executors import write_partitions
from etl.load.s3.door import spark_door
from etl.load.s3.files.formats import FileFormat, empty_parquet
from etl.load.s3.files.manifest import Manifest, read_manifest
from etl.load.s3.files.multipart import UploadFile
from etl.load.s3.files.partition import FileTask, files_of, write_files
from etl.load.s3.frames import column
from etl.load.s3.job import Job
from etl.load.s3.paths import file_name, partition_date_of, run_hash, run_of_file
from etl.load.s3.store import StagedFile, StoredObject, client_of
from etl.model import PARTITION_DATE, Destination
from etl.statements.spark_values import JSON_FORMATS, JSON_OPTIONS

_UNKNOWN = (-1, -1)
"""Size and rows of a file that another writer put there."""


@dataclass(frozen=True)
class FileTable:
    """The current files and what the manifest says of them. Made after `repair`: the listing is then the truth."""

    job: Job
    objects: list[StoredObject]
    manifest: Manifest | None

    @classmethod
    def find(cls, job: Job) -> FileTable:
        objects = [entry for entry in job.store.objects(job.path.prefix) if job.path.is_data(entry.key)]
        return cls(job, objects, read_manifest(job.store, job.path))

    @property
    def exists(self) -> bool:
        return bool(self.objects) or self.manifest is not None

    @cached_property
    def schema(self) -> StructType | None:
        """The manifest's; of files that this loader did not write, what Spark infers."""
        if self.manifest:
            return StructType.fromJson(_json(self.manifest.schema))
        return self._read([self.job.path.uri], None).schema if self.objects else None

    def rows(self, days: Iterable[date] | None = None) -> DataFrame:
        """What stands there, or stands on some days."""
        chosen = self.objects_on(days) if days is not None else self.objects
        if not chosen:
            return self.job.spark.createDataFrame([], self.schema or StructType())
        uris = [self.job.path.key_uri(entry.key) for entry in chosen] if days is not None else [self.job.path.uri]
        return self._read(uris, self.schema)

    def objects_on(self, days: Iterable[date]) -> list[StoredObject]:
        wanted = set(days)
        return [entry for entry in self.objects if partition_date_of(entry.key) in wanted]

    def count(self, objects: list[StoredObject]) -> int:
        """How many rows these files hold: from the manifest where it knows them all."""
        known = self.manifest.files if self.manifest else {}
        if all(known.get(entry.key, _UNKNOWN)[1] >= 0 for entry in objects):
            return sum(known[entry.key][1] for entry in objects)
        with spark_door("count the stored rows", self.job.table):
            return self._read([self.job.path.key_uri(entry.key) for entry in objects], self.schema).count()

    def known_files(self, objects: list[StoredObject]) -> dict[str, tuple[int, int]]:
        known = self.manifest.files if self.manifest else {}
        return {entry.key: known.get(entry.key, (entry.size, -1)) for entry in objects}

    def read_files(self, files: list[StagedFile], schema: StructType) -> DataFrame:
        return self._read([self.job.path.key_uri(file.key) for file in files], schema)

    def _read(self, uris: list[str], schema: StructType | None) -> DataFrame:
        reader = self.job.spark.read.option("basePath", self.job.path.uri)
        if schema is not None:
            reader = reader.schema(schema)
        if self.job.config.format is S3Format.JSON:
            return reader.options(**JSON_FORMATS).json(uris)
        return reader.parquet(*uris)


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
        job.store.abort((file.key, file.upload_id) for file in files)
        discard_uploads(job)
        raise
    discard_uploads(job, winners=files)
    return files


def discard_uploads(job: Job, winners: Iterable[StagedFile] = ()) -> None:
    """Aborts what this run staged here, except the winners: other attempts of retried or speculative tasks."""
    kept = {file.upload_id for file in winners}
    own = run_hash(job.run.run_id)
    pending = job.store.pending_uploads(job.path.prefix)
    job.store.abort((u.key, u.upload_id) for u in pending if run_of_file(u.key) == own and u.upload_id not in kept)


def _task(job: Job, frame: DataFrame) -> FileTask:
    stored = StructType([field for field in frame.schema.fields if field.name != PARTITION_DATE])
    return FileTask(
        address=job.address,
        prefix=job.path.prefix,
        run=run_hash(job.run.run_id),
        format=FileFormat(job.config.format, job.config.compression, stored.json()),
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
    upload = UploadFile(client_of(job.address), job.address.bucket, key)
    upload.write(empty_parquet(schema, task.format))
    return upload.stage(rows=0)


def _json(text: str) -> dict[str, object]:
    import orjson

    parsed: dict[str, object] = orjson.loads(text)
    return parsed
