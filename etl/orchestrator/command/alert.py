"""`etl orchestrator alert list | test`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from etl.alerts.commands import STYLES, AlertStatus, try_channel
from etl.command.console import plain_table, print_json, table_console
from etl.command.edge import tool
from etl.command.options import AsJson, ConfigDir
from etl.orchestrator.command.moments import moment
from etl.orchestrator.command.opening import opened
from etl.project import DEFAULT_CONFIG_DIR

app = tool("Alerts: what was told to whom, and whether a channel works.")


@app.command("list")
def list_alerts(
    status: Annotated[AlertStatus | None, typer.Option(help="Only those.")] = None,
    channel: Annotated[str | None, typer.Option(help="Only those for this channel.")] = None,
    run: Annotated[int | None, typer.Option(metavar="RUN", help="Only those of this run.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most, the newest first.")] = 30,
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """List the alerts: `suppressed` are those that repeated another within its rule's `dedupe`."""
    values = {"status": status, "channel": channel, "run_id": run, "limit": limit}
    with opened(config_dir) as at:
        alerts = at.database.at_once("alerts_shown", values)
    if as_json:
        print_json(alerts)
    else:
        _print(alerts, table_console())


@app.command()
def test(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="As etl.yaml names it in `alerts.channels`.")],
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Send a text to a channel, to see whether it arrives."""
    try_channel(config_dir, channel, as_json=as_json)


def _print(alerts: list[dict[str, Any]], console: Console) -> None:
    if not alerts:
        console.print("no alerts")
        return
    headings = ("alert", "written", "kind", "job", "run", "channel", "status", "attempts", "next attempt", "last error")
    table = plain_table(*headings)
    for alert in alerts:
        status = alert["status"]
        table.add_row(
            str(alert["alert_id"]), moment(alert["created_at"]), alert["kind"], alert["slug"], str(alert["run_id"]),
            alert["channel"], Text(status, style=STYLES[status]), str(alert["attempts"]),
            moment(alert["next_attempt_at"]), alert["last_error"] or "",
        )  # fmt: skip
    console.print(table)
