"""Jobs, runs and locks for the eye: tables whose names are never cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from etl.command.console import plain_table
from etl.command.typed import etl_as_typed
from etl.orchestrator.command.finding import Row
from etl.orchestrator.command.moments import between, clock, moment
from etl.orchestrator.command.starting import Asked
from etl.orchestrator.command.why_not import lease
from etl.orchestrator.queue.cycles import MadeRun

STYLES = {
    "queued": "",
    "waiting": "dim",
    "ready": "blue",
    "again": "yellow",
    "running": "cyan",
    "success": "green",
    "failed": "bold red",
    "skipped": "yellow",
    "cancelled": "magenta",
}

LAYERS = ("bronze", "silver", "gold")
"""In the order in which data flows; others follow by name."""

NARROW = 150

LISTED = 12
"""Runs of a cycle that are named one by one."""


def print_jobs(jobs: Sequence[Row], console: Console) -> None:
    if not jobs:
        console.print("no jobs")
        return
    is_wide = console.width >= NARROW
    headings = ("layer", "job", "last run", "ended (UTC)", "took", "next tick (UTC)")
    table = plain_table(*(headings if is_wide else ("layer", "job", "last run", "next tick (UTC)")))
    for job in sorted(jobs, key=lambda job: (layer_order(job["layer"]), job["slug"])):
        took = (moment(job["ended_at"]), between(job["started_at"], job["ended_at"])) if is_wide else ()
        table.add_row(job["layer"], _job(job), state(job["status"]), *took, _tick(job))
    console.print(table)


def print_runs(runs: Sequence[Row], console: Console) -> None:
    if not runs:
        console.print("no runs")
        return
    is_wide = console.width >= NARROW
    headings = ("run", "job", "status", "due (UTC)", "started", "took", "attempts", "written", "cycle")
    table = plain_table(*(headings if is_wide else ("run", "job", "status", "due (UTC)", "took")))
    for run in runs:
        more = (str(run["attempts"]), written(run["records_written"]), run["cycle_id"]) if is_wide else ()
        started = (moment(run["started_at"]),) if is_wide else ()
        took = between(run["started_at"], run["ended_at"])
        table.add_row(
            str(run["run_id"]),
            run["slug"],
            state(shown_status(run)),
            moment(run["scheduled_at"]),
            *started,
            took,
            *more,
        )
    console.print(table)


def print_asked(asked: Asked, console: Console) -> None:
    runs = [f"run {run.run_id} of {run.slug} {_asked(run)}" for run in asked.runs]
    if len(runs) > LISTED:
        runs = [f"{len(runs)} runs are asked for"]
    command = f"`{etl_as_typed()} orchestrator run watch {asked.cycle_id}` shows it"
    cycle = [f"cycle {asked.cycle_id}; {command}"] if any(run.is_new for run in asked.runs) else []
    print_lines([*runs, *filter(None, [asked.note]), *cycle], console)


def _asked(run: MadeRun) -> str:
    if run.is_new:
        return "is asked for"
    return f"stands already: {run.status}"


def print_reopened(runs: Sequence[Row], console: Console) -> None:
    for run in runs:
        print_lines([f"run {run['run_id']} of {run['slug']} is {shown_status(run)} again"], console)


def print_locks(locks: Sequence[Row], console: Console) -> None:
    if not locks:
        console.print("no lock is held")
        return
    is_wide = console.width >= NARROW
    more = ("worker", "since (UTC)") if is_wide else ()
    table = plain_table("token", "key", "held by", *more, "for", "lease")
    for lock in locks:
        held = clock((lock["seen_at"] - lock["acquired_at"]).total_seconds())
        run = f"run {lock['run_id']}"
        table.add_row(
            str(lock["fencing_token"]),
            lock["concurrency_key"] or "",
            f"{run} of {lock['slug']}, attempt {lock['attempt']}" if is_wide else run,
            *((lock["worker_id"], moment(lock["acquired_at"])) if is_wide else ()),
            held,
            lease(lock).removeprefix("its lease "),
        )
    console.print(table)


def print_lines(lines: Iterable[str], console: Console) -> None:
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def shown_status(run: Row) -> str:
    """What is queued waits for its parents where it is not ready."""
    return "waiting" if run["status"] == "queued" and run["ready_at"] is None else str(run["status"])


def state(status: str | None) -> Text:
    return Text(status or "", style=STYLES.get(status or "", ""))


def written(rows: int | None) -> str:
    return "" if rows is None else f"{rows:,}"


def layer_order(layer: str) -> tuple[int, str]:
    return (LAYERS.index(layer) if layer in LAYERS else len(LAYERS), layer)


def _job(job: Row) -> Text:
    return Text(job["slug"]) if job["is_enabled"] else Text(f"{job['slug']} (disabled)", style="dim")


def _tick(job: Row) -> str:
    return "paused" if job["paused_at"] else moment(job["next_run_at"])
