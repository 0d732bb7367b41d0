"""Loads a frame into a Delta table: decide what differs, then one commit, or none where nothing does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from etl.config.tables.modes import deletes_vanished
from etl.errors import ReconciliationError
from etl.load.s3.compare import (
    LARGE,
    NOTHING_STANDS,
    Extent,
    Standing,
    find_standing,
    on_days,
    refuse_differing,
    refuse_doubles,
    without_equal,
    without_standing,
)
from etl.load.s3.delta import writes as delta_table
from etl.load.s3.delta.log import Commit, TableSize, commit_of_token, commits_of_run, size_of_version, versions
from etl.load.s3.delta.writes import Transaction
from etl.load.s3.door import spark_door
from etl.load.s3.files.manifest import read_manifest, write_manifest
from etl.load.s3.job import Job
from etl.load.s3.modes.days import digests_by_day
from etl.load.s3.modes.moved import NONE_LEFT, LeftDays, find_left_days
from etl.load.s3.verify import refuse_difference
from etl.model import ConflictResolution, Destination, LoadResult, WriteMode


@dataclass(frozen=True)
class StoredDelta:
    """What stands: None for a table that is not there yet. `evolve`: the frame has columns it lacks, or lacks some."""

    rows: DataFrame | None
    evolve: bool = False
    size: TableSize | None = None

    @property
    def schema(self) -> StructType | None:
        return self.rows.schema if self.rows is not None else None


Write = Callable[[Transaction], None]


def load_delta(job: Job, stored: StoredDelta) -> LoadResult:
    log = versions(job.store, job.path) if stored.rows is not None else {}
    earlier = commits_of_run(job.store, job.path, job.run.run_id, log)
    if log:
        stored = replace(stored, size=size_of_version(job.store, job.path, max(log)))
    if deletes_vanished(job.config):
        return _overwrite(job, stored, earlier)
    if job.config.mode is WriteMode.APPEND or job.config.mode is WriteMode.MERGE:
        return _add(job, stored, earlier)
    if job.config.mode is WriteMode.OVERWRITE_PARTITIONS:
        return _overwrite_partitions(job, stored, earlier)
    return _overwrite(job, stored, earlier)


def _add(job: Job, stored: StoredDelta, earlier: list[Commit]) -> LoadResult:
    """Append and merge: without a stored row that differs they are the same."""
    rows = job.content.rows
    if not job.config.key and any(commit.digest == job.content.digest for commit in earlier):
        return job.result(unchanged=rows)
    standing = _standing(job, stored)
    with spark_door("compare with the stored rows", job.table):
        refuse_doubles(standing, rows, job.config)
        refuse_differing(standing, job.config)
    updates = standing.differing and job.config.conflict_resolution is ConflictResolution.UPDATE
    if updates:
        return _merge(job, stored, standing, earlier)
    return _append(job, stored, standing, earlier)


def _append(job: Job, stored: StoredDelta, standing: Standing, earlier: list[Commit]) -> LoadResult:
    new_rows = job.content.rows - standing.matched
    result = job.result(inserted=new_rows, unchanged=standing.equal, skipped=standing.differing)
    if not new_rows and stored.rows is not None:
        return result
    frame = without_standing(job.frame, standing, job.config)

    def write(mark: Transaction) -> None:
        delta_table.append(job, frame, new_rows, mark, evolve=stored.evolve)

    return _commit(job, write, result, frame, new_rows, earlier, whole=stored.rows is None)


def _merge(job: Job, stored: StoredDelta, standing: Standing, earlier: list[Commit]) -> LoadResult:
    source = without_equal(job.frame, standing, job.config)
    result = job.result(
        inserted=job.content.rows - standing.matched, updated=standing.differing, unchanged=standing.equal
    )

    def write(mark: Transaction) -> None:
        delta_table.merge(job, source, standing.dates_of_differing, mark, evolve=stored.evolve)

    return _commit(job, write, result, source, None, earlier, whole=False)


def _overwrite(job: Job, stored: StoredDelta, earlier: list[Commit]) -> LoadResult:
    rows = job.content.rows
    if stored.rows is not None and not stored.evolve and _stands_whole(job):
        return job.result(unchanged=rows)
    with spark_door("count the stored rows", job.table):
        stored_rows = stored.rows.count() if stored.rows is not None else 0
    standing = _standing(job, stored) if stored_rows else NOTHING_STANDS
    if stored.rows is not None and not stored.evolve and standing.equal == rows == stored_rows:
        return job.result(unchanged=rows)
    matched = min(standing.matched, rows)
    equal = min(standing.equal, matched)
    job.refuse_too_many_vanished(stored_rows, matched)
    result = job.result(
        inserted=rows - matched, updated=matched - equal, unchanged=equal, deleted=max(stored_rows - matched, 0)
    )

    def write(mark: Transaction) -> None:
        delta_table.overwrite(job, job.frame, rows, mark)

    return _commit(job, write, result, job.frame, rows, earlier, whole=True)


def _overwrite_partitions(job: Job, stored: StoredDelta, earlier: list[Commit]) -> LoadResult:
    """The frame's own days, each whole, of these only the ones whose rows differ, and the days that rows have left."""
    with spark_door("compare the days", job.table):
        incoming = digests_by_day(job.frame)
        standing_days = digests_by_day(on_days(stored.rows, incoming)) if stored.rows is not None and incoming else {}
    changed = {day for day, content in incoming.items() if standing_days.get(day) != content}
    kept_rows = sum(content.rows for day, content in incoming.items() if day not in changed)
    if not changed and stored.rows is not None:
        return job.result(unchanged=kept_rows)
    frame = on_days(job.frame, changed) if kept_rows else job.frame
    rows = job.content.rows - kept_rows
    stored_rows = sum(content.rows for day, content in standing_days.items() if day in changed)
    standing = _standing_on(job, stored, frame, changed) if stored_rows else NOTHING_STANDS
    matched, equal = standing.matched, standing.equal
    left = _left_days(job, stored, frame, set(incoming)) if matched < rows else NONE_LEFT
    result = job.result(
        inserted=rows - matched - left.moved, updated=matched - equal + left.moved, unchanged=equal + kept_rows,
        deleted=max(stored_rows - matched, 0),
    )  # fmt: skip
    frame, written = left.joined(frame), rows + left.rest_rows

    def write(mark: Transaction) -> None:
        if stored.rows is None:
            delta_table.append(job, frame, written, mark, evolve=False)
        else:
            delta_table.replace_days(job, frame, written, changed | left.days, mark, evolve=stored.evolve)

    return _commit(job, write, result, frame, written, earlier, whole=stored.rows is None)


