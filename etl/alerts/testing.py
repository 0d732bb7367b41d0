"""A text to a channel, to see whether it arrives."""

from __future__ import annotations

import getpass
import socket

from etl.config.alerts import AlertSettings
from etl.errors import UsageError
from etl.nearest import suggestion


def send_test(alerts: AlertSettings, channel: str) -> None:
    """Returns when the channel has taken it. UsageError: there is none of this name, or it has no URL here;
    TransientError or TerminalError: it did not take it, and why."""
    from etl.alerts.channels import Channels  # apprise takes its time

    _check_channel(channel, alerts)
    sender = f"{getpass.getuser()} on {socket.gethostname()}"
    text = f"So alerts of ownlens-etl arrive in channel {channel}. Sent by {sender}; nothing has happened."
    Channels(alerts.urls).send(channel, "test: ownlens-etl", text)


def _check_channel(name: str, alerts: AlertSettings) -> None:
    channels = alerts.channels
    if name not in channels:
        raise UsageError(f"unknown channel {name!r}; {suggestion(name, channels)} (alerts.channels of etl.yaml)")
    if channels[name] is None:
        raise UsageError(f"channel {name!r} has no URL; set the variable that alerts.channels.{name} names in etl.yaml")
