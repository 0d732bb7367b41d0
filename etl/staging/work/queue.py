"""A worker's side of the queue: what it claims, what became of it, and what dead workers and runs left behind."""

from __future__ import annotations

from uuid import UUID

from etl.config.staging.models import FILE_TYPES
from etl.staging.database.database import StagingDatabase
from etl.staging.ledger.ending import WORKER_GRACE_SECONDS, bury_dead_runs, end_run, this_process
from etl.staging.ledger.queries import statement
from etl.staging.ledger.values import Request, of_row

FORGET_SECONDS = 7 * 24 * 3600.0
_SETBACKS = {"first_wait_seconds": 5.0, "longest_wait_seconds": 60.0, "most_setbacks": 30}
"""Half an hour in all."""


class Queue:
    """Any number of workers, on any machines, share it: a request is claimed by one, and begun once."""

    def __init__(self, database: StagingDatabase, worker_id: UUID, maximum_loads: int) -> None:
        self._database = database
        self._worker = {"worker_id": str(worker_id), "maximum_loads": maximum_loads, **this_process()}

    def beat(self, loads: int) -> None:
        with self._database.transaction("worker's heartbeat", is_durable=False) as cursor:
            cursor.execute(statement("beat_worker"), {**self._worker, "loads": loads})

    def stop(self, loads: int) -> None:
        """Loads that have begun go on."""
        with self._database.transaction("end of worker") as cursor:
            cursor.execute(statement("stop_worker"), {**self._worker, "loads": loads})

    def claim(self, limit: int) -> list[Request]:
        with self._database.rows("claim requests") as cursor:
            known = {"file_types": sorted(FILE_TYPES), "grace_seconds": WORKER_GRACE_SECONDS}
            cursor.execute(statement("claim_requests"), {**self._worker, **known, "limit": limit})
            found = [of_row(Request, row) for row in cursor.fetchall()]
        return sorted(found, key=lambda each: each.id)

    def give_back(self, request: Request, setback: str) -> bool:
        """Its load could not begin, for a reason that passes: it waits. False where it had begun, or has waited often
        enough."""
        known = {"request_id": request.id, "setback": setback, **_SETBACKS}
        with self._database.transaction("give request back") as cursor:
            cursor.execute(statement("requeue_request"), {**self._worker, **known})
            return cursor.fetchone() is not None

    def refuse(self, request: Request, exit_code: int | None, refusal: str, output: str) -> bool:
        """The load ended before it began the run, which ends with it; False where it had begun it, or another had."""
        ended = {"request_id": request.id, "exit_code": exit_code, "refusal": refusal, "output_tail": output}
        with self._database.transaction("refuse request") as cursor:
            cursor.execute(statement("refuse_request"), {**self._worker, **ended})
            if cursor.fetchone() is None:
                return False
            cursor.execute(statement("lock_queued_run"), {"run_id": request.etl_run_id})
            if cursor.fetchone():  # of a load; the run of a retry stands as it had ended
                end_run(cursor, request.etl_run_id, refusal)
        return True

    def finish(self, request: Request, process_id: int, exit_code: int, output: str) -> None:
        ended = {"request_id": request.id, "exit_code": exit_code, "output_tail": output}
        with self._database.transaction("finish request") as cursor:
            cursor.execute(statement("finish_request"), {**self._worker, **ended, "process_id": process_id})

    def recover(self, held: list[int]) -> list[str]:
        """Ends dead runs, gives back what dead workers had claimed, closes what they had begun; the runs of these.

        Also what this one has claimed and does not hold: an answer to COMMIT was lost."""
        grace = {**self._worker, "grace_seconds": WORKER_GRACE_SECONDS, "held": held}
        with self._database.transaction("find dead runs") as cursor:
            runs = bury_dead_runs(cursor)
        with self._database.transaction("find dead workers") as cursor:
            cursor.execute(statement("requeue_orphans"), grace)
            runs += [run_id for _, run_id in cursor.fetchall()]
            cursor.execute(statement("finish_orphans"), grace)
            runs += [run_id for _, run_id in cursor.fetchall()]
            cursor.execute(statement("forget_workers"), {"forget_seconds": FORGET_SECONDS})
        return runs
