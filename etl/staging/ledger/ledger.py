"""What is known of a run, written as it happens: jobs, runs, batches, rejects. A page can be drawn from it alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg2.extensions import cursor as Cursor
from tenacity import Retrying

from etl.config.staging.models import DEFAULT_RETRIES
from etl.errors import LockedError, UsageError
from etl.postgresql.fence import Gate
from etl.retrying import OF_STAGING, retrying
from etl.staging.batch.examples import examples_of
from etl.staging.batch.records import PreparedBatch, RawBatch, Reject
from etl.staging.batch.upsert import Stored
from etl.staging.database.database import StagingDatabase
from etl.staging.ledger.batch_events import BatchEvent
from etl.staging.ledger.batch_log import as_json, entry
from etl.staging.ledger.cancelling import cancel_locked
from etl.staging.ledger.ending import SILENT_SECONDS, bury_dead_runs, end_run, how_to_end, sum_up, this_process
from etl.staging.ledger.queries import statement
from etl.staging.ledger.values import Batch, BatchPlace, NewRun, RejectedRecord, Run, of_row

_RECORD_CHARACTERS = 4000
_PAGE = 1000


Locate = Callable[[int], dict[str, Any]]
"""Where the record with this ordinal stands in its source."""


def asking_again(retries: int = DEFAULT_RETRIES) -> Retrying:
    """For what may be told the ledger twice: it may be away for a moment, as it may be for a batch."""
    return retrying(max(retries, DEFAULT_RETRIES), 0, "ledger asked again", waits=OF_STAGING, ended=None)


class StagingLedger:
    """Of an orchestrator's attempt, a run begins and a batch is stored only while it holds its fence: FencedError."""

    def __init__(self, database: StagingDatabase) -> None:
        self._database = database
        self._gate = Gate(database.settings)

    # Runs

    def start_run(self, run: NewRun, *, force: bool = False, request_id: int | None = None) -> int:
        """The run's number. Refuses a run id that is taken, and a job that is running unless forced. The run of a
        request is queued already, and begun once."""
        with self._database.transaction("start run") as cursor:
            self._gate.require(cursor, f"run {run.run_id} cannot start")
            self._enter_job(cursor, run.job_id, force, request=("load", run.run_id, request_id))
            cursor.execute(
                statement("register_job"),
                {"job_id": run.job_id, "target_table": run.target_table, "description": run.description},
            )
            cursor.execute(
                statement("start_run" if request_id is None else "start_queued_run"),
                {
                    "run_id": run.run_id,
                    "job_id": run.job_id,
                    "target_table": run.target_table,
                    "batch_size": run.batch_size,
                    "workers": run.workers,
                    "parameters": as_json(run.parameters or {}),
                    "fencing_token": self._gate.token,
                    **this_process(),
                },
            )
            row = cursor.fetchone()
        if row is None:
            raise UsageError(f"run {run.run_id} is in the ledger already; retry --run {run.run_id}, or another run id")
        return int(row[0])

    def resume_run(
        self,
        run_id: str,
        job_id: str,
        batch_indexes: Sequence[int] | None = None,
        *,
        force: bool = False,
        request_id: int | None = None,
    ) -> int:
        """The same run goes on with its failed batches, or only these: its number and its ordinals stay."""
        with self._database.transaction("resume run") as cursor:
            self._gate.require(cursor, f"run {run_id} cannot go on")
            self._enter_job(cursor, job_id, force, resuming=run_id, request=("retry", run_id, request_id))
            parameters = {"run_id": run_id, "fencing_token": self._gate.token, **this_process()}
            cursor.execute(statement("resume_run"), parameters)
            row = cursor.fetchone()
            if row is not None:
                indexes = None if batch_indexes is None else list(batch_indexes)
                cursor.execute(statement("reopen_batches"), {"run_id": run_id, "batch_indexes": indexes})
        if row is None:
            silent_seconds = self.get_run(run_id).silent_seconds or 0.0
            raise LockedError(f"run {run_id} is running; {how_to_end(run_id, silent_seconds)}")
        return int(row[0])

    def _enter_job(
        self,
        cursor: Cursor,
        job_id: str,
        force: bool,
        resuming: str | None = None,
        request: tuple[str, str, int | None] = ("", "", None),
    ) -> None:
        """What is queued waits its turn, and stands in the way of those who ask for none."""
        action, asked_run, request_id = request
        cursor.execute(statement("lock_job"), {"job_id": job_id})
        bury_dead_runs(cursor)
        if request_id is not None:
            _begin_request(cursor, request_id, asked_run, action)
        cursor.execute(statement("live_runs"), {"job_id": job_id, "with_queued": request_id is None})
        live = cursor.fetchone()
        if live is not None and not force:
            run_id, is_queued, host, process_id, by, since, silent_seconds = live
            if is_queued:
                raise LockedError(
                    f"job {job_id} is queued as run {run_id} (asked for by {by} at {since:%Y-%m-%d %H:%M:%S} UTC); "
                    f"`staging worker` begins it, `cancel --run {run_id}` gives it up, or load beside it by --force"
                )
            is_itself = run_id == resuming
            by_force = "`retry --force` takes it over" if is_itself else "load beside it by --force"
            raise LockedError(
                f"job {job_id} is being loaded by run {run_id} (process {process_id} on {host}, "
                f"since {since:%Y-%m-%d %H:%M:%S} UTC); {how_to_end(run_id, silent_seconds)}"
                + ("" if is_itself and silent_seconds < SILENT_SECONDS else f", or {by_force}")
            )

    def bury_dead_runs(self) -> list[str]:
        """Ends the runs whose process has died, and names them; none where this user may only look on."""
        with self._database.transaction("find dead runs") as cursor:
            cursor.execute(statement("may_end_runs"))
            ((may_end_runs,),) = cursor.fetchall()
            return bury_dead_runs(cursor) if may_end_runs else []

    def end_silent_run(self, run_id: str) -> None:
        """Ends a run that has missed some heartbeats, without waiting until it counts as dead. One that has ended
        already stays as it is; one that lives is refused."""
        with self._database.transaction("end run by force") as cursor:
            bury_dead_runs(cursor, SILENT_SECONDS, run_id)
        silent_seconds = self.get_run(run_id).silent_seconds
        if silent_seconds is not None:
            raise LockedError(
                f"run {run_id} is alive: its last heartbeat is {silent_seconds:.0f} s old; "
                f"`cancel --run {run_id}` ends it after the batches in flight"
            )

    def get_run(self, run_id: str) -> Run:
        with self._database.rows("read run") as cursor:
            cursor.execute(statement("get_run"), {"run_id": run_id})
            row = cursor.fetchone()
        if row is None:
            raise UsageError(f"expected run {run_id!r} in the ledger, found none; `status` lists the latest")
        return of_row(Run, row)

    def recent_runs(self, job_id: str | None = None, limit: int = 20) -> list[Run]:
        with self._database.rows("read runs") as cursor:
            cursor.execute(statement("recent_runs"), {"job_id": job_id, "limit": limit})
            return [of_row(Run, row) for row in cursor.fetchall()]

    def newer_run(self, run_id: str) -> str | None:
        """A later run of the same job that has stored something."""
        with self._database.transaction("look for newer runs") as cursor:
            cursor.execute(statement("newer_run"), {"run_id": run_id})
            row = cursor.fetchone()
            return str(row[0]) if row else None

    def set_phase(self, run_id: str, phase: str) -> None:
        self._watched("set phase", "set_phase", {"run_id": run_id, "phase": phase})

    def end_input(self, run_id: str) -> None:
        with self._database.transaction("end of input") as cursor:
            cursor.execute(statement("end_input"), {"run_id": run_id})

    def beat(self, run_id: str) -> bool | None:
        """Refreshes the run's totals. Whether it is cancelled; None where it has been declared dead, and perhaps been
        taken over by another process."""
        with self._database.transaction("heartbeat", is_durable=False) as cursor:
            sum_up(cursor, run_id)
            row = cursor.fetchone()
        if row is None:
            return None
        has_ended, is_cancelled = row
        return None if has_ended else bool(is_cancelled)

    def finish_run(self, run_id: str, failure: str | None = None) -> Run:
        """Success where all of the input was cut into batches and all were stored; the run as it stands then."""
        with self._database.transaction("finish run") as cursor:
            cursor.execute(statement("lock_run"), {"run_id": run_id, **this_process()})
            if row := cursor.fetchone():
                end_run(cursor, run_id, failure, cancelled_by=row[1])
            else:
                sum_up(cursor, run_id)
        return self.get_run(run_id)

    def cancel(self, run_id: str, cancelled_by: str) -> bool:
        """One that is queued, or a retry that is, is given up at once. False where it had ended, or was cancelled
        before."""
        with self._database.transaction("cancel run") as cursor:
            cursor.execute(statement("run_as_asked_for"), {"run_id": run_id})
            row = cursor.fetchone()
            if row is None or (row[1] == "running" and row[3]):
                return False
            cursor.execute(statement("lock_job"), {"job_id": row[0]})
            return cancel_locked(cursor, run_id, cancelled_by)

    def cancel_waits(self, run_id: str) -> int:
        """Breaks off the statements of the run's batches that wait for a lock; how many."""
        with self._database.transaction("break off waiting batches") as cursor:
            cursor.execute(statement("cancel_waits"), {"comment": _comment(run_id)})
            return sum(bool(is_cancelled) for (is_cancelled,) in cursor.fetchall())

    def is_cancelled(self, run_id: str) -> bool:
        """Or has ended: no other batch may begin."""
        run = self.get_run(run_id)
        return run.cancelled_at is not None or run.finished_at is not None

    # Batches

    def register_batches(self, run_id: str, batches: Sequence[RawBatch]) -> None:
        """On the server's disk when it returns: what a crash forgets of a batch must be missed at the run's end."""
        registered = [
            {
                "batch_index": batch.index,
                "source_position": batch.position,
                "first_ordinal": batch.ordinals[0] if batch.ordinals else 0,
            }
            for batch in batches
        ]
        with self._database.transaction("register batches") as cursor:
            cursor.execute(statement("register_batches"), {"run_id": run_id, "batches": as_json(registered)})

    def mark_running(self, run_id: str, batch_indexes: Sequence[int]) -> None:
        parameters = {"run_id": run_id, "batch_indexes": list(batch_indexes)}
        self._watched("mark batches as running", "mark_running", parameters)

    @contextmanager
    def batch_transaction(self, run_id: str, *, is_durable: bool = True) -> Iterator[Cursor]:
        """Rows, rejects and `complete_batch` of one batch of the run."""
        comment = _comment(run_id)
        with self._database.transaction("store batch", is_durable=is_durable, comment=comment) as cursor:
            yield cursor

    def complete_batch(
        self, cursor: Cursor, run_id: str, batch: PreparedBatch, stored: Stored, locate: Locate, seconds: float
    ) -> bool:
        """False where the batch is stored already, by an attempt whose answer was lost: then roll back. So where this
        raises FencedError; else nobody is given the orchestrator's run until the transaction has ended."""
        if batch.rejects:
            rejects = [_reject(each, locate(each.ordinal)) for each in batch.rejects]
            parameters = {"run_id": run_id, "batch_index": batch.index, "rejects": as_json(rejects)}
            cursor.execute(statement("add_rejects"), parameters)
        fence = self._gate.fence(cursor)
        cursor.execute(
            fence.asked_by(statement("complete_batch")) if fence else statement("complete_batch"),
            {
                "run_id": run_id,
                "batch_index": batch.index,
                "rows_attempted": batch.rows_attempted,
                "rows_inserted": stored.rows_inserted,
                "rows_updated": stored.rows_updated,
                "rows_unchanged": stored.rows_unchanged,
                "rows_deduplicated": stored.rows_deduplicated,
                "rows_rejected": len(batch.rejects),
                "rows_invalid": batch.rows_invalid,
                "required_field_errors": batch.required_field_errors,
                "shape_errors": batch.shape_errors,
                "duration_ms": seconds * 1000,
                "examples": as_json(examples_of(batch)),
                "log": as_json(entry("info", "stored", stored.counts)),
            },
        )
        row = cursor.fetchone()
        if row is not None and fence is not None and not row[-1]:
            raise fence.lost(f"batch {batch.index} of run {run_id} cannot be stored")
        return row is not None

    def tell(self, event: BatchEvent) -> None:
        with self._database.transaction(event.name.replace("_", " ")) as cursor:
            cursor.execute(statement(event.name), event.parameters)

    def open_batches(self, run_id: str) -> list[BatchPlace]:
        """All but the stored ones: what a retry has to run."""
        with self._database.rows("read open batches") as cursor:
            cursor.execute(statement("open_batches"), {"run_id": run_id})
            return [of_row(BatchPlace, row) for row in cursor.fetchall()]

    def last_batch(self, run_id: str) -> BatchPlace | None:
        with self._database.rows("read last batch") as cursor:
            cursor.execute(statement("last_batch"), {"run_id": run_id})
            row = cursor.fetchone()
            return of_row(BatchPlace, row) if row else None

    def batches(self, run_id: str, *, only_open: bool = False) -> Iterator[Batch]:
        """In their order, a page at a time; `only_open`: those that are not stored."""
        parameters = {"run_id": run_id, "only_open": only_open}
        return (of_row(Batch, row) for row in self._rows("batches_of_run", "batch_index", parameters))

    def rejects(self, run_id: str) -> Iterator[RejectedRecord]:
        """In the order of the input, a page at a time: there may be many."""
        return (of_row(RejectedRecord, row) for row in self._rows("rejects_of_run", "ordinal", {"run_id": run_id}))

    def _rows(self, name: str, key: str, parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
        after = -1
        while True:
            with self._database.rows(name.replace("_", " ")) as cursor:
                cursor.execute(statement(name), {**parameters, "after": after, "limit": _PAGE})
                page = cursor.fetchall()
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1][key]

    def _watched(self, doing: str, name: str, parameters: dict[str, Any]) -> None:
        """For the eyes of those who watch; what counts commits with the rows."""
        with self._database.transaction(doing, is_durable=False) as cursor:
            cursor.execute(statement(name), parameters)


def _comment(run_id: str) -> str:
    """What the statements of a run's batches are known by."""
    return f"/* run {run_id} */ "


def _begin_request(cursor: Cursor, request_id: int, run_id: str, action: str) -> None:
    asked = {"request_id": request_id, "run_id": run_id, "action": action}
    cursor.execute(statement("begin_request"), {**asked, **this_process()})
    if cursor.fetchone() is None:  # no wait would change that
        raise UsageError(
            f"request {request_id} to {action} run {run_id} is not to be begun: expected it claimed by a worker, found "
            "it begun already, cancelled, or none"
        )


def _reject(reject: Reject, position: dict[str, Any]) -> dict[str, Any]:
    text = reject.record.decode(errors="backslashreplace").replace("\0", "\\x00")
    return {
        "ordinal": reject.ordinal,
        "position": position,
        "reason": reject.reason.value,
        "message": reject.message,
        "record": text[:_RECORD_CHARACTERS],
    }
