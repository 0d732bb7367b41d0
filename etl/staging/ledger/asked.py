"""What a load, a retry or a cancel that is asked for does to the ledger, or why it is refused. Each has the job locked,
so that nothing begins meanwhile, and answers how its request stands then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson
from psycopg2.extensions import cursor as Cursor

from etl.config.staging.models import FILE_TYPES, StagingJob
from etl.staging.ledger.batch_log import as_json
from etl.staging.ledger.cancelling import cancel_locked
from etl.staging.ledger.parameters import parameters_of
from etl.staging.ledger.queries import statement
from etl.staging.ledger.refusals import (
    JobIsRunningError,
    NothingToRetryError,
    OvertakenError,
    RunHasEndedError,
    RunIdTakenError,
    RunIsRunningError,
)

_SHOWN_INDEXES = 20


@dataclass(frozen=True)
class Asked:
    """`key`: of one wish, however often it is sent. `by`: who; `origin`: from where, as an address."""

    action: str
    run_id: str
    parameters: dict[str, Any]
    key: str
    by: str
    origin: str | None

    @property
    def hash(self) -> str:
        told = [self.action, self.run_id, self.parameters, self.by]
        return sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


def queue_load(cursor: Cursor, job: StagingJob, asked: Asked) -> str:
    cursor.execute(statement("run_as_asked_for"), {"run_id": asked.run_id})
    if cursor.fetchone():
        raise RunIdTakenError(f"run {asked.run_id} is in the ledger already; choose another run id")
    if not asked.parameters["force"]:
        _refuse_beside(cursor, job.id, _waiting_runs(cursor, job.id))
    described = {"job_id": job.id, "target_table": job.target_table}
    cursor.execute(statement("register_job"), {**described, "description": job.description})
    cursor.execute(
        statement("queue_run"),
        {
            **described,
            "run_id": asked.run_id,
            "batch_size": job.batch_size,
            "workers": job.workers,
            "parameters": as_json(parameters_of(job)),
            "requested_by": asked.by,
        },
    )
    return "queued"


def _waiting_runs(cursor: Cursor, job_id: str) -> list[str]:
    """In the order of the queue."""
    cursor.execute(statement("open_requests_of_job"), {"job_id": job_id})
    return [row[0] for row in cursor.fetchall()]


def _refuse_beside(cursor: Cursor, job_id: str, waiting: Sequence[str]) -> None:
    """Another run of the job is under way, or something waits."""
    cursor.execute(statement("live_runs"), {"job_id": job_id, "with_queued": True})
    if live := cursor.fetchone():
        raise JobIsRunningError(f"run {live[0]} of job {job_id} is {'queued' if live[1] else 'under way'}")
    if waiting:
        raise JobIsRunningError(f"a retry of run {waiting[0]} of job {job_id} is queued")


def queue_retry(cursor: Cursor, job_id: str, asked: Asked) -> str:
    run_id = asked.run_id
    cursor.execute(statement("run_as_asked_for"), {"run_id": run_id})
    ((_, status, has_read_all, _, source_type),) = cursor.fetchall()
    waiting = _waiting_runs(cursor, job_id)
    if status in ("pending", "running") or run_id in waiting:
        raise RunIsRunningError(f"run {run_id} is {'under way' if status == 'running' else 'queued'}")
    _refuse_beside(cursor, job_id, waiting)
    cursor.execute(statement("newer_run"), {"run_id": run_id})
    if newer := cursor.fetchone():
        raise OvertakenError(f"run {newer[0]} of the same job has stored newer records since; load the source again")
    can_be_read_on = not has_read_all and (source_type is None or source_type in FILE_TYPES)
    _refuse_nothing(cursor, asked, can_be_read_on)
    return "queued"


def _refuse_nothing(cursor: Cursor, asked: Asked, can_be_read_on: bool) -> None:
    run_id, wanted = asked.run_id, asked.parameters["batch_indexes"]
    cursor.execute(statement("batches_left"), {"run_id": run_id, "batch_indexes": wanted})
    left: dict[int, bool] = dict(cursor.fetchall())
    if missing := sorted(set(wanted or ()) - set(left)):
        raise NothingToRetryError(f"run {run_id} has no batch to retry with index {_listed(missing)}")
    if not left and (wanted is not None or not can_be_read_on):
        raise NothingToRetryError(f"all that was read of run {run_id} is stored")
    if left and all(left.values()) and not asked.parameters["includes_permanent"] and (wanted or not can_be_read_on):
        raise NothingToRetryError(
            f"the errors of all {len(left):,} batches that run {run_id} left are permanent: mend what they say, "
            "and retry with them included"
        )


def _listed(indexes: Sequence[int]) -> str:
    more = len(indexes) - _SHOWN_INDEXES
    return ", ".join(map(str, indexes[:_SHOWN_INDEXES])) + (f" and {more:,} more" if more > 0 else "")


def cancel(cursor: Cursor, asked: Asked) -> str:
    if not cancel_locked(cursor, asked.run_id, asked.by):
        raise RunHasEndedError(f"run {asked.run_id} has ended: there is nothing to cancel")
    return "done"
