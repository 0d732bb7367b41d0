"""Gathers what every table of a run shares: live schema, watermarks, a loader for each destination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from etl.errors import LockedError
from etl.extract.factory import Sources
from etl.ledger.heartbeat import Heartbeat
from etl.ledger.values import Run
from etl.load.base import BaseLoader, LoaderConfig
from etl.load.factory import LoaderFactory
from etl.model import Destination, TableDefinition
from etl.pipeline.assignment import Assignment, Lineage
from etl.pipeline.context import Job, RunContext
from etl.pipeline.publication import PublicationOrder
from etl.pipeline.source import ReleaseWhenRead, live_definitions
from etl.pipeline.tables.rejects import RejectsKeptOnce
from etl.pipeline.tables.source_changes import with_gone_columns
from etl.report.commands import Commands


def reading_context(job: Job, assignment: Assignment, run: Run, sources: Sources) -> RunContext:
    """Enough to read and plan; a rehearsal has no more, and watermarks only where a ledger stands."""
    watermarks = job.ledger.watermarks() if job.ledger.exists() else {}
    live = live_definitions(job.configuration, assignment.work, sources)
    tables = [work.table for work in assignment.work if sources.of(work.table).knows_columns]
    definitions = with_gone_columns(live, tables, watermarks)
    return RunContext(
        **vars(job),
        run=run,
        sources=sources,
        loaders=_loaders(job, assignment.destinations, run, definitions),
        definitions=definitions,
        watermarks=watermarks,
        order=PublicationOrder([work.table.name for work in assignment.work], definitions),
    )


def running_context(job: Job, assignment: Assignment, run: Run, sources: Sources, heartbeat: Heartbeat) -> RunContext:
    """The same for a run that loads: alive by its heartbeat, and heir to the runs that it continues."""
    context = reading_context(job, assignment, run, sources)
    lineage = assignment.lineage or Lineage(())
    earlier_loaders = {
        (ancestor.run_id, destination): loader
        for ancestor in lineage.runs
        for destination, loader in _loaders(job, assignment.destinations, ancestor, context.definitions).items()
    }
    return replace(
        context,
        frozen=lineage.frozen,
        earlier=lineage.begun,
        earlier_loaders=earlier_loaders,
        live_runs=job.ledger.live_runs(),
        require_alive=lambda: _require_alive(heartbeat, run, Commands(job.options.config_dir).resume(run.run_id)),
        sources_are_read=ReleaseWhenRead(sources, len(assignment.work)),
    )


def _require_alive(heartbeat: Heartbeat, run: Run, command: str) -> None:
    if heartbeat.lost.is_set():
        raise LockedError(
            f"run {run.run_id} was declared dead: its heartbeat did not reach the ledger for a minute, so that another "
            f"run may be loading the same tables; check the ledger's server, then {command}"
        )


def _loaders(
    job: Job, destinations: Sequence[Destination], run: Run, definitions: Mapping[str, TableDefinition]
) -> dict[Destination, BaseLoader[Any]]:
    settings, ledger = job.settings, job.ledger
    config = LoaderConfig(
        settings=settings,
        run_id=run.run_id,
        run_number=run.run_number,
        started_at=run.started_at,
        definitions=definitions,
        tables=job.configuration.tables,
        validate=job.options.validate and settings.run.validate_loads,
        keep_rejects=RejectsKeptOnce(ledger, run.run_id),
        # PostgreSQL's rows and the ledger live in one database: servers.py refuses a run where they do not
        record=lambda cursor, result: ledger.complete_load(run.run_id, result, cursor),
        hold_fence=ledger.hold_fence,
    )
    return {
        destination: LoaderFactory.get_loader(destination, job.spark, settings, config) for destination in destinations
    }
