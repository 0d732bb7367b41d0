"""Loads JSON records into a stg_* table, batch by batch. Read this page first.

    check database and table → start the run → cut the source into batches → prepare each (parse, validate, hash)
      → workers store them, one transaction each, with the batch's entry in the ledger → finish the run

A failing batch rolls back alone and the rest goes on; `retry` runs what is left. The ledger knows all of it while it
happens, so that a page or another process can watch and cancel.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

import structlog

from etl.command.typed import etl_as_typed
from etl.config.staging.jobs import StagingJob
from etl.errors import EtlError, InputAwayError, SourceError, UsageError
from etl.staging.batch.records import PreparedBatch, RawBatch
from etl.staging.batch.rules import rules_of, tolerances_of
from etl.staging.batch.store import BatchStore
from etl.staging.batch.upsert import Target
from etl.staging.command.reject_file import check_reject_directory, write_reject_file
from etl.staging.database.checks import check_database, check_table
from etl.staging.database.database import StagingDatabase
from etl.staging.engine import Engine
from etl.staging.ledger.batch_events import batch_failed
from etl.staging.ledger.ending import this_process
from etl.staging.ledger.failures import failure_of
from etl.staging.ledger.heartbeat import Watch
from etl.staging.ledger.journal import Journal
from etl.staging.ledger.ledger import StagingLedger, asking_again
from etl.staging.ledger.parameters import parameters_of
from etl.staging.ledger.run_ids import checked_run_id, new_run_id
from etl.staging.ledger.values import BatchPlace, NewRun, Run
from etl.staging.sources.base import Source, until_failure
from etl.staging.tolerance import Tolerances
from etl.staging.watch.observers import Observer, Observers
from etl.statements.staging.tables import StagingTable, has_rows

REGISTERED_AT_ONCE = 8
REGISTERED_BYTES = 32 * 1024 * 1024
"""Batches read ahead of the workers, so that the ledger is told of several in one transaction; fewer large ones."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class LoadOptions:
    """What a command line says on top of the job."""

    run_id: str | None = None
    force: bool = False
    retries: int | None = None
    """Instead of the job's."""
    reject_dir: Path | None = None
    request_id: int | None = None
    """Of the request that a worker claimed, and that this load or retry begins."""
    includes_permanent: bool = True
    """A retry runs also batches whose error time will not mend."""


DEFAULT_OPTIONS = LoadOptions()


@dataclass(frozen=True)
class Summary:
    """The run as it stands in the ledger when it ended; `reject_file` where records could not be stored."""

    run: Run
    reject_file: Path | None

    @property
    def is_success(self) -> bool:
        return self.run.status == "success"


class BrokenOffError(EtlError):
    """The run has begun, and how it ended does not stand in the ledger."""


