"""A whole run: what is asked for → the ledger's run → every unit, side by side → report and exit code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from threading import Lock
from typing import Any

import structlog
from pyspark.sql import SparkSession

from etl.config.configuration import Configuration
from etl.config.models import PostgreSQLSource
from etl.config.settings import PostgreSQLSettings
from etl.errors import EtlError, LockedError, TerminalError, UsageError
from etl.extract.snapshot import SourceSnapshot
from etl.ledger.heartbeat import Heartbeat
from etl.ledger.ledger import Ledger
from etl.ledger.values import LoadRecord, NewRun, Run
from etl.load.base import BaseLoader, LoaderConfig
from etl.load.factory import LoaderFactory
from etl.model import Destination, RunStatus, TableDefinition
from etl.pipeline.assignment import Assignment
from etl.pipeline.context import RunContext, Work
from etl.pipeline.options import RunOptions
from etl.pipeline.order import publication_units
from etl.pipeline.publication import PublicationOrder
from etl.pipeline.rejects import RejectsKeptOnce
from etl.pipeline.table import process_unit
from etl.report.progress import LogProgress, Progress

log = structlog.get_logger(__name__)


def run_tables(
    configuration: Configuration,
    options: RunOptions,
    assignment: Assignment,
    spark: SparkSession,
    ledger: Ledger,
    progress: Progress,
) -> Run:
    """Loads everything the assignment names and finishes the run; failures of tables are in the ledger, not raised."""
    names = tuple(work.table.name for work in assignment.work)
    run = ledger.start_run(
        NewRun(
            assignment.destinations,
            names,
            options.recorded(),
            resumed_from=assignment.earlier.run_id if assignment.earlier else None,
        )
    )
    pairs = [(work.table.name, destination) for work in assignment.work for destination in work.destinations]
    progress.run_started(run.run_id, pairs)
    status = RunStatus.FAILED
    try:
        ledger.plan_loads(run.run_id, pairs)
        with ledger.keep_alive(run.run_id) as heartbeat, _snapshot_for(configuration, assignment) as snapshot:
            context = replace(
                _context(configuration, options, assignment, spark, ledger, progress, run, snapshot),
                require_alive=lambda: _require_alive(heartbeat, run),
            )
            _process_all(context, assignment)
            _replay_orphans(context)
        status = _status(ledger.loads(run.run_id))
    finally:
        ledger.finish_run(run.run_id, status)
    finished = ledger.get_run(run.run_id)
    if finished is None:
        raise TerminalError(f"expected run {run.run_id} in the ledger, found none; was schema etl dropped meanwhile?")
    return finished


def _require_alive(heartbeat: Heartbeat, run: Run) -> None:
    if heartbeat.lost.is_set():
        raise LockedError(
            f"run {run.run_id} was declared dead: its heartbeat did not reach the ledger for a minute, so that another "
            f"run may be loading the same tables; check the ledger's server, then --resume {run.run_id}"
        )


def _context(
    configuration: Configuration,
    options: RunOptions,
    assignment: Assignment,
    spark: SparkSession,
    ledger: Ledger,
    progress: Progress,
    run: Run,
    snapshot: SourceSnapshot | None,
) -> RunContext:
    definitions = live_definitions(configuration, assignment.work, snapshot)
    names = [work.table.name for work in assignment.work]
    earlier = assignment.earlier
    return RunContext(
        run=run,
        options=options,
        configuration=configuration,
        spark=spark,
        ledger=ledger,
        loaders=_loaders(configuration, options, assignment.destinations, spark, ledger, run, definitions),
        definitions=definitions,
        watermarks=ledger.watermarks(),
        order=PublicationOrder(names, definitions),
        progress=progress,
        snapshot=snapshot,
        frozen=ledger.frozen_tables(earlier.run_id) if earlier else {},
        earlier={(load.table_name, load.destination): load for load in assignment.earlier_loads},
        earlier_loaders=_loaders(configuration, options, assignment.destinations, spark, ledger, earlier, definitions)
        if earlier
        else {},
        live_runs=ledger.live_runs(),
        snapshot_is_read=_ReleaseWhenRead(snapshot, len(names)),
    )


def rehearsal_context(
    configuration: Configuration,
    options: RunOptions,
    assignment: Assignment,
    spark: SparkSession,
    ledger: Ledger,
    snapshot: SourceSnapshot | None,
) -> RunContext:
    """The context of a run that will not be: no row in the ledger, and watermarks only where a ledger stands."""
    now = datetime.now(UTC)
    run = Run("rehearsal", 0, RunStatus.RUNNING, assignment.destinations, (), {}, None, None, now, now, None)
    definitions = live_definitions(configuration, assignment.work, snapshot)
    return RunContext(
        run=run,
        options=options,
        configuration=configuration,
        spark=spark,
        ledger=ledger,
        loaders=_loaders(configuration, options, assignment.destinations, spark, ledger, run, definitions),
        definitions=definitions,
        watermarks=ledger.watermarks() if ledger.exists() else {},
        order=PublicationOrder((), definitions),
        progress=LogProgress(),
        snapshot=snapshot,
    )


def live_definitions(
    configuration: Configuration, work: Sequence[Work], snapshot: SourceSnapshot | None
) -> dict[str, TableDefinition]:
    """The source's schema as it is now, under the configuration's names; for files, the columns it gives."""
    names = [each.table.name for each in work]
    definitions = {name: configuration.definitions[name] for name in names if name in configuration.definitions}
    if snapshot is None:
        return definitions
    sources = {
        each.table.name: (each.table.source.schema_name, each.table.source.table)
        for each in work
        if isinstance(each.table.source, PostgreSQLSource)
    }
    live = snapshot.catalog(list(sources.values()))
    name_of = {table: name for name, (_, table) in sources.items()}
    return definitions | {
        name: _renamed(live[f"{schema}.{table}"], name, name_of) for name, (schema, table) in sources.items()
    }


def _renamed(definition: TableDefinition, name: str, name_of: Mapping[str, str]) -> TableDefinition:
    """Foreign keys point to source tables; loaders and the order of publication know the configuration's names."""
    keys = tuple(
        replace(key, parent_table=name_of.get(key.parent_table, key.parent_table)) for key in definition.foreign_keys
    )
    return replace(definition, name=name, foreign_keys=keys)


