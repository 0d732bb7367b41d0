"""`etl alert test | check | list`: whether a channel works, what is overdue, what was told to whom.

Exit codes: 0 done (for `check`: nothing is wrong), 1 something is, or a channel or server failed, 2 bad use or
configuration. The orchestrator's own alerts: `etl orchestrator alert list`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from etl.alerting.checking import checked
from etl.alerting.outboxes import Outboxes, opened
from etl.alerting.rendering import print_alerts, print_findings
from etl.alerts.commands import AlertStatus, try_channel
from etl.command.console import print_json, table_console
from etl.command.edge import run_tool, tool
from etl.command.exits import Exit
from etl.command.options import AsJson, ConfigDir
from etl.project import DEFAULT_CONFIG_DIR

app = tool(__doc__)


@app.command()
def test(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="As etl.yaml names it in `alerts.channels`.")],
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Send a text to a channel, to see whether it arrives."""
    try_channel(config_dir, channel, as_json=as_json)


@app.command()
def check(as_json: AsJson = False, config_dir: ConfigDir = DEFAULT_CONFIG_DIR) -> int:
    """Tell of tables that were not loaded for too long, and of runs that died; send what waits. For cron."""
    with opened(config_dir) as at:
        found = checked(at)
    if as_json:
        print_json(found)
    else:
        print_findings(found, table_console())
    return Exit.FAILED if found else Exit.DONE


@app.command("list")
def list_alerts(
    status: Annotated[AlertStatus | None, typer.Option(help="Only those.")] = None,
    channel: Annotated[str | None, typer.Option(help="Only those for this channel.")] = None,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Only those of this run.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most, the newest first.")] = 30,
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """List the alerts: `suppressed` are those that repeated another within its rule's `dedupe`."""
    with opened(config_dir) as at:
        alerts = _listed(at, {"status": status, "channel": channel, "run_id": run, "limit": limit}, limit)
    if as_json:
        print_json(alerts)
    else:
        print_alerts(alerts, table_console())


def _listed(at: Outboxes, values: dict[str, object], limit: int) -> list[dict[str, object]]:
    alerts = [
        {"tool": tool, **alert}
        for tool, outbox in at.outboxes.items()
        for alert in outbox.at_once("list_alerts", values)
    ]
    return sorted(alerts, key=lambda alert: alert["created_at"], reverse=True)[:limit]


if __name__ == "__main__":
    run_tool(app, "python -m etl.alerting")
