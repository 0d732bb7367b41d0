"""The closing summary: what came of each destination, what failed and why, and what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from etl.model import Destination, LoadStatus, RunStatus
from etl.report.values import RunReport, TableReport

STYLES: dict[str, str] = {
    LoadStatus.SUCCESS: "green",
    LoadStatus.UNCHANGED: "blue",
    LoadStatus.SKIPPED: "yellow",
    LoadStatus.FAILED: "bold red",
    RunStatus.RUNNING: "cyan",
    RunStatus.PARTIAL: "bold yellow",
}

RESUME = "./spark-submit.sh jobs/run_etl.py --resume"
LIST_REJECTS = "python -m etl.rejects list --run"

SHOWN_FAILURES = 20

_COUNTS = (
    "rows_read",
    "rows_inserted",
    "rows_updated",
    "rows_unchanged",
    "rows_skipped",
    "rows_rejected",
    "rows_deduplicated",
)


def print_summary(report: RunReport, console: Console) -> None:
    """Commands stand on lines of their own, unwrapped, to be copied."""
    console.print(_heading(report))
    if report.loads:
        console.print(_destinations(report))
    if report.failed:
        _print_failures(report, console)
    rejected = sum(load.rows_rejected for load in report.loads)
    if rejected:
        console.print(f"{rejected:,} rows were rejected; see them with:")
        _print_command(f"{LIST_REJECTS} {shlex.quote(report.run_id)}", console)


def _heading(report: RunReport) -> Text:
    seconds = (report.finished_at - report.started_at).total_seconds()
    counts = ", ".join(f"{report.count(status)} {status}" for status in LoadStatus if report.count(status))
    status = (report.status, STYLES.get(report.status, ""))
    return Text.assemble("run ", report.run_id, ": ", status, f" in {seconds:.1f} s ({counts or 'nothing to load'})")


def _destinations(report: RunReport) -> Table:
    """A column a destination: three fit the narrowest terminal, with figures of any length."""
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for destination in report.destinations:
        table.add_column(destination, justify="right", no_wrap=True, min_width=12)
    by_destination = [
        _figures([load for load in report.loads if load.destination is destination])
        for destination in report.destinations
    ]
    for name in by_destination[0]:
        table.add_row(name, *(f"{figures[name]:,}" for figures in by_destination))
    return table


def _figures(loads: Sequence[TableReport]) -> dict[str, int]:
    statuses = {f"tables {status}": sum(load.status is status for load in loads) for status in LoadStatus}
    counts = {name.replace("_", " "): sum(getattr(load, name) for load in loads) for name in _COUNTS}
    return statuses | counts


def _print_failures(report: RunReport, console: Console) -> None:
    console.print(Text(f"{len(report.failed)} failed:", style=STYLES[LoadStatus.FAILED]))
    for load in report.failed[:SHOWN_FAILURES]:
        console.print(Text(f"  {_name(load.table, load.destination)}: {load.first_error_line}"))
    if len(report.failed) > SHOWN_FAILURES:
        console.print(f"  … and {len(report.failed) - SHOWN_FAILURES} more, in the ledger (etl.loads) and the report")
    console.print("once the cause is removed, load what is left with:")
    _print_command(f"{RESUME} {shlex.quote(report.run_id)}", console)


def _print_command(command: str, console: Console) -> None:
    console.print(Text(f"    {command}"), soft_wrap=True)


def _name(table: str, destination: Destination) -> str:
    return f"{table} -> {destination}"
