"""What dead runs left under a table: half-done exchanges and uploads that nobody will complete."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from etl.load.s3.files.exchange import repair
from etl.load.s3.paths import TablePath, run_hash, run_of_file
from etl.s3.store import ObjectStore, PendingUpload

_FOREIGN_UPLOAD_AGE = timedelta(days=1)
"""Spark's own uploads (Delta) carry no run; a day-old one belongs to no task that still works."""


def remove_dead_staging(store: ObjectStore, path: TablePath, live_runs: frozenset[str]) -> list[str]:
    """Returns the keys of what was dropped; what live runs have staged is left alone."""
    live = frozenset(run_hash(run_id) for run_id in live_runs)
    dropped = repair(store, path, live)
    dead = [upload for upload in store.pending_uploads(path.prefix) if _is_dead(upload, live)]
    store.abort((upload.key, upload.upload_id) for upload in dead)
    return dropped + [upload.key for upload in dead]


def _is_dead(upload: PendingUpload, live: frozenset[str]) -> bool:
    run = run_of_file(upload.key)
    if run is None:
        return datetime.now(UTC) - upload.started > _FOREIGN_UPLOAD_AGE
    return run not in live
