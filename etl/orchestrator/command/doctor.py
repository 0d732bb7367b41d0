"""`etl orchestrator doctor`: is all well?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict

import typer
from rich.console import Console
from rich.text import Text

from etl.command.console import plain_table, print_json, table_console
from etl.command.exits import Exit
from etl.command.options import AsJson, ConfigDir
from etl.config.orchestrator.jobs import load_jobs
from etl.orchestrator.command.opening import opened
from etl.orchestrator.examination import Finding, State, examine, is_well
from etl.project import DEFAULT_CONFIG_DIR

_STYLES = {State.OK: "green", State.WARNING: "yellow", State.WRONG: "bold red"}


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(as_json: AsJson = False, config_dir: ConfigDir = DEFAULT_CONFIG_DIR) -> int:
    """Look at tables, jobs, schedulers, workers, locks, runs, alerts and more; exit 1 where something is wrong."""
    with opened(config_dir, needs_tables=False) as at:
        findings = examine(at.database, lambda: load_jobs(config_dir, os.environ))
    if as_json:
        print_json({"is_well": is_well(findings), "checks": [asdict(finding) for finding in findings]})
    else:
        _print(findings, table_console())
    return Exit.DONE if is_well(findings) else Exit.FAILED


def _print(findings: Sequence[Finding], console: Console) -> None:
    table = plain_table("check", "state", "found", "what to do")
    for each in findings:
        table.add_row(each.check, Text(each.state, style=_STYLES[each.state]), Text(each.found), Text(each.next_step))
    console.print(table)