def _standing_on(job: Job, stored: StoredDelta, frame: DataFrame, days: set[date]) -> Standing:
    if stored.rows is None or not job.config.key:
        return NOTHING_STANDS
    with spark_door("compare with the stored rows", job.table):
        there = on_days(stored.rows, days)
        return find_standing(frame, there, job.config, frozenset(days), _extent(job, stored))


def _left_days(job: Job, stored: StoredDelta, frame: DataFrame, loaded_days: set[date]) -> LeftDays:
    if stored.rows is None:
        return NONE_LEFT
    with spark_door("look for rows whose day changed", job.table):
        return find_left_days(frame, stored.rows, job.config, loaded_days)


def _commit(
    job: Job, write: Write, result: LoadResult, frame: DataFrame, rows: int | None, earlier: list[Commit], *,
    whole: bool,
) -> LoadResult:  # fmt: skip
    """Writes, then looks for the commit in the log: Delta passes over a transaction it knows without a word."""
    version = max((commit.transaction or 0 for commit in earlier), default=0) + 1
    write(Transaction.of(job, version, result))
    commit = commit_of_token(job.store, job.path, job.token)
    if commit is None or (rows is not None and _rows_written(commit) != rows):
        found = "no commit" if commit is None else f"{_rows_written(commit)} rows in it"
        raise ReconciliationError(
            f"expected a commit of {rows if rows is not None else 'the merged'} rows in {job.path.uri}, found {found}; "
            "see the table's history, and load again under a new run",
            table=job.table,
            destination=Destination.S3,
        )
    finished = replace(result, bytes_written=commit.bytes_written)
    if job.run.validate and commit.added:
        _validate(job, commit, frame, only_these=rows is not None)
    manifest = job.manifest(finished, job.frame.schema, whole=whole, files={})
    write_manifest(job.store, job.path, replace(manifest, version=commit.version))
    return finished


def _validate(job: Job, commit: Commit, frame: DataFrame, *, only_these: bool) -> None:
    """Reads the files that this commit added; after a merge they hold copies of other rows too."""
    added = (
        job.spark.read.schema(frame.schema)
        .option("basePath", job.path.uri)
        .parquet(*[job.path.key_uri(key) for key in commit.added])
    )
    if not only_these:
        keys = frame.select(*job.config.key)
        conditions = [added[name].eqNullSafe(keys[name]) for name in job.config.key]
        added = added.join(keys, conditions, "left_semi")
    refuse_difference(job, frame, added, is_whole=frame is job.frame)


def _rows_written(commit: Commit) -> int:
    return int(commit.metrics.get("numOutputRows", 0))


def _standing(job: Job, stored: StoredDelta) -> Standing:
    if stored.rows is None or not job.config.key or not job.content.rows:
        return NOTHING_STANDS
    with spark_door("compare with the stored rows", job.table):
        return find_standing(job.frame, stored.rows, job.config, job.content.dates, _extent(job, stored))


def _extent(job: Job, stored: StoredDelta) -> Extent:
    return Extent(job.content.rows, stored.size.files, stored.size.bytes) if stored.size else LARGE


def _stands_whole(job: Job) -> bool:
    """Whether the table's latest commit is one that left exactly these rows."""
    manifest = read_manifest(job.store, job.path)
    if manifest is None or not manifest.is_whole or manifest.digest != job.content.digest:
        return False
    return next(iter(versions(job.store, job.path)), None) == manifest.version
