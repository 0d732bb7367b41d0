"""Jobs and runs for the eye."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

STYLES = {
    "queued": "dim",
    "waiting": "dim",
    "running": "cyan",
    "success": "green",
    "failed": "bold red",
    "skipped": "yellow",
    "cancelled": "magenta",
}


def print_jobs(jobs: Sequence[Mapping[str, Any]], console: Console) -> None:
    if not jobs:
        console.print("no jobs")
        return
    table = Table(*map(uncut, ("layer", "job", "last run", "ended", "next tick")), box=None, pad_edge=False)
    for job in jobs:
        name = Text(job["slug"]) if job["is_enabled"] else Text(f"{job['slug']} (disabled)", style="dim")
        table.add_row(
            job["layer"], name, state(job["last_status"]), moment(job["last_ended_at"]), moment(job["next_run_at"])
        )
    console.print(table)


def state(status: str | None) -> Text:
    return Text(status or "", style=STYLES.get(status or "", ""))


def moment(at: datetime | None) -> str:
    """To the second, in UTC as all that the orchestrator says."""
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""


def uncut(heading: str) -> Column:
    """Too narrow a terminal breaks a name into lines, and never cuts it."""
    return Column(heading, overflow="fold")
