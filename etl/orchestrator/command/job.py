"""`etl orchestrator job list | show | enable | disable | graph`."""

from __future__ import annotations

from typing import Annotated

import typer

from etl.command.console import print_json, table_console
from etl.command.edge import tool
from etl.command.options import AsJson, ConfigDir
from etl.orchestrator.command.opening import opened
from etl.orchestrator.command.rendering import print_jobs
from etl.project import DEFAULT_CONFIG_DIR

app = tool("Jobs: what they are, how their last runs ended, and on what they depend.")


@app.callback()
def job() -> None:
    """Jobs: what they are, how their last runs ended, and on what they depend."""


@app.command("list")
def list_jobs(
    layer: Annotated[str | None, typer.Option(help="Only jobs of this layer.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only jobs with this tag.")] = None,
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """List the jobs with their last runs and their next ticks."""
    with opened(config_dir) as at:
        jobs = at.database.at_once("jobs_shown", {"slug": None})
    chosen = [each for each in jobs if layer in (None, each["layer"]) and (tag is None or tag in each["tags"])]
    if as_json:
        print_json(chosen)
    else:
        print_jobs(chosen, table_console())
