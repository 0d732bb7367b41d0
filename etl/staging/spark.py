"""A Spark DataFrame into a stg_* table: each partition is a worker that stores its own batches.

A task that Spark runs again stores nothing twice: its batches have the same indexes and are found stored. That holds
where a partition has the same rows each time it is computed; persist or checkpoint a frame that has not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from etl.config.settings import PostgreSQLSettings
from etl.config.staging.models import StagingJob
from etl.errors import FencedError
from etl.spark.causes import of_spark
from etl.staging.batch.preparation import prepare
from etl.staging.batch.records import RawBatch
from etl.staging.batch.rules import database_of, rules_of, tolerances_of
from etl.staging.batch.store import BatchStore
from etl.staging.batch.upsert import Target
from etl.staging.command.reject_file import check_reject_directory, write_reject_file
from etl.staging.database.checks import check_database
from etl.staging.ledger.heartbeat import Watch
from etl.staging.ledger.journal import Journal
from etl.staging.ledger.ledger import StagingLedger, asking_again
from etl.staging.ledger.run_ids import checked_run_id, new_run_id
from etl.staging.ledger.values import NewRun
from etl.staging.loader import (
    DEFAULT_OPTIONS,
    LoadOptions,
    Summary,
    intolerable,
    new_run,
    retries_of,
    target_of,
)
from etl.staging.sources.base import numbered_slices
from etl.staging.watch.observers import Observers
from etl.statements.spark_values import JSON_OPTIONS

PARTITION_BATCHES = 1_000_000
PARTITION_RECORDS = 1 << 30
"""So many batches and records a partition may have: its first index and ordinal are its number times these."""


@dataclass(frozen=True)
class _Work:
    """What travels to the executors."""

    settings: PostgreSQLSettings
    schema: str
    job: StagingJob
    target: Target
    retries: int


def load_dataframe(
    frame: DataFrame,
    job: StagingJob,
    settings: PostgreSQLSettings,
    schema: str = "public",
    options: LoadOptions = DEFAULT_OPTIONS,
) -> Summary:
    """Stores the rows as JSON, a column a key; the job's own source is not used. Connections: one a running task.

    A failed batch cannot be read again from here: load the frame again, which leaves what is stored unchanged.
    """
    check_reject_directory(options.reject_dir)
    with closing(database_of(job, settings, schema, connections=3)) as database:
        ledger = StagingLedger(database)
        check_database(database)
        target = target_of(database, job, checked_run_id(options.run_id or new_run_id(job)))
        number = ledger.start_run(_of_a_frame(new_run(job, target)), force=options.force)
        work = _Work(settings, schema, job, replace(target, run_number=number), retries_of(job, options))
        failure = _run(frame, work, ledger)
        run = asking_again(work.retries)(ledger.finish_run, target.run_id, failure)
        return Summary(run, write_reject_file(ledger, target.run_id, options.reject_dir))


def _run(frame: DataFrame, work: _Work, ledger: StagingLedger) -> str | None:
    """Why the run is no success, where batches alone do not say it."""
    run_id = work.target.run_id
    records = frame.select(F.to_json(F.struct("*"), JSON_OPTIONS).alias("record"))
    tell = asking_again(work.retries)
    tell(ledger.set_phase, run_id, "loading")
    with Watch(ledger, run_id, threading.Event()) as watch:
        try:
            parts = records.mapInArrow(partial(_store_partition, work=work), "batches int, refusal string").collect()
        except Exception as error:  # noqa: BLE001 - whatever Spark raises: the run must end in the ledger
            return of_spark(error, "read the frame and store it").message
    tell(ledger.set_phase, run_id, "committing")
    failure = watch.reason or next((part.refusal for part in parts if part.refusal), None)
    if failure is None and not watch.is_cancelled:
        tell(ledger.end_input, run_id)
    return failure or intolerable(ledger, run_id, tolerances_of(work.job))


def _of_a_frame(run: NewRun) -> NewRun:
    """The job's own source was not read: a retry must not look for the batches there."""
    return replace(run, parameters={**(run.parameters or {}), "source": {"type": "a DataFrame"}})


def _store_partition(batches: Iterator[pa.RecordBatch], work: _Work) -> Iterator[pa.RecordBatch]:
    context = TaskContext.get()
    part = context.partitionId() if context else 0
    run_id, stop, rules, tolerances = work.target.run_id, threading.Event(), rules_of(work.job), tolerances_of(work.job)
    stored, refusal = 0, None
    with closing(database_of(work.job, work.settings, work.schema, connections=3)) as database:
        ledger, tell = StagingLedger(database), asking_again(work.retries)
        store = BatchStore(ledger, work.target, Observers(), work.retries, stop, Journal(ledger))
        for raw in _batches(batches, part, work.job.batch_size):
            if tell(ledger.is_cancelled, run_id):
                break
            tell(ledger.register_batches, run_id, [raw])
            prepared = prepare(raw, rules)
            if refusal := tolerances.refuse(prepared):
                break
            try:
                stored += store.store(prepared, _locate(raw))
            except FencedError as error:
                refusal = error.message
                break
        tell(store.journal.tell)
    ended = {"batches": pa.array([stored], pa.int32()), "refusal": pa.array([refusal], pa.string())}
    yield pa.RecordBatch.from_pydict(ended)


def _batches(batches: Iterator[pa.RecordBatch], part: int, size: int) -> Iterator[RawBatch]:
    records = (value.as_py().encode() for batch in batches for value in batch.column(0))
    first = part * PARTITION_RECORDS
    for index, piece in enumerate(numbered_slices(records, size, None), part * PARTITION_BATCHES):
        ordinals = range(first + piece.start["row"], first + piece.end["row"])
        position = {"partition": part, "ordinal": ordinals.start, "records": len(ordinals)}
        yield RawBatch(index, position, ordinals, piece.records)


def _locate(raw: RawBatch) -> Callable[[int], dict[str, Any]]:
    return lambda ordinal: {"partition": raw.position["partition"], "row": ordinal % PARTITION_RECORDS + 1}
