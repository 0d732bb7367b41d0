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
from etl.config.configuration import Configuration, load_configuration, load_settings
from etl.config.servers import secrets_of
from etl.config.settings import Settings, ledger_settings
from etl.config.staging.jobs import StagingConfiguration, load_staging_configuration
from etl.errors import UsageError
from etl.ledger import Ledger
from etl.report.commands import Commands
from etl.staging.batch.rules import database_of
from etl.staging.database.database import StagingDatabase
from etl.staging.watch.alerting import outbox_of


@dataclass(frozen=True)
class Outboxes:
    """`ledger` and `staging` are None where the tool has not told of anything yet: its tables are not there. Without
    tables of the main job, the folder is the staging loader's alone."""

    settings: Settings
    configuration: Configuration | None
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
    configuration = load_configuration(config_dir) if any(config_dir.glob("tables/*.y*ml")) else None
    settings = configuration.settings if configuration else load_settings(config_dir)
    staging = load_staging_configuration(config_dir, os.environ)
    secrets = secrets_of(settings)
    configure_logging(default_log_format(), secrets=secrets)
    with ExitStack() as until_end:
        ledger = database = None
        if configuration:
            ledger = until_end.enter_context(closing(Ledger(ledger_settings(settings), secrets=secrets)))
        if staging.staging_server:
            opened_now = database_of(None, staging.staging_server, staging.schema_name)
            database = until_end.enter_context(closing(opened_now))
        at = Outboxes(
            settings,
            configuration,
            staging,
            Commands.of(config_dir),
            ledger if ledger and stands(ledger.outbox()) else None,
            database if database and stands(outbox_of(database)) else None,
        )
        if not at.outboxes:
            raise UsageError("no ledger has alerts yet: its tables are made by the first run")
        yield at
