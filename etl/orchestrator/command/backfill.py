"""`etl orchestrator backfill`: runs for ticks that are over."""

from __future__ import annotations

from typing import Annotated

import typer

from etl.command.console import print_json, table_console
from etl.command.options import AsJson, ConfigDir
from etl.orchestrator.command.finding import asker
from etl.orchestrator.command.opening import opened
from etl.orchestrator.command.rendering_schedule import print_backfill
from etl.orchestrator.schedule.backfill import Backfilled, Reprocess, Request, backfill
from etl.project import DEFAULT_CONFIG_DIR


def register(app: typer.Typer) -> None:
    app.command("backfill")(make)


def make(
    slugs: Annotated[list[str], typer.Argument(metavar="SLUG...", help="Jobs, with a schedule or behind one.")],
    begin: Annotated[
        str, typer.Option("--from", metavar="WHEN", help="A date or an instant; without a zone in the schedule's.")
    ],
    end: Annotated[
        str | None, typer.Option("--to", metavar="WHEN", help="Likewise; a tick at it is left out. Default: now.")
    ] = None,
    reprocess: Annotated[
        Reprocess,
        typer.Option(
            help="Ticks without a run that succeeded or is still to end; those whose latest run failed, was skipped "
            "or cancelled; or all."
        ),
    ] = Reprocess.MISSING,
    downstream: Annotated[bool, typer.Option("--downstream", help="With all that depends on these jobs.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be made.")] = False,
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Make the runs of ticks that are over, one cycle a tick, the oldest first; asked for twice, what is missing is
    made once."""
    request = Request(slugs, begin, end, reprocess, downstream)
    with opened(config_dir) as at:
        cycles = backfill(at.database, request, asker(), dry_run=dry_run)
    if as_json:
        print_json({"dry_run": dry_run, "cycles": [_document(cycle) for cycle in cycles]})
    else:
        print_backfill(cycles, dry_run, table_console())


def _document(cycle: Backfilled) -> dict[str, object]:
    runs = [{"run_id": run.run_id, "slug": run.slug, "status": run.status} for run in cycle.runs]
    made = {"cycle_id": cycle.cycle_id, "runs": runs} if runs else {}
    return {"tick": cycle.tick, "slugs": cycle.slugs, **made}
