"""The main job from its command line to its exit code."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

import structlog
from rich.console import Console

from etl.command.edge import Edge, say
from etl.command.exits import Exit
from etl.command.logging import LogFormat, configure_logging
from etl.config.configuration import Configuration, load_configuration
from etl.config.effective import effective
from etl.config.servers import secrets_of
from etl.config.settings import Settings, ledger_settings
from etl.config.tables.models import TableConfig
from etl.errors import EtlError, TerminalError
from etl.extract.factory import require_sources
from etl.interruption import interruptible, listen
from etl.ledger.ledger import Ledger
from etl.ledger.runs import new_run_id
from etl.ledger.values import RejectFilter, Run, Watermark
from etl.load.factory import loader_modules
from etl.model import Destination, RunStatus
from etl.names import let_output_hold_anything
from etl.pipeline.alerting import RunAlerts, resume_command
from etl.pipeline.assignment import (
    Assignment,
    new_assignment,
    requested_assignment,
    resumed_assignment,
    resumed_options,
)
from etl.pipeline.context import Job
from etl.pipeline.lineage import require_lineage, tell_lineage
from etl.pipeline.options import (
    RunOptions,
    parse_options,
)
from etl.pipeline.rehearsal import rehearse
from etl.pipeline.run import run_tables, start_run
from etl.pipeline.servers import configured_destinations, require_databases, require_servers
from etl.postgresql.lookout import waits_told
from etl.report.commands import Commands
from etl.report.json_report import check_report_path, write_report
from etl.report.metrics import LoadMetrics
from etl.report.progress import LogProgress, Progress, open_progress, working
from etl.report.summary import print_summary
from etl.report.values import report_of
from etl.retrying import RETRIES, retries_counted
from etl.spark.causes import explaining
from etl.spark.executors import is_local, require_executors
from etl.spark.session import build_session, configure_s3
from etl.transform.check import check_expressions

log = structlog.get_logger(__name__)


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """The exit code; SIGTERM ends a run just as Ctrl-C does, also in its code."""
    let_output_hold_anything()
    RETRIES.clear()
    with interruptible():
        return Edge(tell=_tell).exit_code(lambda: _main(arguments, environ))


def _tell(text: str, code: Exit) -> None:
    """Bad use is the command line's own answer, before any log."""
    if code is Exit.USAGE or not structlog.is_configured():
        say(text)
    elif code is Exit.INTERRUPTED:
        log.error("run interrupted")
    else:
        log.error("run failed", error=text)


def _main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    options = parse_options(arguments)
    configuration = load_configuration(options.config_dir, environ)
    tables = configuration.select(options.tables, options.domains, options.exclude)
    destinations = options.destinations or configured_destinations(configuration.settings)
    if not options.resume:
        require_servers(configuration.settings, destinations)
    if options.report:
        check_report_path(options.report)
    configure_logging(LogFormat(options.log_format), secrets=secrets_of(configuration.settings))
    require_lineage(configuration.settings)
    alerts = RunAlerts(configuration, options)
    with alerts.of_breaking_off(), explaining():
        return _run(configuration, options, tables, destinations, alerts)


def _run(
    configuration: Configuration,
    options: RunOptions,
    tables: Sequence[TableConfig],
    destinations: tuple[Destination, ...],
    alerts: RunAlerts,
) -> int:
    run_id = new_run_id()
    configuration = configuration.of_run(run_id)
    settings = configuration.settings
    ledger_settings(settings)
    log_format = LogFormat(options.log_format)
    with working("starting Spark", log_format):
        spark = build_session()
    listen()
    if not is_local(spark):
        with working("waiting for the cluster's executors", log_format):
            require_executors(spark, loader_modules(destinations))
    with working(f"checking the expressions of {len(tables)} tables", log_format):
        check_expressions(spark, tables, configuration.definitions)
    if settings.s3:
        configure_s3(spark, settings.s3)
    servers = (settings.ledger, settings.source, settings.postgresql)
    with waits_told(servers), closing(_ledger(settings)) as ledger:
        job = Job(configuration, options, spark, ledger, LogProgress())
        if options.dry_run or not (options.load or options.resume):
            return rehearse(job, new_assignment(tables, destinations))
        ledger.migrate()
        _tell_of_dead_runs(ledger, alerts)
        assignment = _assignment(configuration, options, ledger, tables, destinations)
        if assignment.done_by:
            return _tell_again(job, assignment.done_by, alerts)
        require_sources(settings, assignment.tables)
        return _load(job, assignment, run_id, alerts)


