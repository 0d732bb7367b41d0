"""`etl orchestrator schedule list | next | pause | resume`."""

from __future__ import annotations

from typing import Annotated

import typer

from etl.command.console import print_json, table_console
from etl.command.edge import tool
from etl.command.options import AsJson, ConfigDir
from etl.orchestrator.command.finding import asker, find_job
from etl.orchestrator.command.opening import opened
from etl.orchestrator.command.rendering_schedule import print_schedules, print_ticks
from etl.orchestrator.schedule.clocks import pause as pause_schedule
from etl.orchestrator.schedule.clocks import resume as resume_schedule
from etl.orchestrator.schedule.forecast import forecast
from etl.project import DEFAULT_CONFIG_DIR

app = tool("Schedules: when jobs are due; they are written in conf/jobs.")

Slug = Annotated[str, typer.Argument(metavar="SLUG", help="A job.")]


@app.command("list")
def list_schedules(as_json: AsJson = False, config_dir: ConfigDir = DEFAULT_CONFIG_DIR) -> None:
    """List the schedules with their next and last ticks."""
    with opened(config_dir) as at:
        schedules = at.database.at_once("schedules_shown")
    if as_json:
        print_json(schedules)
    else:
        print_schedules(schedules, table_console())


@app.command("next")
def next_ticks(
    slug: Slug,
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many ticks.")] = 10,
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Show when a job is due next, in UTC and in its schedule's zone; one without a schedule follows its ancestors'."""
    with opened(config_dir) as at:
        job = find_job(at.database, slug)
        coming = forecast(at.database, slug, count)
    if as_json:
        ticks = [vars(tick) for tick in coming.ticks]
        print_json({"slug": slug, "is_enabled": job["is_enabled"], "paused": coming.paused, "ticks": ticks})
    else:
        print_ticks(job, coming, table_console())


@app.command()
def pause(slug: Slug, as_json: AsJson = False, config_dir: ConfigDir = DEFAULT_CONFIG_DIR) -> None:
    """Let no tick of the job happen until it is resumed; runs that stand go on."""
    with opened(config_dir) as at:
        find_job(at.database, slug)
        changed = pause_schedule(at.database, slug, asker())
    if as_json:
        print_json({"slug": slug, "is_paused": True, "changed": changed})
    else:
        typer.echo(f"the schedule of {slug} is paused" if changed else f"the schedule of {slug} was paused already")


@app.command()
def resume(slug: Slug, as_json: AsJson = False, config_dir: ConfigDir = DEFAULT_CONFIG_DIR) -> None:
    """Let ticks happen again, from the next on; those meanwhile are not caught up (see `backfill`)."""
    with opened(config_dir) as at:
        find_job(at.database, slug)
        changed = resume_schedule(at.database, slug)
        (first,) = forecast(at.database, slug, 1).ticks
    if as_json:
        print_json({"slug": slug, "is_paused": False, "changed": changed, "next_run_at": first.utc})
    else:
        told = "goes on" if changed else "was not paused"
        typer.echo(f"the schedule of {slug} {told}; its next tick is {first.utc:%Y-%m-%d %H:%M:%S} UTC")
