"""`etl orchestrator job list | show | enable | disable | graph`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from etl.command.console import print_json, table_console
from etl.command.edge import tool
from etl.command.options import AsJson, ConfigDir
from etl.errors import UsageError
from etl.nearest import suggestion
from etl.orchestrator.command.finding import Row, find_job
from etl.orchestrator.command.graph import graph_of
from etl.orchestrator.command.opening import opened
from etl.orchestrator.command.rendering import print_jobs
from etl.orchestrator.command.rendering_graph import dot, print_graph
from etl.orchestrator.command.rendering_run import print_job
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.schedule.clocks import enable_job
from etl.project import DEFAULT_CONFIG_DIR

app = tool("Jobs: what they are, how their last runs ended, on what they depend.")


class GraphFormat(StrEnum):
    TREE = "tree"
    DOT = "dot"
    JSON = "json"


Slug = Annotated[str, typer.Argument(metavar="SLUG", help="As `job list` shows it.")]


@app.command("list")
def list_jobs(
    layer: Annotated[str | None, typer.Option(help="Only jobs of this layer.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only jobs with this tag.")] = None,
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """List the jobs with their latest runs and their next ticks."""
    with opened(config_dir) as at:
        jobs = _jobs(at.database)
    chosen = [job for job in jobs if layer in (None, job["layer"]) and (tag is None or tag in job["tags"])]
    if jobs and not chosen:
        _refuse(jobs, layer, tag)
    if as_json:
        print_json(chosen)
    else:
        print_jobs(chosen, table_console())


@app.command()
def show(slug: Slug, as_json: AsJson = False, config_dir: ConfigDir = DEFAULT_CONFIG_DIR) -> None:
    """Show all that is known of a job, with its latest runs."""
    with opened(config_dir) as at:
        job = find_job(at.database, slug)
        graph = graph_of(at.database)
        runs = at.database.at_once("job_history", {"slug": slug, "limit": 5, "before_at": None, "before_run_id": None})
    known = {**job, **graph.ties(slug), "runs": runs}
    known.pop("seen_at")
    if as_json:
        print_json(known)
    else:
        print_job(known, table_console())


@app.command()
def enable(slug: Slug, as_json: AsJson = False, config_dir: ConfigDir = DEFAULT_CONFIG_DIR) -> None:
    """Let the job's runs start again; its schedule goes on from its next tick."""
    _switch(config_dir, slug, True, as_json)


@app.command()
def disable(slug: Slug, as_json: AsJson = False, config_dir: ConfigDir = DEFAULT_CONFIG_DIR) -> None:
    """Start no run of the job, and let no tick of its happen; what runs goes on, what is queued waits."""
    _switch(config_dir, slug, False, as_json)


@app.command()
def graph(
    slug: Annotated[
        str | None, typer.Argument(metavar="[SLUG]", help="Only what it depends on, and what on it.")
    ] = None,
    form: Annotated[GraphFormat, typer.Option("--format", help="dot is for graphviz.")] = GraphFormat.TREE,
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Draw what depends on what, by layers, each job in the colour of its latest run."""
    with opened(config_dir) as at:
        if slug is not None:
            find_job(at.database, slug)
        whole = graph_of(at.database)
    chosen = whole.around(slug) if slug else whole
    if as_json or form is GraphFormat.JSON:
        print_json(chosen.json)
    elif form is GraphFormat.DOT:
        typer.echo(dot(chosen))
    else:
        print_graph(chosen, slug, table_console())


def _jobs(database: OrchestratorDatabase) -> list[Row]:
    ties = {row["slug"]: row for row in database.at_once("job_ties")}
    return [{**row, "tags": ties[row["slug"]]["tags"]} for row in database.at_once("state_of_jobs")]


def _refuse(jobs: list[Row], layer: str | None, tag: str | None) -> None:
    """A layer or tag that no job has is a mistake; both together may have none in common."""
    layers, tags = {job["layer"] for job in jobs}, {tag for job in jobs for tag in job["tags"]}
    if layer is not None and layer not in layers:
        raise UsageError(f"--layer: no job is of layer {layer!r}; {suggestion(layer, layers)}")
    if tag is not None and tag not in tags:
        raise UsageError(f"--tag: no job has the tag {tag!r}; {suggestion(tag, tags)}")


def _switch(config_dir: Path, slug: str, is_enabled: bool, as_json: bool) -> None:
    with opened(config_dir) as at:
        find_job(at.database, slug)
        changed = enable_job(at.database, slug, is_enabled)
    word = "enabled" if is_enabled else "disabled"
    if as_json:
        print_json({"slug": slug, "is_enabled": is_enabled, "changed": changed})
    else:
        typer.echo(f"{slug} is {word}" if changed else f"{slug} was {word} already")
