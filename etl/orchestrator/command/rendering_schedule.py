"""Schedules, ticks and backfills for the eye."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.text import Text

from etl.command.console import plain_table
from etl.command.typed import etl_as_typed
from etl.orchestrator.command.finding import Row
from etl.orchestrator.command.moments import moment
from etl.orchestrator.command.rendering import NARROW, print_lines
from etl.orchestrator.schedule.backfill import Backfilled
from etl.orchestrator.schedule.cron import local
from etl.orchestrator.schedule.forecast import Forecast


def print_schedules(schedules: Sequence[Row], console: Console) -> None:
    if not schedules:
        console.print("no schedules")
        return
    is_wide = console.width >= NARROW
    more = ("there", "last tick (UTC)", "catch up") if is_wide else ()
    table = plain_table("job", "cron", "zone", "next tick (UTC)", *more)
    for row in schedules:
        catch_up = f"all, at most {row['catch_up_limit']}" if row["catch_up"] == "all" else row["catch_up"]
        there = _there(row["next_run_at"], row["time_zone"])
        rest = (there, moment(row["last_run_at"]), catch_up) if is_wide else ()
        table.add_row(row["slug"], row["cron"], row["time_zone"], _next(row), *rest)
    console.print(table)


def print_ticks(job: Row, coming: Forecast, console: Console) -> None:
    table = plain_table("UTC", "there", "zone", "schedule of")
    for tick in coming.ticks:
        table.add_row(moment(tick.utc), _there(tick.utc, tick.time_zone), tick.time_zone, ", ".join(tick.schedules_of))
    console.print(table)
    command = f"{etl_as_typed()} orchestrator"
    print_lines(
        [
            f"the schedule of {slug} is paused: none of its ticks happens before `{command} schedule resume {slug}`"
            for slug in coming.paused
        ],
        console,
    )
    if not job["is_enabled"]:
        print_lines([f"{job['slug']} is disabled: none of these happens before it is enabled"], console)


def print_backfill(cycles: Sequence[Backfilled], dry_run: bool, console: Console) -> None:
    table = plain_table("tick (UTC)", "jobs", *(() if dry_run else ("cycle",)))
    for cycle in cycles:
        table.add_row(moment(cycle.tick), ", ".join(cycle.slugs), *(() if dry_run else (cycle.cycle_id,)))
    if cycles:
        console.print(table)
    runs = sum(len(cycle.slugs) for cycle in cycles)
    told = "would be made" if dry_run else "made"
    print_lines([f"{len(cycles):,} cycles with {runs:,} runs {told}" if cycles else "nothing is to be made"], console)


def _there(at: datetime | None, zone: str) -> str:
    return f"{local(at, zone):%a %Y-%m-%d %H:%M:%S %z}" if at else ""


def _next(row: Row) -> Text:
    if row["paused_at"]:
        return Text(f"paused by {row['paused_by']}", style="yellow")
    return Text(moment(row["next_run_at"])) if row["is_enabled"] else Text("job is disabled", style="dim")
