"""Gathers what every table of a run shares: live schema, watermarks, a loader for each destination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pyspark.sql import SparkSession

from etl.config.configuration import Configuration
from etl.config.tables.models import PostgreSQLSource
from etl.errors import LockedError
from etl.extract.postgresql.snapshot import SourceSnapshot
from etl.ledger.heartbeat import Heartbeat
from etl.ledger.ledger import Ledger
from etl.ledger.values import Run
from etl.load.base import BaseLoader, LoaderConfig
from etl.load.factory import LoaderFactory
from etl.model import Destination, TableDefinition
from etl.pipeline.assignment import Assignment, Lineage
from etl.pipeline.context import RunContext
from etl.pipeline.options import RunOptions
from etl.pipeline.publication import PublicationOrder
from etl.pipeline.source import ReleaseWhenRead, live_definitions
from etl.pipeline.tables.rejects import RejectsKeptOnce
from etl.pipeline.tables.source_changes import with_gone_columns
from etl.report.commands import Commands
from etl.report.progress import Progress


def reading_context(
    configuration: Configuration,
    options: RunOptions,
    assignment: Assignment,
    spark: SparkSession,
    ledger: Ledger,
    progress: Progress,
    run: Run,
    snapshot: SourceSnapshot | None,
) -> RunContext:
    """Enough to read and plan; a rehearsal has no more, and watermarks only where a ledger stands."""
    watermarks = ledger.watermarks() if ledger.exists() else {}
    live = live_definitions(configuration, assignment.work, snapshot)
    # files say what columns they have when they are read
    tables = [work.table for work in assignment.work if isinstance(work.table.source, PostgreSQLSource)]
    definitions = with_gone_columns(live, tables, watermarks)
    return RunContext(
        run=run,
        options=options,
        configuration=configuration,
        spark=spark,
        ledger=ledger,
        loaders=_loaders(configuration, options, assignment.destinations, spark, ledger, run, definitions),
        definitions=definitions,
        watermarks=watermarks,
        order=PublicationOrder([work.table.name for work in assignment.work], definitions),
        progress=progress,
        snapshot=snapshot,
    )


def running_context(
    configuration: Configuration,
    options: RunOptions,
    assignment: Assignment,
    spark: SparkSession,
    ledger: Ledger,
    progress: Progress,
    run: Run,
    snapshot: SourceSnapshot | None,
    heartbeat: Heartbeat,
) -> RunContext:
    """The same for a run that loads: alive by its heartbeat, and heir to the runs that it continues."""
    context = reading_context(configuration, options, assignment, spark, ledger, progress, run, snapshot)
    lineage = assignment.lineage or Lineage(())
    earlier_loaders = {
        (ancestor.run_id, destination): loader
        for ancestor in lineage.runs
        for destination, loader in _loaders(
            configuration, options, assignment.destinations, spark, ledger, ancestor, context.definitions
        ).items()
    }
    return replace(
        context,
        frozen=lineage.frozen,
        earlier=lineage.begun,
        earlier_loaders=earlier_loaders,
        live_runs=ledger.live_runs(),
        require_alive=lambda: _require_alive(heartbeat, run, Commands(options.config_dir).resume(run.run_id)),
        snapshot_is_read=ReleaseWhenRead(snapshot, len(assignment.work)),
    )


def _require_alive(heartbeat: Heartbeat, run: Run, command: str) -> None:
    if heartbeat.lost.is_set():
        raise LockedError(
            f"run {run.run_id} was declared dead: its heartbeat did not reach the ledger for a minute, so that another "
            f"run may be loading the same tables; check the ledger's server, then {command}"
        )


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
    config = LoaderConfig(
        settings=settings,
        run_id=run.run_id,
        run_number=run.run_number,
        definitions=definitions,
        tables=configuration.tables,
        validate=options.validate and settings.run.validate_loads,
        keep_rejects=RejectsKeptOnce(ledger, run.run_id),
        # PostgreSQL's rows and the ledger live in one database: servers.py refuses a run where they do not
        record=lambda cursor, result: ledger.complete_load(run.run_id, result, cursor),
    )
    return {destination: LoaderFactory.get_loader(destination, spark, settings, config) for destination in destinations}
