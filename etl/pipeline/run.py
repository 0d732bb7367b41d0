"""A whole run: what is asked for → the ledger's run → every unit, side by side → upkeep → report and exit code."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import structlog

from etl.errors import EtlError
from etl.extract.factory import open_sources
from etl.ledger.ledger import Ledger
from etl.ledger.values import LoadRecord, NewRun, Run
from etl.load.base import BaseLoader
from etl.model import Destination, RunStatus
from etl.pipeline.assignment import Assignment
from etl.pipeline.context import Job, RunContext
from etl.pipeline.maintenance import maintain_all
from etl.pipeline.opening import running_context
from etl.pipeline.options import RunOptions
from etl.pipeline.order import publication_units
from etl.pipeline.side_by_side import side_by_side
from etl.pipeline.tables.keys import with_live_keys
from etl.pipeline.tables.table import process_unit
from etl.report.commands import Commands

log = structlog.get_logger(__name__)


def start_run(ledger: Ledger, options: RunOptions, assignment: Assignment, run_id: str | None = None) -> Run:
    """From here on there is a run to report, whatever becomes of it."""
    earlier = assignment.lineage.runs[0] if assignment.lineage else None
    return ledger.start_run(
        NewRun(
            assignment.destinations,
            tuple(work.table.name for work in assignment.work),
            options.recorded(),
            resumed_from=earlier.run_id if earlier else None,
            # a run that is resumed by hand is found by the name of the one that it continues, too
            idempotency_key=options.idempotency_key or (earlier.idempotency_key if earlier else None),
        ),
        run_id,
    )


def run_tables(job: Job, assignment: Assignment, run: Run) -> None:
    """Loads everything the assignment names and finishes the run; failures of tables are in the ledger, not raised."""
    pairs = [(work.table.name, destination) for work in assignment.work for destination in work.destinations]
    ledger = job.ledger
    job.progress.run_started(run.run_id, pairs)
    has_ended_well = False
    try:
        ledger.plan_loads(run.run_id, pairs)
        with (
            ledger.keep_alive(run.run_id) as heartbeat,
            open_sources(job.spark, job.settings, assignment.tables) as sources,
        ):
            context = running_context(job, assignment, run, sources, heartbeat)
            _process_all(context, with_live_keys(assignment, context.definitions))
            _replay_orphans(context)
            maintain_all(context, assignment.upkeep)
        has_ended_well = True
    finally:
        ledger.finish_run(run.run_id, run_status(ledger.loads(run.run_id), has_ended_well))


def _process_all(context: RunContext, assignment: Assignment) -> None:
    """Units in the order of their parents."""
    work = {each.table.name: each for each in assignment.work}
    units = ([work[name] for name in unit] for unit in context.order.units)
    side_by_side(context, "table", (partial(process_unit, context, unit) for unit in units))


def _replay_orphans(context: RunContext) -> None:
    """Rows that waited for their foreign-key parents, of this run and earlier ones, once all parents are there."""
    for destination, loader in context.loaders.items():
        if loader.has_foreign_keys:
            _replay_orphans_of(context, destination, loader)


def _replay_orphans_of(context: RunContext, destination: Destination, loader: BaseLoader[Any]) -> None:
    run_id = context.run.run_id
    waiting = set(context.ledger.waiting_tables())
    tables = context.configuration.tables
    definitions = {**context.configuration.definitions, **context.definitions}
    ordered = [name for unit in publication_units(tables, definitions) for name in unit]
    configs = [tables[name].loads[destination] for name in ordered if name in waiting and name in tables]
    try:
        replayed = loader.replay_orphans(configs) if configs else []
    except EtlError as error:
        # every load of this run stands; the rows go on waiting
        log.error(
            "orphans not replayed",
            run_id=run_id,
            error=str(error),
            next_step=Commands(context.options.config_dir).retry_rejects(),
        )
        return
    for result in replayed:
        log.info(
            "orphans replayed",
            run_id=run_id,
            table=result.table_name,
            destination=result.destination,
            rows_inserted=result.rows_inserted,
            rows_unchanged=result.rows_unchanged,
        )


def run_status(loads: Sequence[LoadRecord], has_ended_well: bool) -> RunStatus:
    """Partial where some loads were published and some not, or the run broke off; one with nothing to load succeeds."""
    published = sum(load.status.is_published for load in loads)
    if has_ended_well and published == len(loads):
        return RunStatus.SUCCESS
    return RunStatus.PARTIAL if published else RunStatus.FAILED
