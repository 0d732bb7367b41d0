"""Loads a frame into a table of Parquet or JSON files: decide what differs, stage it, exchange the files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from etl.config.tables.modes import deletes_vanished
from etl.load.s3.compare import NOTHING_STANDS, Standing, find_standing, on_days, refuse_differing, without_standing
from etl.load.s3.door import spark_door
from etl.load.s3.files.exchange import Publication
from etl.load.s3.files.manifest import read_load, write_manifest
from etl.load.s3.files.table import FileTable, stage
from etl.load.s3.job import Job
from etl.load.s3.modes.days import digests_by_day
from etl.load.s3.modes.moved import NONE_LEFT, LeftDays, find_left_days
from etl.load.s3.store import StagedFile, StoredObject
from etl.load.s3.verify import refuse_difference
from etl.model import PARTITION_DATE, ConflictResolution, LoadResult, WriteMode


def load_files(job: Job, table: FileTable) -> LoadResult:
    """`ignore` and `error` write a target that is not there as `overwrite` does."""
    if job.config.mode is WriteMode.APPEND:
        return _append(job, table)
    if job.config.mode is WriteMode.OVERWRITE_PARTITIONS and not deletes_vanished(job.config):
        return _overwrite_partitions(job, table)
    return _overwrite(job, table)


def _overwrite(job: Job, table: FileTable) -> LoadResult:
    rows = job.content.rows
    same_schema = table.schema is not None and _same_columns(table.schema, job.frame.schema)
    manifest = table.manifest
    is_same = manifest and same_schema and manifest.is_whole and manifest.digest == job.content.digest
    if manifest and is_same and manifest.lists(table.objects):
        return job.result(unchanged=rows)
    stored_rows = table.count(table.objects)
    standing = _standing(job, table, stored_rows)
    if standing.equal == rows == stored_rows and same_schema and table.exists:
        return job.result(unchanged=rows)
    matched = min(standing.matched, rows)
    equal = min(standing.equal, matched)
    job.refuse_too_many_vanished(stored_rows, matched)
    files = stage(job, job.frame, rows)
    result = job.result(
        inserted=rows - matched, updated=matched - equal, unchanged=equal,
        deleted=max(stored_rows - matched, 0), bytes_written=_bytes(files),
    )  # fmt: skip
    return _publish(job, table, files, job.frame, result, replaced=table.objects, schema=job.frame.schema)


def _append(job: Job, table: FileTable) -> LoadResult:
    if not job.config.key and _has_appended_this(job):
        return job.result(unchanged=job.content.rows)
    standing = _standing(job, table, stored_rows=len(table.objects))
    with spark_door("compare with the stored rows", job.table):
        refuse_differing(standing, job.config)
    new_rows = job.content.rows - standing.matched
    skipped = standing.differing if job.config.conflict_resolution is ConflictResolution.SKIP else 0
    if not new_rows and table.exists:
        return job.result(unchanged=standing.equal, skipped=skipped)
    frame = without_standing(job.frame, standing, job.config)
    files = stage(job, frame, new_rows)
    result = job.result(inserted=new_rows, unchanged=standing.equal, skipped=skipped, bytes_written=_bytes(files))
    return _publish(job, table, files, frame, result, replaced=[], schema=_united(table.schema, job.frame.schema))


def _overwrite_partitions(job: Job, table: FileTable) -> LoadResult:
    """The frame's own days, each whole, of these only the ones whose rows differ, and the days that rows have left."""
    with spark_door("compare the days", job.table):
        incoming = digests_by_day(job.frame)
        stored = digests_by_day(table.rows(incoming)) if table.exists and table.objects_on(incoming) else {}
    changed = {day for day, content in incoming.items() if stored.get(day) != content}
    kept_rows = sum(content.rows for day, content in incoming.items() if day not in changed)
    if not changed and table.exists:
        return job.result(unchanged=kept_rows)
    frame = on_days(job.frame, changed) if kept_rows else job.frame
    rows, stored_rows = job.content.rows - kept_rows, sum(stored[day].rows for day in changed if day in stored)
    matched, equal = _matches_on(job, table, frame, changed) if stored_rows else (0, 0)
    left = _left_days(job, table, frame, set(incoming)) if matched < rows else NONE_LEFT
    frame = left.joined(frame)
    files = stage(job, frame, rows + left.rest_rows)
    result = job.result(
        inserted=rows - matched - left.moved, updated=matched - equal + left.moved, unchanged=equal + kept_rows,
        deleted=max(stored_rows - matched, 0), bytes_written=_bytes(files),
    )  # fmt: skip
    schema = _united(table.schema, job.frame.schema)
    replaced = table.objects_on(changed | left.days)
    return _publish(job, table, files, frame, result, replaced=replaced, schema=schema)


def _publish(
    job: Job, table: FileTable, files: list[StagedFile], frame: DataFrame, result: LoadResult, *,
    replaced: Sequence[StoredObject], schema: StructType,
) -> LoadResult:  # fmt: skip
    """Old and new stand side by side only from here to `settle`."""
    gone = {entry.key for entry in replaced}
    kept = table.known_files([entry for entry in table.objects if entry.key not in gone])
    current = kept | {file.key: (file.bytes, file.rows) for file in files}
    manifest = job.manifest(result, schema, whole=not kept, files=current)
    if not files and not gone:
        write_manifest(job.store, job.path, manifest)
        return result
    publication = Publication(job.store, job.path, job.token, job.run.run_id)
    try:
        publication.show(files, [entry.key for entry in replaced])
        if job.run.validate and files:
            refuse_difference(job, frame, table.read_files(files, frame.schema), is_whole=frame is job.frame)
    except BaseException:
        publication.withdraw()
        raise
    publication.settle(manifest)
    return result


def _standing(job: Job, table: FileTable, stored_rows: int) -> Standing:
    if not (job.config.key and stored_rows and job.content.rows):
        return NOTHING_STANDS
    with spark_door("compare with the stored rows", job.table):
        return find_standing(job.frame, table.rows(), job.config, job.content.dates)


def _matches_on(job: Job, table: FileTable, frame: DataFrame, days: set[date]) -> tuple[int, int]:
    """How many rows of these days stand there by key, and how many of them equal."""
    if not job.config.key:
        return 0, 0
    with spark_door("compare with the stored rows", job.table):
        standing = find_standing(frame, table.rows(days), job.config, frozenset(days))
    return standing.matched, standing.equal


def _left_days(job: Job, table: FileTable, frame: DataFrame, loaded_days: set[date]) -> LeftDays:
    if not table.objects:
        return NONE_LEFT
    with spark_door("look for rows whose day changed", job.table):
        return find_left_days(frame, table.rows(), job.config, loaded_days)


def _has_appended_this(job: Job) -> bool:
    """Without a key only the run can tell: it has appended these very rows already."""
    earlier = read_load(job.store, job.path, job.run.run_id)
    return earlier is not None and earlier.digest == job.content.digest


def _same_columns(one: StructType, other: StructType) -> bool:
    return [(f.name, f.dataType.simpleString()) for f in one] == [(f.name, f.dataType.simpleString()) for f in other]


def _united(stored: StructType | None, incoming: StructType) -> StructType:
    """The stored columns first, then what is new; `partition_date` stays last."""
    if stored is None:
        return incoming
    fields = {field.name: field for field in [*stored.fields, *incoming.fields]}
    return StructType(sorted(fields.values(), key=lambda field: field.name == PARTITION_DATE))


def _bytes(files: list[StagedFile]) -> int:
    return sum(file.bytes for file in files)