class StagingLoader:
    """Safe to use from several processes at once, also for one table: rows are locked in the order of their keys."""

    def __init__(self, database: StagingDatabase, observers: Sequence[Observer] = ()) -> None:
        self._database = database
        self._ledger = StagingLedger(database)
        self._observer = Observers(observers)

    def load(self, job: StagingJob, source: Source, options: LoadOptions = DEFAULT_OPTIONS) -> Summary:
        """Loads all of the source. A second load of the same records updates nothing where `skip_unchanged` is set."""
        check_reject_directory(options.reject_dir)
        check_database(self._database)
        target = target_of(self._database, job, checked_run_id(options.run_id or new_run_id(job)))
        number = self._ledger.start_run(
            new_run(job, target, source.files), force=options.force, request_id=options.request_id
        )
        source = source.for_run(target.run_id)
        batches = self._registered(target.run_id, source.batches(job.batch_size))
        return self._run(job, replace(target, run_number=number), source, batches, options, reads_to_end=True)

    def retry(
        self,
        job: StagingJob,
        source: Source,
        run_id: str,
        batches: Sequence[int] = (),
        options: LoadOptions = DEFAULT_OPTIONS,
    ) -> Summary:
        """Runs again what is not stored: failed batches, those that a kill left, and input that was never read.

        With `batches`, only these; of either, perhaps not those whose error is permanent. Records keep their place in
        the order of all runs. A batch whose input has changed or is gone fails, alone.
        """
        check_reject_directory(options.reject_dir)
        check_database(self._database)
        self._ledger.bury_dead_runs()
        if options.force:
            self._ledger.end_silent_run(run_id)
        run = self._ledger.get_run(run_id)
        _refuse_other_source(run, job)
        self._refuse_overtaken(run_id, options.force)
        target = target_of(self._database, job, run_id)
        open_batches = self._ledger.open_batches(run_id)
        self._refuse_unknown(run_id, batches, [each.batch_index for each in open_batches])
        if batches:
            open_batches = [each for each in open_batches if each.batch_index in batches]
        if not options.includes_permanent:
            open_batches = [each for each in open_batches if not each.is_permanent]
        _refuse_elsewhere(run, source, open_batches)
        number = self._ledger.resume_run(
            run_id,
            job.id,
            [each.batch_index for each in open_batches],
            force=options.force,
            request_id=options.request_id,
        )
        source = source.for_run(run_id)
        reads_to_end = run.input_ended_at is None and not batches
        again = self._read_again(target, source, open_batches)
        rest = self._rest(run, source) if reads_to_end else iter(())
        return self._run(job, replace(target, run_number=number), source, chain(again, rest), options, reads_to_end)

    def cancel(self, run_id: str, cancelled_by: str, *, force: bool = False) -> Run:
        """The run ends after the batches in flight; what they store stays. One that is queued ends at once; `force`
        ends one that has fallen silent."""
        run = self._ledger.get_run(run_id)
        if force and run.status == "running":
            self._ledger.end_silent_run(run_id)
        elif not self._ledger.cancel(run_id, cancelled_by) and not force:
            raise UsageError(f"run {run_id} cannot be cancelled: it is {_standing(run)}")
        return self._ledger.get_run(run_id)

    # The run

    def _run(
        self,
        job: StagingJob,
        target: Target,
        source: Source,
        batches: Iterable[RawBatch],
        options: LoadOptions,
        reads_to_end: bool,
    ) -> Summary:
        run_id, stop, tolerances = target.run_id, threading.Event(), tolerances_of(job)
        journal, is_durable = Journal(self._ledger), not source.can_be_read_again
        store = BatchStore(self._ledger, target, self._observer, retries_of(job, options), stop, journal, is_durable)
        engine = Engine(store, rules_of(job), job.workers, source, tolerances.refuse, stop)
        self._observer.run_started(run_id, job.id)
        log.info("run started", run_id=run_id, job=job.id, table=job.target_table)
        failure: str | None = "interrupted"
        try:
            with Watch(self._ledger, run_id, stop, store) as watch:
                failure = self._load_all(engine, batches, run_id, reads_to_end)
                failure = watch.reason or failure or intolerable(self._ledger, run_id, tolerances)
        finally:
            run = self._finish(store, failure)
            self._observer.run_finished(run)
        log.info(
            "run finished", run_id=run_id, job=job.id, status=run.status, **({"failure": failure} if failure else {})
        )
        return Summary(run, write_reject_file(self._ledger, run_id, options.reject_dir))

    def _load_all(self, engine: Engine, batches: Iterable[RawBatch], run_id: str, reads_to_end: bool) -> str | None:
        """Why not all was handed out, where it was not."""
        try:
            asking_again()(self._ledger.set_phase, run_id, "loading")
            is_complete = engine.run(batches)
            asking_again()(self._ledger.set_phase, run_id, "committing")
            if is_complete and reads_to_end:
                asking_again()(self._ledger.end_input, run_id)
        except EtlError as error:
            # the source broke off, or the ledger: what came until then is stored
            log.error("run broke off", run_id=run_id, job=engine.store.target.job_id, error=error.message)
            return error.message
        return engine.stopped_by

    def _finish(self, store: BatchStore, failure: str | None) -> Run:
        run_id = store.target.run_id
        try:
            asking_again()(store.journal.tell)
            run = asking_again()(self._ledger.finish_run, run_id, failure)
        except EtlError as error:
            raise BrokenOffError(
                f"run {run_id} has begun, and the ledger could not be told of its end: {error.message}; "
                f"batches that were stored stay, `status` will find the run dead, `retry --run {run_id}` runs the rest"
            ) from error
        if run.finished_at is None:
            raise BrokenOffError(
                f"run {run_id} was given up for dead, and process {run.process_id} on {run.host} goes on; "
                "what this one has stored stays"
            )
        return run

    def _registered(self, run_id: str, batches: Iterable[RawBatch]) -> Iterator[RawBatch]:
        """Each batch stands in the ledger, with its place in the source, before anything is done with it."""
        failures: list[Exception] = []
        coming = until_failure(batches, failures)
        while some := list(_some(coming)):
            asking_again()(self._ledger.register_batches, run_id, some)
            yield from some
        if failures:
            raise failures[0]

    def _read_again(self, target: Target, source: Source, open_batches: Sequence[BatchPlace]) -> Iterator[RawBatch]:
        for each in open_batches:
            index, position = each.batch_index, each.source_position
            try:
                yield source.read_again(index, position)
            except SourceError as error:
                self._fail_unread(target, PreparedBatch(index, position, position["records"]), error)

    def _fail_unread(self, target: Target, batch: PreparedBatch, error: SourceError) -> None:
        run_id, failure = target.run_id, failure_of(error)
        known = {"run_id": run_id, "job": target.job_id, "batch": batch.index}
        log.error("batch cannot be read again", **known, error=failure.message)
        self._observer.batch_failed(batch, failure)
        asking_again()(self._ledger.tell, batch_failed(run_id, batch, failure, 0.0))

    def _rest(self, run: Run, source: Source) -> Iterator[RawBatch]:
        last = self._ledger.last_batch(run.id)
        batches = source.batches(run.batch_size, (last.batch_index, last.source_position) if last else None)
        return self._registered(run.id, batches)

    # What must be so

    def _refuse_overtaken(self, run_id: str, force: bool) -> None:
        newer = self._ledger.newer_run(run_id)
        if newer and not force:
            raise UsageError(
                f"run {newer} of the same job has stored newer records since; load the source again instead, or --force"
            )

    def _refuse_unknown(self, run_id: str, wanted: Sequence[int], found: Sequence[int]) -> None:
        missing = sorted(set(wanted) - set(found))
        if missing:
            raise UsageError(
                f"run {run_id} has no batch to retry with index {', '.join(map(str, missing))}; "
                f"those left are {', '.join(map(str, found)) or 'none'}"
            )


