"""`python -m etl.staging load | retry | cancel | status | init | migrate`: JSON records into stg_* tables.

Exit codes: 0 all stored, 1 some were not (run partial or failed), 2 bad use, configuration or database, before anything
was written, 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import getpass
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console

from etl.command.logging import LogFormat, configure_logging
from etl.config.configuration import DEFAULT_CONFIG_DIR
from etl.config.staging.jobs import StagingConfiguration, load_staging_configuration
from etl.config.staging.models import StagingJob
from etl.errors import ConfigurationError, EtlError, UsageError
from etl.names import let_output_hold_anything, path_of
from etl.report.commands import Commands
from etl.staging.batch.rules import database_of, table_of
from etl.staging.command.rendering import (
    SHOWN_BATCHES,
    print_batches,
    print_cancelled,
    print_runs,
    print_summary,
)
from etl.staging.database.checks import check_database, check_ledger
from etl.staging.database.database import StagingDatabase
from etl.staging.database.installation import install, install_ledger
from etl.staging.ledger.ledger import StagingLedger
from etl.staging.loader import BrokenOffError, LoadOptions, StagingLoader, Summary
from etl.staging.migrate import MigrationSettings, plan_migration, run_migration, set_ledger_aside
from etl.staging.migrate import check_database as check_migration
from etl.staging.migrate.rendering import print_nothing_to_adopt, print_plan, print_report
from etl.staging.sources.factory import naming_files, open_source
from etl.staging.sources.spool import Spool
from etl.staging.watch.metrics import Metrics
from etl.staging.watch.observers import Observer
from etl.staging.watch.progress import ProgressBar

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False, help=__doc__)

ConfigDir = Annotated[Path, typer.Option(help="The folder that holds staging/*.yaml and, if need be, etl.yaml.")]
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
LogOption = Annotated[LogFormat | None, typer.Option(help="Default: console on a terminal, else JSON.")]
MetricsPort = Annotated[
    int | None, typer.Option(min=1, max=65535, help="Serve Prometheus metrics here while the run goes.")
]
PushGateway = Annotated[str | None, typer.Option(help="Push the metrics there at the end, as host:port.")]
RejectDir = Annotated[Path | None, typer.Option(help="Where the file of rejected records goes; .data/rejects.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


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
    push_gateway: PushGateway = None,
    reject_dir: RejectDir = None,
    log_format: LogOption = None,
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Load a job's records."""
    metrics = Metrics()
    options = LoadOptions(run_id=run_id, force=force, retries=retries, reject_dir=reject_dir)
    with _configured(config_dir, log_format) as configuration:
        chosen = configuration.job(job, batch_size, workers, file or (), maximum_rejected)
        source = open_source(chosen, configuration)
        with _database(configuration, chosen) as database:
            loader = StagingLoader(database, _observers(metrics, metrics_port, log_format))
            summary = loader.load(naming_files(chosen, source), source, options)
    _end(summary, metrics, push_gateway, as_json, config_dir)


@app.command()
def retry(
    run: Annotated[str, typer.Option(help="The run whose batches to run again.")],
    batch: Annotated[list[int] | None, typer.Option(help="Only this batch; may be repeated.")] = None,
    workers: Workers = None,
    retries: Retries = None,
    maximum_rejected: MaximumRejected = None,
    force: Force = False,
    metrics_port: MetricsPort = None,
    push_gateway: PushGateway = None,
    reject_dir: RejectDir = None,
    log_format: LogOption = None,
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Run what a run left: failed batches, those a kill broke off, input that was never read."""
    metrics = Metrics()
    options = LoadOptions(force=force, retries=retries, reject_dir=reject_dir)
    with _configured(config_dir, log_format) as configuration:
        chosen = _job_of(configuration, run, workers, maximum_rejected)
        source = open_source(chosen, configuration, is_retry=True)
        with _database(configuration, chosen) as database:
            loader = StagingLoader(database, _observers(metrics, metrics_port, log_format))
            summary = loader.retry(chosen, source, run, batch or (), options)
    _end(summary, metrics, push_gateway, as_json, config_dir)


@app.command()
def cancel(
    run: Annotated[str, typer.Option(help="The run to end after the batches in flight.")],
    force: Annotated[bool, typer.Option("--force", help="End it now: its process has died.")] = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """End a run between two batches; what is stored stays."""
    with _configured(config_dir) as configuration, _database(configuration) as database:
        check_database(database)
        print_cancelled(StagingLoader(database).cancel(run, getpass.getuser(), force=force), _console())


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
    with _configured(config_dir) as configuration, _database(configuration) as database:
        check_ledger(database)
        ledger = StagingLedger(database)
        ledger.bury_dead_runs()
        runs = [ledger.get_run(run)] if run else ledger.recent_runs(job, limit)
        # on the screen only the beginning, and how many more there are
        found = ledger.batches(run, only_open=is_open) if run else iter(())
        batches = list(found if as_json else islice(found, SHOWN_BATCHES))
        kept = Spool(configuration.spool_dir).leftovers()
    if as_json:
        print(orjson.dumps({"runs": runs, "batches": batches}).decode())
        return
    print_runs(runs, _console())
    if run:
        print_batches(batches, runs[0], _console(), only_open=is_open)
    for run_id, count in kept.items():
        print(f"{run_id}: {count} batches wait in the spool for `retry`")


@app.command()
def init(
    job: Annotated[list[str] | None, typer.Argument(metavar="[JOB]...", help="Default: all jobs.")] = None,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Create the staging ledger and the jobs' tables; what stands already is left as it is."""
    with _configured(config_dir) as configuration, _database(configuration) as database:
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
) -> None:
    """Bring existing stg_* tables to the contract while writers write. Needs a direct connection, not a pooler."""
    with _configured(config_dir, log_format) as configuration, _database(configuration) as database:
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
                print_nothing_to_adopt(settings.schema, _console())
            print_plan(plan, _console())
            return
        check_migration(database.settings, settings)
        if adopt_ledger:
            set_ledger_aside(database.settings, settings)
        install_ledger(database)
        report = run_migration(database.settings, settings)
    if adopt_ledger and not report.adopted:
        print_nothing_to_adopt(settings.schema, _console())
    print_report(report, _console())
    if not report.is_success:
        raise typer.Exit(EXIT_FAILED)


