"""`etl staging load | retry | cancel | status | worker | init | migrate`: JSON records into stg_* tables.

Exit codes: 0 all stored, 1 some were not (run partial or failed), 2 bad use, configuration or database, before anything
was written, 75 not begun yet (of a worker's load: its request waits), 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from etl.command.console import print_json, table_console, watched_console
from etl.command.edge import Edge, run_tool, tool
from etl.command.exits import Exit
from etl.command.logging import LogFormat, configure_logging, default_log_format
from etl.command.options import AsJson, ConfigDir, LogOption, MetricsPort, Pushgateway
from etl.config.staging.jobs import StagingConfiguration, load_staging_configuration
from etl.config.staging.models import StagingJob
from etl.errors import EtlError, InputAwayError, LockedError, NotYetError, TransientError
from etl.project import DEFAULT_CONFIG_DIR
from etl.report.commands import Commands
from etl.staging.batch.rules import database_of, table_of
from etl.staging.command.rendering import (
    SHOWN_BATCHES,
    print_batches,
    print_cancelled,
    print_runs,
    print_summary,
    print_waiting,
)
from etl.staging.database.checks import check_database, check_ledger
from etl.staging.database.database import StagingDatabase
from etl.staging.database.installation import install, install_ledger
from etl.staging.ledger.ledger import StagingLedger
from etl.staging.ledger.parameters import files_read
from etl.staging.ledger.requests import Requests
from etl.staging.loader import BrokenOffError, LoadOptions, StagingLoader, Summary
from etl.staging.migrate import MigrationSettings, plan_migration, run_migration, set_ledger_aside
from etl.staging.migrate import check_database as check_migration
from etl.staging.migrate.rendering import print_nothing_to_adopt, print_plan, print_report
from etl.staging.sources.factory import open_source
from etl.staging.sources.spool import Spool
from etl.staging.watch.alerting import RunAlerts
from etl.staging.watch.batch_lines import BatchLines
from etl.staging.watch.metrics import Metrics
from etl.staging.watch.observers import Observer
from etl.staging.watch.progress import ProgressBar
from etl.staging.work.loads import start_load
from etl.staging.work.worker import Worker


def exit_of(error: EtlError) -> Exit:
    """What goes wrong after a run has begun ends in its status: all else was before."""
    if isinstance(error, NotYetError):
        return Exit.NOT_YET
    return Exit.FAILED if isinstance(error, BrokenOffError) else Exit.USAGE


app = tool(__doc__, Edge(exit_of, what_stays="the batches that were stored stay, `retry` runs the rest"))

JobId = Annotated[str, typer.Argument(metavar="JOB", help="As conf/staging names it.")]
Force = Annotated[
    bool, typer.Option("--force", help="Although another run of the job is under way, or newer, or this one may be.")
]
Workers = Annotated[int | None, typer.Option(min=1, max=64, help="Batches in flight.")]
Retries = Annotated[
    int | None,
    typer.Option(min=0, max=100, help="Of a batch, after a lost connection and the like."),
]
MaximumRejected = Annotated[
    str | None,
    typer.Option(metavar="COUNT|SHARE", help="How many records may be rejected: 100, or 5%; before the job's own."),
]
RequestId = Annotated[int | None, typer.Option("--request", hidden=True, help="That a worker has claimed.")]
RejectDir = Annotated[Path | None, typer.Option(help="Where the file of rejected records goes; .data/rejects.")]


@app.command()
def load(
    job: JobId,
    file: Annotated[list[str] | None, typer.Option(help="Instead of the job's paths; may be repeated.")] = None,
    run_id: Annotated[str | None, typer.Option(help="Text of letters, digits, _ and -; default: made up.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="100 to 10,000; before ETL_BATCH_SIZE and the job.")] = None,
    workers: Workers = None,
    retries: Retries = None,
    maximum_rejected: MaximumRejected = None,
    force: Force = False,
    metrics_port: MetricsPort = None,
    pushgateway: Pushgateway = None,
    reject_dir: RejectDir = None,
    request: RequestId = None,
    log_format: LogOption = None,
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> int:
    """Load a job's records."""
    metrics = Metrics()
    options = LoadOptions(run_id=run_id, force=force, retries=retries, reject_dir=reject_dir, request_id=request)
    configuration = _configured(config_dir, log_format)
    chosen = configuration.job(job, batch_size, workers, file or (), maximum_rejected)
    alerts = RunAlerts(configuration, chosen, Commands.of(config_dir))
    with alerts.of_breaking_off():
        source = open_source(chosen, configuration)
        with _beginning(request), _database(configuration, chosen) as database:
            loader = StagingLoader(database, _observers(metrics, metrics_port, log_format))
            summary = loader.load(chosen, source, options)
            alerts.tell(database, summary.run)
    return _end(summary, metrics, pushgateway, as_json, config_dir)


