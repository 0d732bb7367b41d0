"""What every command begins with: the log, the settings, the orchestrator's database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from etl.command.logging import LogFormat, configure_logging, default_log_format
from etl.command.typed import etl_as_typed
from etl.config.configuration import load_settings
from etl.config.servers import secrets_of
from etl.config.settings import Settings, orchestrator_settings
from etl.errors import UsageError
from etl.orchestrator.database.database import OrchestratorDatabase


@dataclass(frozen=True)
class Opened:
    settings: Settings
    database: OrchestratorDatabase
    secrets: tuple[str, ...]
    """Of all servers that the configuration names, for what masks texts."""


@contextmanager
def opened(
    config_dir: Path, log_format: LogFormat | None = None, *, needs_tables: bool = True, level: str = "INFO"
) -> Iterator[Opened]:
    """Without `needs_tables` whatever stands will do: for those who make the tables."""
    settings = load_settings(config_dir)
    secrets = secrets_of(settings)
    configure_logging(log_format or default_log_format(), secrets=secrets, level=level)
    with closing(_database(settings)) as database:
        if needs_tables:
            _check_tables(database)
        yield Opened(settings, database, secrets)


def _database(settings: Settings) -> OrchestratorDatabase:
    if settings.orchestrator is None and settings.ledger is None:
        raise UsageError(
            "expected a PostgreSQL database for the orchestrator, found none; set ETL_ORCHESTRATOR_POSTGRES_URL, or "
            f'ETL_POSTGRES_URL (for the embedded servers: eval "$({etl_as_typed()} stack env)")'
        )
    return OrchestratorDatabase(orchestrator_settings(settings), settings.orchestrator_schema)


def _check_tables(database: OrchestratorDatabase) -> None:
    (found,) = database.at_once("is_installed")
    if not found["is_installed"]:
        raise UsageError(
            f"{database.settings.address} has no orchestrator in schema {database.schema!r}; "
            f"run `{etl_as_typed()} orchestrator migrate`"
        )
