"""One commit into a Delta table, and the proof that it holds what was loaded."""

from __future__ import annotations

from collections.abc import Callable

from etl.errors import ReconciliationError
from etl.load.s3.delta.log import Commit, commit_of_token
from etl.load.s3.delta.transaction import Transaction
from etl.load.s3.files.manifest import write_manifest
from etl.load.s3.job import Change, Job
from etl.model import Destination, LoadResult

Write = Callable[[Transaction], None]
Validate = Callable[[Commit], None]


def commit(
    job: Job, change: Change, write: Write, validate: Validate, *, version: int, rows: int | None, whole: bool
) -> LoadResult:
    """Writes, looks for the commit in the log, and for its rows in the store. `rows` is how many it must have written,
    where that can be told; `whole`: the change's rows are all that stands then."""
    write(Transaction.of(job, version, change.result))
    found = commit_of_token(job.place.store, job.path, job.token)
    if found is None or (rows is not None and found.rows_written != rows):
        seen = "no commit" if found is None else f"{found.rows_written} rows in it"
        raise ReconciliationError(
            f"expected a commit of {rows if rows is not None else 'the merged'} rows in {job.path.uri}, found {seen}; "
            "see the table's history, and load again under a new run",
            table=job.table,
            destination=Destination.S3,
        )
    finished = job.finished(change.result, found.bytes_written)
    if job.run.validate and found.added:
        validate(found)
    manifest = job.manifest(finished, job.schema, whole=whole, files={}, version=found.version)
    write_manifest(job.place.store, job.path, manifest)
    return finished
