"""Tries the waiting rows again, as the next run would: a run of its own, the tables' leases, one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from etl.config.configuration import Configuration
from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.destinations.postgresql.rules import require_one_database
from etl.errors import UsageError
from etl.ledger import Ledger, NewRun
from etl.load.base import LoaderConfig
from etl.load.postgresql.publication.replay import replay_waiting
from etl.load.postgresql.retries import loading_again
from etl.model import Destination, LoadResult
from etl.pipeline.order import publication_units


def retry_waiting(configuration: Configuration, ledger: Ledger, tables: Sequence[str] = ()) -> list[LoadResult]:
    """One result a table with waiting rows (of `tables`, or all); rows that still wait count as rejected."""
    require_one_database(configuration.settings)
    configs = waiting_configs(configuration, ledger.waiting_tables(), tables)
    if not configs:
        return []
    names = tuple(config.table_name for config in configs)
    with (
        ledger.own_run(NewRun((Destination.POSTGRESQL,), names, {"command": "rejects retry"})) as run,
        ExitStack() as leases,
    ):
        loader_config = LoaderConfig(
            settings=configuration.settings,
            run_id=run.run_id,
            run_number=run.run_number,
            definitions=configuration.definitions,
            hold_fence=ledger.hold_fence,
        )
        for name in names:
            seconds = configuration.settings.run.lock_timeout_seconds
            leases.enter_context(ledger.lease(run.run_id, name, Destination.POSTGRESQL, seconds))
        return loading_again(configuration.settings.run, ", ".join(names))(replay_waiting, configs, loader_config)


def waiting_configs(
    configuration: Configuration, waiting: Sequence[str], tables: Sequence[str] = ()
) -> list[PostgreSQLTableLoadConfig]:
    """The PostgreSQL entries of the waiting tables, parents first; UsageError for a name that no entry has."""
    asked = {configuration.table(name).name for name in tables} or set(configuration.tables)
    unknown = sorted(set(waiting) - set(configuration.tables))
    if unknown and not tables:
        raise UsageError(
            f"rows wait for tables that the configuration no longer has: {', '.join(unknown)};"
            " restore their entries, or name the others with --table"
        )
    units = publication_units(configuration.tables, configuration.definitions)
    ordered = [name for unit in units for name in unit if name in asked and name in waiting]
    entries = (configuration.get_table_load_config(name, Destination.POSTGRESQL) for name in ordered)
    return [entry for entry in entries if isinstance(entry, PostgreSQLTableLoadConfig)]