@app.command()
def retry(
    run: Annotated[str, typer.Option(help="The run whose batches to run again.")],
    batch: Annotated[list[int] | None, typer.Option(help="Only this batch; may be repeated.")] = None,
    workers: Workers = None,
    retries: Retries = None,
    maximum_rejected: MaximumRejected = None,
    force: Force = False,
    metrics_port: MetricsPort = None,
    pushgateway: Pushgateway = None,
    reject_dir: RejectDir = None,
    request: RequestId = None,
    log_format: LogOption = None,
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> int:
    """Run what a run left: failed batches, those a kill broke off, input that was never read."""
    metrics = Metrics()
    options = LoadOptions(force=force, retries=retries, reject_dir=reject_dir)
    configuration = _configured(config_dir, log_format)
    with _beginning(request):
        chosen = _job_of(configuration, run, workers, maximum_rejected)
    alerts = RunAlerts(configuration, chosen, Commands.of(config_dir))
    with alerts.of_breaking_off():
        source = open_source(chosen, configuration, is_retry=True)
        with _beginning(request), _database(configuration, chosen) as database:
            if request is not None:
                asked = Requests(database).get(request).parameters
                batch = asked.get("batch_indexes")
                options = replace(
                    options, request_id=request, includes_permanent=asked.get("includes_permanent", False)
                )
            loader = StagingLoader(database, _observers(metrics, metrics_port, log_format))
            summary = loader.retry(chosen, source, run, batch or (), options)
            alerts.tell(database, summary.run)
    return _end(summary, metrics, pushgateway, as_json, config_dir)


@app.command()
def cancel(
    run: Annotated[str, typer.Option(help="The run to end after the batches in flight.")],
    force: Annotated[bool, typer.Option("--force", help="End it now: its process has died.")] = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """End a run between two batches; what is stored stays."""
    configuration = _configured(config_dir)
    with _database(configuration) as database:
        check_database(database)
        print_cancelled(StagingLoader(database).cancel(run, getpass.getuser(), force=force), table_console())


@app.command()
def status(
    run: Annotated[str | None, typer.Option(help="One run, with its batches.")] = None,
    job: Annotated[str | None, typer.Option(help="Only runs of this job.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the latest first.")] = 20,
    is_open: Annotated[bool, typer.Option("--open", help="Of a run, only batches that are not stored.")] = False,
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Show the latest runs, or one with its batches; runs whose process died are found and said to be so."""
    configuration = _configured(config_dir)
    with _database(configuration) as database:
        check_ledger(database)
        ledger = StagingLedger(database)
        ledger.bury_dead_runs()
        runs = [ledger.get_run(run)] if run else ledger.recent_runs(job, limit)
        # on the screen only the beginning, and how many more there are
        found = ledger.batches(run, only_open=is_open) if run else iter(())
        batches = list(found if as_json else islice(found, SHOWN_BATCHES))
        kept = Spool(configuration.spool_dir).leftovers()
        waiting = [] if run else Requests(database).waiting()
    if as_json:
        print_json({"runs": runs, "batches": batches})
        return
    print_runs(runs, table_console())
    if run:
        print_batches(batches, runs[0], table_console(), only_open=is_open)
    print_waiting(waiting, table_console())
    for run_id, count in kept.items():
        print(f"{run_id}: {count} batches wait in the spool for `retry`")


@app.command()
def worker(
    loads: Annotated[int, typer.Option(min=1, max=64, help="At most so many at once.")] = 2,
    once: Annotated[bool, typer.Option("--once", help="End when nothing waits and its loads have ended.")] = False,
    log_format: LogOption = None,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Begin what was asked for through the ledger, each load as a process of its own; any number of workers."""
    configuration = _configured(config_dir, log_format)
    with _database(configuration) as database:
        check_database(database)
        Worker(database, partial(start_load, config_dir=config_dir), loads).run(once=once)


@app.command()
def init(
    job: Annotated[list[str] | None, typer.Argument(metavar="[JOB]...", help="Default: all jobs.")] = None,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Create the staging ledger and the jobs' tables; what stands already is left as it is."""
    configuration = _configured(config_dir)
    with _database(configuration) as database:
        jobs = [configuration.job(each) for each in job] if job else list(configuration.jobs.values())
        made = install(database, map(table_of, jobs))
    for name in made:
        print(f"created {name}")
    if not made:
        print("all stand already")


@app.command("migrate")
def migrate_tables(
    pattern: Annotated[str, typer.Option(help="Which tables; % stands for anything.")] = "stg_%",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan; nothing is touched.")] = False,
    historical_job: Annotated[str, typer.Option(help="The job of rows whose job is not known.")] = "historical",
    historical_run: Annotated[str, typer.Option(help="The run of rows whose run is not known.")] = "historical",
    time_zone: Annotated[str, typer.Option(help="Of instants that were stored without one.")] = "UTC",
    gin_index: Annotated[bool, typer.Option("--gin-index", help="A GIN index on data, too.")] = False,
    adopt_ledger: Annotated[
        bool, typer.Option("--adopt-ledger", help="Take over etl_jobs and etl_runs of another system, and keep them.")
    ] = False,
    log_format: LogOption = None,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> int:
    """Bring existing stg_* tables to the contract while writers write. Needs a direct connection, not a pooler."""
    configuration = _configured(config_dir, log_format)
    with _database(configuration) as database:
        settings = MigrationSettings(
            schema=configuration.schema_name,
            pattern=pattern,
            historical_job_id=historical_job,
            historical_run_id=historical_run,
            time_zone=time_zone,
            has_gin_index=gin_index,
            adopts_ledger=adopt_ledger,
        )
        if dry_run:
            plan = plan_migration(database.settings, settings)
            if adopt_ledger and not plan.adopted:
                print_nothing_to_adopt(settings.schema, table_console())
            print_plan(plan, table_console())
            return Exit.DONE
        check_migration(database.settings, settings)
        if adopt_ledger:
            set_ledger_aside(database.settings, settings)
        install_ledger(database)
        report = run_migration(database.settings, settings)
    if adopt_ledger and not report.adopted:
        print_nothing_to_adopt(settings.schema, table_console())
    print_report(report, table_console())
    return Exit.DONE if report.is_success else Exit.FAILED


def _job_of(
    configuration: StagingConfiguration, run_id: str, workers: int | None, maximum_rejected: str | None
) -> StagingJob:
    """The job of a run, with the files it read and the batch size that they were cut with."""
    with _database(configuration) as database:
        check_ledger(database)
        run = StagingLedger(database).get_run(run_id)
    read = run.parameters.get("source", {})
    is_same_kind = read.get("type") == configuration.job(run.etl_job_id).source.type
    files = [str(each) for each in files_read(run.parameters)] if is_same_kind else []
    return configuration.job(run.etl_job_id, run.batch_size, workers, files, maximum_rejected)


@contextmanager
def _beginning(request: int | None) -> Iterator[None]:
    """Who types a command is told at once; a request can wait until its time has come."""
    try:
        yield
    except (TransientError, LockedError, InputAwayError) as error:
        if request is None:
            raise
        raise NotYetError(error.message) from error


def _configured(config_dir: Path, log_format: LogFormat | None = None) -> StagingConfiguration:
    configuration = load_staging_configuration(config_dir, os.environ)
    secrets = (configuration.database.password.get_secret_value(),)
    configure_logging(log_format or default_log_format(), secrets=secrets)
    return configuration


@contextmanager
def _database(configuration: StagingConfiguration, job: StagingJob | None = None) -> Iterator[StagingDatabase]:
    with closing(database_of(job, configuration.database, configuration.schema_name)) as database:
        yield database


def _observers(metrics: Metrics, metrics_port: int | None, log_format: LogFormat | None) -> list[Observer]:
    if metrics_port:
        metrics.serve(metrics_port)
    if console := watched_console(log_format):
        return [metrics, ProgressBar(console)]
    is_for_programs = (log_format or default_log_format()) is LogFormat.JSON
    return [metrics, BatchLines()] if is_for_programs else [metrics]


def _end(summary: Summary, metrics: Metrics, pushgateway: str | None, as_json: bool, config_dir: Path) -> int:
    if pushgateway:
        metrics.push(pushgateway)
    if as_json:
        print_json(summary.run)
    else:
        print_summary(summary, table_console(), Commands.of(config_dir))
    return Exit.DONE if summary.is_success else Exit.FAILED


if __name__ == "__main__":
    run_tool(app, "python -m etl.staging")
