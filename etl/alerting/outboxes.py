"""The tools whose ledgers are there, each with its outbox."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from etl.alerts.outbox import Outbox, stands
from etl.command.logging import configure_logging, default_log_format
from etl.config.alerts import Tool
from etl.config.configuration import Configuration, load_configuration
from etl.config.servers import secrets_of
from etl.config.settings import ledger_settings
from etl.config.staging.jobs import StagingConfiguration, load_staging_configuration
from etl.errors import UsageError
from etl.ledger import Ledger
from etl.project import DEFAULT_CONFIG_DIR
from etl.report.commands import Commands
from etl.staging.batch.rules import database_of
from etl.staging.database.database import StagingDatabase
from etl.staging.watch.alerting import outbox_of


@dataclass(frozen=True)
class Outboxes:
    """`ledger` and `staging` are None where the tool has not told of anything yet: its tables are not there."""

    configuration: Configuration
    staging_configuration: StagingConfiguration
    commands: Commands
    ledger: Ledger | None
    staging: StagingDatabase | None

    @property
    def outboxes(self) -> Mapping[Tool, Outbox]:
        found: dict[Tool, Outbox] = {}
        if self.ledger is not None:
            found["main"] = self.ledger.outbox()
        if self.staging is not None:
            found["staging"] = outbox_of(self.staging)
        return found


@contextmanager
def opened(config_dir: Path) -> Iterator[Outboxes]:
    """Logging is set up. UsageError where neither tool has a ledger with alerts."""
    configuration = load_configuration(config_dir)
    staging = load_staging_configuration(config_dir, os.environ)
    secrets = secrets_of(configuration.settings)
    configure_logging(default_log_format(), secrets=secrets)
    with ExitStack() as open_until_end:
        ledger = open_until_end.enter_context(closing(Ledger(ledger_settings(configuration.settings), secrets=secrets)))
        database = open_until_end.enter_context(closing(database_of(None, staging.database, staging.schema_name)))
        commands = Commands(None if config_dir == DEFAULT_CONFIG_DIR else config_dir)
        at = Outboxes(
            configuration, staging, commands,
            ledger if stands(ledger.outbox()) else None,
            database if stands(outbox_of(database)) else None,
        )  # fmt: skip
        if not at.outboxes:
            raise UsageError("no ledger has alerts yet: its tables are made by the first run")
        yield at
