"""One commit into a Delta table, and the proof that it holds what was loaded."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import DataFrame

from etl.errors import ReconciliationError
from etl.load.s3.delta.log import Commit, commit_of_token
from etl.load.s3.delta.writes import Transaction
from etl.load.s3.files.manifest import write_manifest
from etl.load.s3.job import Change, Job
from etl.load.s3.verify import refuse_difference
from etl.model import Destination, LoadResult

Write = Callable[[Transaction], None]


def commit(job: Job, change: Change, write: Write, *, version: int, whole: bool) -> LoadResult:
    """Writes, then looks for the commit in the log. `whole`: the change's rows are all that stands then."""
    rows = change.rows
    write(Transaction.of(job, version, change.result))
    found = commit_of_token(job.place.store, job.path, job.token)
    if found is None or (rows is not None and _rows_written(found) != rows):
        seen = "no commit" if found is None else f"{_rows_written(found)} rows in it"
        raise ReconciliationError(
            f"expected a commit of {rows if rows is not None else 'the merged'} rows in {job.path.uri}, found {seen}; "
            "see the table's history, and load again under a new run",
            table=job.table,
            destination=Destination.S3,
        )
    finished = job.finished(change.result, found.bytes_written)
    if job.run.validate and found.added:
        _validate(job, found, change.frame, only_these=rows is not None)
    manifest = job.manifest(finished, job.frame.schema, whole=whole, files={}, version=found.version)
    write_manifest(job.place.store, job.path, manifest)
    return finished


def _validate(job: Job, found: Commit, frame: DataFrame, *, only_these: bool) -> None:
    """Reads the files that this commit added; after a merge they hold copies of other rows too."""
    added = (
        job.place.spark.read.schema(frame.schema)
        .option("basePath", job.path.uri)
        .parquet(*[job.path.key_uri(key) for key in found.added])
    )
    if not only_these:
        keys = frame.select(*job.config.key)
        conditions = [added[name].eqNullSafe(keys[name]) for name in job.config.key]
        added = added.join(keys, conditions, "left_semi")
    refuse_difference(job, frame, added, is_whole=frame is job.frame)


def _rows_written(found: Commit) -> int:
    return int(found.metrics.get("numOutputRows", 0))