def _loaders(
    configuration: Configuration,
    options: RunOptions,
    destinations: Sequence[Destination],
    spark: SparkSession,
    ledger: Ledger,
    run: Run,
    definitions: Mapping[str, TableDefinition],
) -> dict[Destination, BaseLoader[Any]]:
    settings = configuration.settings
    # one transaction publishes rows and ledger entry only where both live in one database
    is_one_database = settings.ledger == settings.postgresql
    config = LoaderConfig(
        settings=settings,
        run_id=run.run_id,
        run_number=run.run_number,
        definitions=definitions,
        validate=options.validate and settings.run.validate_loads,
        keep_rejects=RejectsKeptOnce(ledger, run.run_id),
        record=(lambda cursor, result: ledger.complete_load(run.run_id, result, cursor)) if is_one_database else None,
    )
    return {destination: LoaderFactory.get_loader(destination, spark, settings, config) for destination in destinations}


@contextmanager
def _snapshot_for(configuration: Configuration, assignment: Assignment) -> Iterator[SourceSnapshot | None]:
    """One snapshot of the source database for the whole run; none where all sources are files."""
    if not any(isinstance(work.table.source, PostgreSQLSource) for work in assignment.work):
        yield None
        return
    with SourceSnapshot(source_settings(configuration)) as snapshot:
        yield snapshot


def source_settings(configuration: Configuration) -> PostgreSQLSettings:
    if configuration.settings.source is None:
        raise UsageError("expected a source database, found none; set ETL_SOURCE_POSTGRES_URL or `source` in etl.yaml")
    return configuration.settings.source


class _ReleaseWhenRead:
    """Ends the source's transaction as soon as the last table is materialised: it holds back the source's vacuum."""

    def __init__(self, snapshot: SourceSnapshot | None, tables: int) -> None:
        self._snapshot, self._left, self._lock = snapshot, tables, Lock()

    def __call__(self, tables: int) -> None:
        with self._lock:
            self._left -= tables
            if self._left == 0 and self._snapshot is not None:
                self._snapshot.close()


def _process_all(context: RunContext, assignment: Assignment) -> None:
    """Units in the order of their parents, `parallelism` at a time."""
    work = {each.table.name: each for each in assignment.work}
    units = publication_units(work, context.definitions)
    side_by_side = context.options.parallelism or context.configuration.settings.run.parallelism
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(side_by_side, thread_name_prefix="table"))
        futures = [pool.submit(process_unit, context, [work[name] for name in unit]) for unit in units]
        # a unit raises only where the ledger itself fails or the run is cancelled: then nothing new is begun
        stack.callback(lambda: [future.cancel() for future in futures])
        wait(futures, return_when=FIRST_EXCEPTION)
        for future in futures:
            if future.done():
                future.result()


def _replay_orphans(context: RunContext) -> None:
    """Rows that waited for their foreign-key parents, of this run and earlier ones, once all parents are there."""
    loader = context.loaders.get(Destination.POSTGRESQL)
    if loader is None:
        return
    run_id = context.run.run_id
    waiting = set(context.ledger.waiting_tables())
    tables = context.configuration.tables
    definitions = {**context.configuration.definitions, **context.definitions}
    ordered = [name for unit in publication_units(tables, definitions) for name in unit]
    configs = [tables[name].loads[Destination.POSTGRESQL] for name in ordered if name in waiting and name in tables]
    try:
        replayed = loader.replay_orphans(configs) if configs else []
    except EtlError as error:
        # every load of this run stands; the rows go on waiting
        log.error("orphans not replayed", run_id=run_id, error=str(error), next_step="python -m etl.rejects retry")
        return
    for result in replayed:
        log.info(
            "orphans replayed",
            run_id=run_id,
            table=result.table_name,
            destination=result.destination.value,
            rows_inserted=result.rows_inserted,
            rows_unchanged=result.rows_unchanged,
        )


def _status(loads: Sequence[LoadRecord]) -> RunStatus:
    """Partial where some loads were published and some not; a run with nothing to load has succeeded."""
    published = sum(load.status.is_published for load in loads)
    if published == len(loads):
        return RunStatus.SUCCESS
    return RunStatus.PARTIAL if published else RunStatus.FAILED
