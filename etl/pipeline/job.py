"""The main job from its command line to its exit code."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing

import structlog
from pydantic import SecretStr
from pyspark.sql import SparkSession
from rich.console import Console

from etl.config.configuration import Configuration, load_configuration
from etl.config.models import TableConfig
from etl.config.settings import PostgreSQLSettings, Settings
from etl.errors import ConfigurationError, EtlError, UsageError
from etl.ledger.ledger import Ledger
from etl.model import Destination, RunStatus
from etl.pipeline.assignment import Assignment, new_assignment, resumed_assignment, resumed_options
from etl.pipeline.options import EXIT_FAILED, EXIT_LOADED, EXIT_USAGE, RunOptions, parse_options
from etl.pipeline.rehearsal import rehearse
from etl.pipeline.run import run_tables
from etl.report.json_report import check_report_path, write_report
from etl.report.logging import LogFormat, configure_logging
from etl.report.progress import open_progress
from etl.report.summary import print_summary
from etl.report.values import report_of
from etl.spark import build_session, configure_s3
from etl.transform.check import check_expressions

log = structlog.get_logger(__name__)


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """0 all loaded or unchanged, 1 something failed, 2 bad use or configuration."""
    try:
        options = parse_options(arguments)
        configuration = load_configuration(options.config_dir, environ)
        tables = configuration.select(options.tables, options.domains, options.exclude)
        destinations = _destinations(configuration, options)
        if options.report:
            check_report_path(options.report)
        configure_logging(LogFormat(options.log_format), secrets=secrets_of(configuration.settings))
        return _run(configuration, options, tables, destinations)
    except (UsageError, ConfigurationError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command line's own answer, before any log
        return EXIT_USAGE
    except EtlError as error:
        log.error("run failed", error=str(error), error_class=type(error).__name__)
        return EXIT_FAILED


def _destinations(configuration: Configuration, options: RunOptions) -> tuple[Destination, ...]:
    """Those asked for; for a bare --load every one that is configured."""
    settings = configuration.settings
    configured = {
        Destination.S3: settings.s3,
        Destination.POSTGRESQL: settings.postgresql,
        Destination.CLICKHOUSE: settings.clickhouse,
    }
    chosen = options.destinations or tuple(name for name, server in configured.items() if server is not None)
    missing = [name.value for name in chosen if configured[name] is None]
    if missing or not chosen:
        raise UsageError(
            f"expected servers for {', '.join(missing) or 'at least one destination'}, found none configured; "
            "set their variables or entries in etl.yaml (docs/configuration.md)"
        )
    return chosen


def _run(
    configuration: Configuration,
    options: RunOptions,
    tables: Sequence[TableConfig],
    destinations: tuple[Destination, ...],
) -> int:
    ledger_settings = _ledger_settings(configuration)
    spark = build_session()
    check_expressions(spark, tables, configuration.definitions)
    if configuration.settings.s3:
        configure_s3(spark, configuration.settings.s3)
    with closing(Ledger(ledger_settings, secrets=secrets_of(configuration.settings))) as ledger:
        if options.dry_run or not (options.load or options.resume):
            return rehearse(configuration, options, new_assignment(tables, destinations), spark, ledger)
        ledger.migrate()
        for run_id in ledger.mark_dead_runs():
            log.warning("dead run found", run_id=run_id, next_step=f"--resume {run_id}")
        assignment = _assignment(configuration, options, ledger, tables, destinations)
        return _load(configuration, options, assignment, spark, ledger)


def _assignment(
    configuration: Configuration,
    options: RunOptions,
    ledger: Ledger,
    tables: Sequence[TableConfig],
    destinations: tuple[Destination, ...],
) -> Assignment:
    if options.resume:
        return resumed_assignment(configuration, ledger, options.resume)
    return new_assignment(tables, destinations)


def _load(
    configuration: Configuration, options: RunOptions, assignment: Assignment, spark: SparkSession, ledger: Ledger
) -> int:
    if assignment.earlier:
        options = resumed_options(options, assignment.earlier)
    with open_progress(LogFormat(options.log_format)) as progress:
        run = run_tables(configuration, options, assignment, spark, ledger, progress)
        report = report_of(run, ledger.loads(run.run_id))
        progress.run_finished(report)
    if options.log_format == LogFormat.CONSOLE:
        print_summary(report, Console(file=sys.stderr))
    if options.report:
        write_report(report, options.report)
    return EXIT_LOADED if run.status is RunStatus.SUCCESS else EXIT_FAILED


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Every secret value of the configuration, for the filters of logs and reports."""
    servers = (settings.source, settings.ledger, settings.postgresql, settings.clickhouse, settings.s3)
    values = [settings.hash_salt, *(value for server in servers if server is not None for _, value in server)]
    return tuple(
        value.get_secret_value() for value in values if isinstance(value, SecretStr) and value.get_secret_value()
    )


def _ledger_settings(configuration: Configuration) -> PostgreSQLSettings:
    if configuration.settings.ledger is None:
        raise UsageError("expected a PostgreSQL database for the ledger, found none; set ETL_POSTGRES_URL")
    return configuration.settings.ledger
