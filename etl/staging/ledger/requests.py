"""What is asked for: a load, a retry, a cancel. Each is one transaction, and the same again where its key comes again.

Loads and retries are queued, and `etl staging worker` begins them; a cancel is done at once. What is refused is kept as
well: the table is the audit of who asked for what.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from etl.config.staging.models import StagingJob
from etl.errors import UsageError
from etl.staging.database.database import StagingDatabase
from etl.staging.ledger.asked import Asked, cancel, queue_load, queue_retry
from etl.staging.ledger.batch_log import as_json
from etl.staging.ledger.ending import WORKER_GRACE_SECONDS, bury_dead_runs
from etl.staging.ledger.queries import statement
from etl.staging.ledger.refusals import (
    REFUSALS,
    KeyReusedError,
    RequestError,
    UnknownRunError,
)
from etl.staging.ledger.run_ids import checked_run_id
from etl.staging.ledger.values import Request, Waiting, of_row


@dataclass(frozen=True)
class Requested:
    """`is_replay`: this key had asked for just this before; nothing was done again."""

    etl_run_id: str
    request_id: int
    is_replay: bool = False


Decide = Callable[[Cursor, str], str]
"""Does what is asked for, of a job, and says how the request stands then; or raises why not, with nothing done."""


class Requests:
    """Safe to use from several processes at once. What is refused is a RequestError with a code."""

    def __init__(self, database: StagingDatabase) -> None:
        self._database = database

    def request_load(
        self,
        job: StagingJob,
        run_id: str,
        batch_size: int | None,
        force: bool,
        key: str,
        by: str,
        origin: str | None = None,
    ) -> Requested:
        """Queues a run of the job; `force`: although another is queued or under way. Without `batch_size` the job's."""
        job = job.model_copy(update={"batch_size": batch_size}) if batch_size else job
        asked = _asked_load(run_id, job.batch_size, force, key, by, origin)
        return self._ask(asked, lambda cursor, _: queue_load(cursor, job, asked), job.id)

    def refuse_load(
        self,
        job_id: str,
        refusal: RequestError,
        run_id: str,
        batch_size: int | None,
        force: bool,
        key: str,
        by: str,
        origin: str | None = None,
    ) -> None:
        """Of a job that no worker can load. Kept as what the ledger itself refuses is; raises `refusal`."""

        def decide(_cursor: Cursor, _job_id: str) -> str:
            raise refusal

        self._ask(_asked_load(run_id, batch_size, force, key, by, origin), decide, job_id)

    def request_retry(
        self,
        run_id: str,
        batch_indexes: Sequence[int] | None,
        includes_permanent: bool,
        key: str,
        by: str,
        origin: str | None = None,
    ) -> Requested:
        """Queues what the run left, or these batches of it; those whose error time will not mend only if said so."""
        indexes = None if batch_indexes is None else sorted(set(batch_indexes))
        parameters = {"batch_indexes": indexes, "includes_permanent": includes_permanent}
        asked = Asked("retry", run_id, parameters, key, by, origin)
        return self._ask(asked, lambda cursor, job_id: queue_retry(cursor, job_id, asked))

    def request_cancel(self, run_id: str, key: str, by: str, origin: str | None = None) -> Requested:
        """Ends what is queued at once; a run under way ends after the batches that are being stored."""
        asked = Asked("cancel", run_id, {}, key, by, origin)
        return self._ask(asked, lambda cursor, _: cancel(cursor, asked))

    def get(self, request_id: int) -> Request:
        with self._database.rows("read request") as cursor:
            cursor.execute(statement("get_request"), {"request_id": request_id})
            row = cursor.fetchone()
        if row is None:
            raise UsageError(f"expected request {request_id} in the ledger, found none")
        return of_row(Request, row)

    def waiting(self, limit: int = 20) -> list[Waiting]:
        """The first of what is queued; nothing where this user may not see it."""
        with self._database.transaction("look for the queue") as cursor:
            cursor.execute(statement("may_see_requests"))
            ((may_see,),) = cursor.fetchall()
        if not may_see:
            return []
        with self._database.rows("read queue") as cursor:
            cursor.execute(statement("waiting_requests"), {"grace_seconds": WORKER_GRACE_SECONDS, "limit": limit})
            return [of_row(Waiting, row) for row in cursor.fetchall()]

    def _ask(self, asked: Asked, decide: Decide, job_id: str | None = None) -> Requested:
        with self._database.transaction(f"request {asked.action}") as cursor:
            cursor.execute(statement("lock_request_key"), {"key": asked.key})
            answer = _earlier(cursor, asked) or _decided(cursor, asked, decide, job_id)
        # raised here, so that what is refused is kept
        if isinstance(answer, RequestError):
            raise answer
        return answer


def _earlier(cursor: Cursor, asked: Asked) -> Requested | RequestError | None:
    """The answer that this key got before. What a worker refuses later is none of it: the request had been taken."""
    cursor.execute(statement("request_of_key"), {"key": asked.key})
    row = cursor.fetchone()
    if row is None:
        return None
    request_id, run_id, found_hash, code, refusal = row
    if found_hash != asked.hash:
        raise KeyReusedError(
            f"this idempotency key was that of another request (of run {run_id}); send a key of its own with each"
        )
    return REFUSALS[code](refusal) if code else Requested(run_id, request_id, is_replay=True)


def _decided(cursor: Cursor, asked: Asked, decide: Decide, job_id: str | None) -> Requested | RequestError:
    job_id = job_id or _job_of(cursor, asked.run_id)
    cursor.execute(statement("lock_job"), {"job_id": job_id})
    bury_dead_runs(cursor)
    refusal, status = None, "refused"
    try:
        status = decide(cursor, job_id)
    except RequestError as error:
        refusal = error
    cursor.execute(
        statement("add_request"),
        {
            "run_id": asked.run_id,
            "job_id": job_id,
            "action": asked.action,
            "parameters": as_json(asked.parameters),
            "key": asked.key,
            "request_hash": asked.hash,
            "requested_by": asked.by,
            "requested_from": asked.origin,
            "status": status,
            "refusal_code": refusal.code if refusal else None,
            "refusal": refusal.message if refusal else None,
        },
    )
    ((request_id,),) = cursor.fetchall()
    return refusal or Requested(asked.run_id, request_id)


def _job_of(cursor: Cursor, run_id: str) -> str:
    cursor.execute(statement("run_as_asked_for"), {"run_id": run_id})
    row = cursor.fetchone()
    if row is None:
        raise UnknownRunError(f"expected run {run_id!r} in the ledger, found none")
    return str(row[0])


def _asked_load(run_id: str, batch_size: int | None, force: bool, key: str, by: str, origin: str | None) -> Asked:
    return Asked("load", checked_run_id(run_id), {"batch_size": batch_size, "force": force}, key, by, origin)
