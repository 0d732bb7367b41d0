"""Alerts and findings as a person reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from etl.alerts.commands import STYLES
from etl.alerts.findings import Place
from etl.command.console import plain_table


def print_alerts(alerts: Sequence[Mapping[str, Any]], console: Console) -> None:
    if not alerts:
        console.print("no alerts")
        return
    table = plain_table("alert", "written", "kind", "of", "channel", "status", "last error")
    for alert in alerts:
        status = alert["status"]
        table.add_row(
            f"{alert['tool']} {alert['alert_id']}", _moment(alert["created_at"]), alert["kind"],
            str(Place(alert["table_name"], alert["destination"])), alert["channel"],
            Text(status, style=STYLES[status]), alert["last_error"] or "",
        )  # fmt: skip
    console.print(table)


def print_findings(found: Sequence[Mapping[str, Any]], console: Console) -> None:
    if not found:
        console.print("nothing is overdue")
        return
    for each in found:
        place = Place(each["table"], each["destination"], each["source"])
        console.print(Text(f"{each['kind']}: {place}", style="bold"))
        for name in ("expected", "found"):
            console.print(Text(f"  {name + ':':<10}{each[name]}"))
        console.print(Text(f"  {'next:':<10}{each['next_step']}"))


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
