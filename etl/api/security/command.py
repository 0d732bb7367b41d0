"""`etl api user …`: who may sign in. A password is asked for, or comes on stdin; never as an argument."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from etl.api.models import Role
from etl.api.security.passwords import LONGEST_PASSWORD, SHORTEST_PASSWORD
from etl.api.security.users import KnownUser, Users
from etl.command.console import print_json, table_console
from etl.command.edge import tool
from etl.command.logging import configure_logging, default_log_format
from etl.command.options import AsJson, ConfigDir
from etl.config.staging.jobs import load_staging_configuration
from etl.errors import UsageError
from etl.project import DEFAULT_CONFIG_DIR
from etl.staging.database.checks import check_ledger
from etl.staging.database.database import StagingDatabase

users = tool("Who may sign in to the page.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="As typed to sign in.")]
RoleOption = Annotated[Role, typer.Option(help="A viewer looks on; an operator starts, retries and cancels, too.")]


@users.command()
def add(name: Name, role: RoleOption = Role.VIEWER, config_dir: ConfigDir = DEFAULT_CONFIG_DIR) -> None:
    """Add a user; the password is asked for, or is the first line of stdin."""
    with _users(config_dir) as known:
        known.add(name, role, _read_password())
    typer.echo(f"added {name}, {role.value}")


@users.command("list")
def list_users(as_json: AsJson = False, config_dir: ConfigDir = DEFAULT_CONFIG_DIR) -> None:
    """Show all users."""
    with _users(config_dir) as known:
        found = known.list()
    if as_json:
        print_json({"users": found})
        return
    table_console().print(_table(found))


@users.command()
def role(
    name: Name,
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="viewer or operator.")],
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Change what a user may; counts from the next request on."""
    with _users(config_dir) as known:
        known.set_role(name, role)
    typer.echo(f"{name} is now {role.value}")


@users.command()
def password(name: Name, config_dir: ConfigDir = DEFAULT_CONFIG_DIR) -> None:
    """Set another password; signs the user out everywhere."""
    with _users(config_dir) as known:
        known.set_password(name, _read_password())
    typer.echo(f"{name} has another password, and is signed out everywhere")


@users.command()
def remove(name: Name, config_dir: ConfigDir = DEFAULT_CONFIG_DIR) -> None:
    """Remove a user, with all sessions; what the user did stays on record."""
    with _users(config_dir) as known:
        known.remove(name)
    typer.echo(f"removed {name}")


@contextmanager
def _users(config_dir: Path) -> Iterator[Users]:
    configuration = load_staging_configuration(config_dir, os.environ)
    configure_logging(default_log_format(), secrets=(configuration.database.password.get_secret_value(),))
    with closing(StagingDatabase(configuration.database, configuration.schema_name, 1)) as database:
        check_ledger(database)
        yield Users(database, done_by=getpass.getuser())


def _read_password() -> str:
    """Twice at a terminal, where it is not shown; else the first line that is piped in."""
    if sys.stdin is None or not sys.stdin.isatty():
        # no line is longer: what does not end is not read for ever
        line = sys.stdin.readline(LONGEST_PASSWORD + 2) if sys.stdin else ""
        if not line:
            raise UsageError("expected a password on stdin, found nothing")
        return line.rstrip("\r\n")
    told = f"Password ({SHORTEST_PASSWORD} characters or more): "
    first = getpass.getpass(told)
    if getpass.getpass("Once more: ") != first:
        raise UsageError("the two passwords differ; nothing was changed")
    return first


def _table(found: list[KnownUser]) -> Table:
    table = Table("user", "role", "sessions", "last signed in", "password of", "since")
    for user in found:
        instants = (user.signed_in_at, user.password_changed_at, user.created_at)
        table.add_row(user.name, user.role.value, str(user.sessions), *map(_spelled, instants))
    return table


def _spelled(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M}" if instant else "never"
