"""`etl orchestrator lock list | release`."""

from __future__ import annotations

from typing import Annotated

import typer

from etl.command.console import print_json, table_console
from etl.command.edge import tool
from etl.command.options import AsJson, ConfigDir
from etl.orchestrator.command.asking import kept_reason
from etl.orchestrator.command.finding import asker
from etl.orchestrator.command.opening import opened
from etl.orchestrator.command.rendering import print_locks
from etl.orchestrator.queue.asking import release_lock
from etl.orchestrator.values import RunStatus
from etl.project import DEFAULT_CONFIG_DIR

app = tool("Locks: who works on what, and so holds which key.")


@app.command("list")
def list_locks(as_json: AsJson = False, config_dir: ConfigDir = DEFAULT_CONFIG_DIR) -> None:
    """List the locks that are held: one a run under way."""
    with opened(config_dir) as at:
        locks = at.database.at_once("active_locks")
    if as_json:
        print_json(locks)
    else:
        print_locks(locks, table_console())


@app.command()
def release(
    key: Annotated[str, typer.Argument(metavar="KEY|TOKEN", help="As `lock list` shows it.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with who did it.")],
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Take a lock from whoever holds it, as if its lease had run out; its run is tried again if it may be."""
    with opened(config_dir) as at:
        taken = release_lock(at.database, key, asker(), kept_reason(reason))
    if as_json:
        print_json(vars(taken))
    else:
        after = "is tried again" if taken.status is RunStatus.QUEUED else f"is {taken.status}"
        held = f"run {taken.run_id} of {taken.slug} on {taken.worker_id}, token {taken.fencing_token}"
        typer.echo(f"{held}: holds it no longer, and {after}; its process is ended at its worker's next heartbeat")
