"""What the commands of alerts have in common, whoever's outbox they look into."""

from __future__ import annotations

import getpass
import socket
from enum import StrEnum
from pathlib import Path

import typer

from etl.command.console import print_json
from etl.command.logging import configure_logging, default_log_format
from etl.config.alerts import AlertSettings
from etl.config.configuration import load_settings
from etl.config.servers import secrets_of
from etl.errors import UsageError
from etl.nearest import suggestion


class AlertStatus(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    SUPPRESSED = "suppressed"
    GIVEN_UP = "given_up"


STYLES = {"pending": "cyan", "sent": "green", "suppressed": "dim", "given_up": "bold red"}


def try_channel(config_dir: Path, channel: str, *, as_json: bool) -> None:
    """Sends a text, and says so when the channel has taken it. UsageError: there is none of this name, or it has no
    URL here; TransientError or TerminalError: it did not take it, and why."""
    settings = load_settings(config_dir)
    configure_logging(default_log_format(), secrets=secrets_of(settings))
    _check_channel(channel, settings.alerts)

    from etl.alerts.channels import Channels  # apprise takes its time

    sender = f"{getpass.getuser()} on {socket.gethostname()}"
    text = f"So alerts of ownlens-etl arrive in channel {channel}. Sent by {sender}; nothing has happened."
    Channels(settings.alerts.urls).send(channel, "test: ownlens-etl", text)
    if as_json:
        print_json({"channel": channel, "taken": True})
    else:
        typer.echo(f"channel {channel} took it")


def _check_channel(name: str, alerts: AlertSettings) -> None:
    channels = alerts.channels
    if name not in channels:
        raise UsageError(f"unknown channel {name!r}; {suggestion(name, channels)} (alerts.channels of etl.yaml)")
    if channels[name] is None:
        raise UsageError(f"channel {name!r} has no URL; set the variable that alerts.channels.{name} names in etl.yaml")