def retries_of(job: StagingJob, options: LoadOptions) -> int:
    return job.retries if options.retries is None else options.retries


def _standing(run: Run) -> str:
    return f"cancelled already, by {run.cancelled_by}" if run.finished_at is None else run.status


def intolerable(ledger: StagingLedger, run_id: str, tolerances: Tolerances) -> str | None:
    """By the run's totals: what PostgreSQL itself rejected was not known before, nor what an earlier attempt read."""
    try:
        asking_again()(ledger.beat, run_id)
        refusal = tolerances.at_end(asking_again()(ledger.get_run, run_id))
        first = next(ledger.rejects(run_id), None) if refusal else None
    except EtlError as error:
        return f"how many records are bad could not be asked: {error.message}"
    return f"{refusal}; the first reject: {first.message}" if first else refusal


def _some(batches: Iterator[RawBatch]) -> Iterator[RawBatch]:
    held_bytes = 0
    for batch in islice(batches, REGISTERED_AT_ONCE):
        yield batch
        held_bytes += batch.size_bytes
        if held_bytes >= REGISTERED_BYTES:
            return


def target_of(database: StagingDatabase, job: StagingJob, run_id: str) -> Target:
    """The job's table as it stands; refused where it is not as the contract says. The run has no number yet."""
    table = check_table(database, job.target_table)
    if job.source_updated_at and not table.has_source_updated_at:
        raise UsageError(
            f"{table.name} has no column source_updated_at, without which an older record of job {job.id} might "
            f"replace a newer one; run `{etl_as_typed()} staging migrate`"
        )
    if not job.source_updated_at:  # the order of the input decides, whatever times stand in the table
        table = replace(table, has_source_updated_at=False)
    is_empty = not _has_rows(database, table)
    compares = job.skip_unchanged and not is_empty
    return Target(table, job.id, run_id, 0, job.skip_unchanged, compares, is_empty, job.source_updated_at)


def new_run(job: StagingJob, target: Target, files: Sequence[Path] = ()) -> NewRun:
    return NewRun(
        target.run_id,
        job.id,
        job.target_table,
        job.batch_size,
        job.workers,
        job.description,
        parameters_of(job, files),
    )


def _refuse_other_source(run: Run, job: StagingJob) -> None:
    """Positions of another kind of source mean nothing to this one; of another system's runs there are none."""
    if run.parameters.get("registered_by") == "migrate":
        raise UsageError(f"run {run.id} is of another system, and migrate has registered it: load its input anew")
    found = run.parameters.get("source", {}).get("type", job.source.type)
    if found != job.source.type:
        raise UsageError(
            f"run {run.id} read {found}, and job {job.id} is of source {job.source.type}: "
            "what it read cannot be read again; load the input anew"
        )


def _refuse_elsewhere(run: Run, source: Source, open_batches: Sequence[BatchPlace]) -> None:
    """None of what the run kept is here, and it was another machine that kept it: each batch would fail."""
    if run.host in (None, this_process()["host"]) or any(source.is_here(each.source_position) for each in open_batches):
        return
    if open_batches:
        raise InputAwayError(
            f"what run {run.id} has read of its input is kept on {run.host}, in the spool there, and cannot be read "
            "again here; retry it there (`staging worker` on that machine takes it up), or load the input anew"
        )


def _has_rows(database: StagingDatabase, table: StagingTable) -> bool:
    with database.transaction("look for rows") as cursor:
        cursor.execute(has_rows(table))
        ((found,),) = cursor.fetchall()
        return bool(found)
