"""The closing summary: what came of each destination, what failed and why, and what to type next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from etl.model import LoadStatus, RunStatus
from etl.report.commands import Commands
from etl.report.values import RunReport, TableReport

STYLES: dict[str, str] = {
    LoadStatus.SUCCESS: "green",
    LoadStatus.UNCHANGED: "blue",
    LoadStatus.SKIPPED: "yellow",
    LoadStatus.FAILED: "bold red",
    RunStatus.RUNNING: "cyan",
    RunStatus.PARTIAL: "bold yellow",
}

SHOWN_FAILURES, SHOWN_LINES, SHOWN_FILES, SHOWN_NOTES = 20, 12, 10, 20

NO_FOLDER = Commands()

_COUNTS = (
    "rows_read",
    "rows_inserted",
    "rows_updated",
    "rows_unchanged",
    "rows_skipped",
    "rows_rejected",
    "rows_deduplicated",
    "rows_deleted",
    "rows_trimmed",
)


def print_summary(report: RunReport, console: Console, commands: Commands = NO_FOLDER) -> None:
    """Commands stand on lines of their own, unwrapped, to be copied."""
    console.print(_heading(report))
    if report.loads:
        console.print(_destinations(report))
    _print_skipped_files(report, console)
    if report.failed:
        _print_failures(report, console, commands)
    _print_notes(report, console)
    _print_maintenance(report, console)
    if report.rejects:
        console.print(f"{_counted(report.rejects, 'row was', 'rows were')} rejected; see what and why with:")
        _print_command(commands.list_rejects(report.run_id), console)


def _heading(report: RunReport) -> Text:
    seconds = (report.finished_at - report.started_at).total_seconds()
    counts = ", ".join(f"{report.count(status)} {status}" for status in LoadStatus if report.count(status))
    again = f", {_counted(report.retries, 'retry', 'retries')}" if report.retries else ""
    status = (report.status, STYLES.get(report.status, ""))
    return Text.assemble(
        "run ", report.run_id, ": ", status, f" in {seconds:.1f} s ({counts or 'nothing to load'}){again}"
    )


def _destinations(report: RunReport) -> Table:
    """A column a destination: three fit the narrowest terminal, with figures of any length."""
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for destination in report.destinations:
        table.add_column(destination, justify="right", no_wrap=True, min_width=12)
    by_destination = [
        _figures([load for load in report.loads if load.destination == destination])
        for destination in report.destinations
    ]
    for name in by_destination[0]:
        table.add_row(name, *(f"{figures[name]:,}" for figures in by_destination))
    return table


def _figures(loads: Sequence[TableReport]) -> dict[str, int]:
    statuses = {f"tables {status}": sum(load.status is status for load in loads) for status in LoadStatus}
    counts = {name.replace("_", " "): sum(getattr(load, name) for load in loads) for name in _COUNTS}
    return statuses | counts


def _print_skipped_files(report: RunReport, console: Console) -> None:
    """Once a table: its loads are of the same files."""
    skipped = list(dict.fromkeys(f"{load.table}: {file}" for load in report.loads for file in load.files_skipped))
    if skipped:
        heading = f"{_counted(len(skipped), 'file', 'files')} passed over:"
        console.print(Text(heading, style=STYLES[LoadStatus.SKIPPED]))
        for line in skipped[:SHOWN_FILES]:
            console.print(Text(f"  {line}"), soft_wrap=True)
        if len(skipped) > SHOWN_FILES:
            console.print(f"  … and {len(skipped) - SHOWN_FILES} more, in the ledger (etl.loads.files_skipped)")


def _print_failures(report: RunReport, console: Console, commands: Commands) -> None:
    console.print(Text(f"{len(report.failed)} failed:", style=STYLES[LoadStatus.FAILED]))
    failures = list(_failures(report))
    for where, lines in failures[:SHOWN_FAILURES]:
        console.print(Text(f"  {where}: {lines[0]}"), soft_wrap=True)
        for line in lines[1:SHOWN_LINES]:
            console.print(Text(f"    {line}"), soft_wrap=True)
        if len(lines) > SHOWN_LINES:
            console.print(f"    … and {len(lines) - SHOWN_LINES} lines more")
    if len(failures) > SHOWN_FAILURES:
        console.print(f"  … and {len(failures) - SHOWN_FAILURES} more, in the ledger (etl.loads) and the report")
    console.print("once the cause is removed, load what is left with:")
    _print_command(commands.resume(report.run_id), console)


def _failures(report: RunReport) -> Iterator[tuple[str, list[str]]]:
    """A cause that holds for all destinations of a table is said once."""
    for (table, error), loads in groupby(sorted(report.failed, key=_cause), key=_cause):
        destinations = ", ".join(load.destination for load in loads)
        yield f"{table} -> {destinations}", error.splitlines() or [""]


def _cause(load: TableReport) -> tuple[str, str]:
    return load.table, load.error or ""


def _print_notes(report: RunReport, console: Console) -> None:
    """What is said of several destinations alike is said once."""
    by_note: dict[tuple[str, str], list[str]] = {}
    for load in report.loads:
        for note in load.notes:
            by_note.setdefault((load.table, note), []).append(load.destination)
    for (table, note), destinations in list(by_note.items())[:SHOWN_NOTES]:
        console.print(Text(f"note: {table} -> {', '.join(destinations)}: {note}"), soft_wrap=True)
    if len(by_note) > SHOWN_NOTES:
        console.print(f"  … and {len(by_note) - SHOWN_NOTES} more notes, in the ledger (etl.loads) and the report")


def _print_maintenance(report: RunReport, console: Console) -> None:
    """Failures are told and change nothing about the loads."""
    done = [one for one in report.maintenance if one.status is LoadStatus.SUCCESS]
    if done:
        days, files = sum(one.days_deleted for one in done), sum(one.files_joined for one in done)
        said = f"{_counted(days, 'day', 'days')} deleted, {_counted(files, 'file', 'files')} joined"
        console.print(f"maintenance of {_counted(len(done), 'table', 'tables')}: {said}")
    failed = [one for one in report.maintenance if one.status is LoadStatus.FAILED]
    for one in failed[:SHOWN_FAILURES]:
        where = f"maintenance of {one.table} in {one.destination} failed (the next run tries again): "
        console.print(Text.assemble((where, STYLES[LoadStatus.FAILED]), one.error or ""), soft_wrap=True)
    if len(failed) > SHOWN_FAILURES:
        console.print(f"  … and {len(failed) - SHOWN_FAILURES} more, in the ledger (etl.maintenance) and the report")


def _print_command(command: str, console: Console) -> None:
    console.print(Text(f"    {command}"), soft_wrap=True)


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