def _job_of(
    configuration: StagingConfiguration, run_id: str, workers: int | None, maximum_rejected: str | None
) -> StagingJob:
    """The job of a run, with the files it read and the batch size that they were cut with."""
    with _database(configuration) as database:
        run = StagingLedger(database).get_run(run_id)
    read = run.parameters.get("source", {})
    is_same_kind = read.get("type") == configuration.job(run.etl_job_id).source.type
    files = [str(path_of(name)) for name in read.get("path", ())] if is_same_kind else []
    return configuration.job(run.etl_job_id, run.batch_size, workers, files, maximum_rejected)


class _Terminated(KeyboardInterrupt):
    """Whoever stops services says SIGTERM: the run ends as it does by Ctrl-C, and is not left for dead."""


def _terminate(*_: object) -> None:
    raise _Terminated


@contextmanager
def _configured(config_dir: Path, log_format: LogFormat | None = None) -> Iterator[StagingConfiguration]:
    """Our errors become one line and an exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        configuration = load_staging_configuration(config_dir, os.environ)
        configure_logging(
            log_format or (LogFormat.CONSOLE if sys.stderr.isatty() else LogFormat.JSON),
            secrets=(configuration.database.password.get_secret_value(),),
        )
        yield configuration
    except BrokenOffError as error:
        typer.echo(error.message, err=True)
        raise typer.Exit(EXIT_FAILED) from None
    except (UsageError, ConfigurationError) as error:
        typer.echo(error.message, err=True)
        raise typer.Exit(EXIT_USAGE) from None
    except EtlError as error:
        # what goes wrong after a run has begun ends in its status: this was before
        typer.echo(error.message, err=True)
        raise typer.Exit(EXIT_USAGE) from None
    except KeyboardInterrupt as stopped:
        is_terminated = isinstance(stopped, _Terminated)
        how = "terminated" if is_terminated else "interrupted"
        typer.echo(f"{how}; the batches that were stored stay, `retry` runs the rest", err=True)
        raise typer.Exit(EXIT_TERMINATED if is_terminated else EXIT_INTERRUPTED) from None


@contextmanager
def _database(configuration: StagingConfiguration, job: StagingJob | None = None) -> Iterator[StagingDatabase]:
    with closing(database_of(job, configuration.database, configuration.schema_name)) as database:
        yield database


def _observers(metrics: Metrics, metrics_port: int | None, log_format: LogFormat | None) -> list[Observer]:
    if metrics_port:
        metrics.serve(metrics_port)
    console = Console(stderr=True)
    bar: list[Observer] = [ProgressBar(console)] if console.is_terminal and log_format is not LogFormat.JSON else []
    return [metrics, *bar]


def _end(summary: Summary, metrics: Metrics, push_gateway: str | None, as_json: bool, config_dir: Path) -> None:
    if push_gateway:
        metrics.push(push_gateway)
    if as_json:
        print(orjson.dumps(summary.run).decode())
    else:
        print_summary(summary, _console(), Commands(None if config_dir == DEFAULT_CONFIG_DIR else config_dir))
    if not summary.is_success:
        raise typer.Exit(EXIT_FAILED)


def _console() -> Console:
    """Wide enough not to break identifiers where nobody watches."""
    console = Console()
    return console if console.is_terminal else Console(width=220)


if __name__ == "__main__":
    let_output_hold_anything()
    app(prog_name="python -m etl.staging")