def _tell_of_dead_runs(ledger: Ledger, alerts: RunAlerts) -> None:
    for run_id in ledger.mark_dead_runs():
        next_step = resume_command(ledger, run_id)
        log.warning("dead run found", run_id=run_id, next_step=next_step)
        alerts.of_dead_run(run_id, next_step)


def _ledger(settings: Settings) -> Ledger:
    seconds = settings.run.retry_for_seconds if settings.run.retries else 0
    return Ledger(ledger_settings(settings), secrets=secrets_of(settings), retry_for_seconds=seconds)


def _assignment(
    configuration: Configuration,
    options: RunOptions,
    ledger: Ledger,
    tables: Sequence[TableConfig],
    destinations: tuple[Destination, ...],
) -> Assignment:
    if not options.resume:
        return requested_assignment(ledger, options, tables, destinations)
    assignment = resumed_assignment(configuration, ledger, options.resume)
    if assignment.destinations:
        require_servers(configuration.settings, assignment.destinations)
    return assignment


def _load(job: Job, assignment: Assignment, run_id: str, alerts: RunAlerts) -> int:
    """Work begins here: whatever breaks it off, what was loaded until then is reported."""
    options, ledger = job.options, job.ledger
    if assignment.lineage:
        options = resumed_options(options, assignment.lineage.runs[0])
    require_databases(job.settings, assignment.destinations, Commands(options.config_dir))
    run = start_run(ledger, options, assignment, run_id)
    with open_progress(LogFormat(options.log_format), partial(_in_force, job)) as progress:
        try:
            run_tables(replace(job, options=options, progress=progress), assignment, run)
        finally:
            has_succeeded = _report(job, run.run_id, options, progress, alerts)
    return Exit.DONE if has_succeeded else Exit.FAILED


def _tell_again(job: Job, run: Run, alerts: RunAlerts) -> int:
    """The report of the run that did all that is asked for; none begins."""
    log.info("nothing left to do", run_id=run.run_id)
    return Exit.DONE if _report(job, run.run_id, job.options, job.progress, alerts) else Exit.FAILED


def _report(job: Job, run_id: str, options: RunOptions, progress: Progress, alerts: RunAlerts) -> bool:
    """Whether the run is a success and its report is where it was asked for; never hides what broke the run off."""
    ledger = job.ledger
    try:
        run = ledger.get_run(run_id)
        if run is None or run.finished_at is None:
            raise TerminalError(f"expected run {run_id} to have ended in the ledger, found it unfinished or gone")
        rejects = ledger.count_rejects(RejectFilter(run_id=run_id))
        records = ledger.loads(run_id)
        report = report_of(run, records, rejects, retries_counted(), ledger.maintenance(run_id))
        progress.run_finished(report)
        if options.pushgateway or options.metrics_file:
            _tell_metrics(LoadMetrics(report, records, _marks(job)), options)
        if options.log_format == LogFormat.CONSOLE:
            print_summary(report, Console(file=sys.stderr), Commands(options.config_dir))
        if options.report:
            write_report(report, options.report)
        alerts.tell(ledger, report, records)
        tell_lineage(replace(job, options=options), report, records)
    except EtlError as error:
        log.error("run not reported", run_id=run_id, error=str(error))
        return False
    return run.status is RunStatus.SUCCESS


def _in_force(job: Job, table: str) -> Mapping[str, Any]:
    """Nothing for what a resumed run has and the configuration has no more: a line of the log fails no load."""
    config = job.configuration.tables.get(table)
    return effective(config) if config else {}


def _marks(job: Job) -> list[Watermark]:
    """Of the tables that are configured: the age of others is nobody's business any more."""
    return [each for each in job.ledger.watermarks().values() if each.table_name in job.configuration.tables]


def _tell_metrics(metrics: LoadMetrics, options: RunOptions) -> None:
    if options.pushgateway:
        metrics.push(options.pushgateway)
    if options.metrics_file:
        metrics.write(options.metrics_file)
