"""The embedded PostgreSQL, ClickHouse and S3 servers: on loopback, data in $ETL_DATA_DIR (default .data/stack)."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from etl.command.edge import run_tool, say, tool
from etl.command.exits import Exit
from etl.command.options import ConfigDir
from etl.command.typed import etl_as_typed
from etl.errors import UsageError
from etl.project import DEFAULT_CONFIG_DIR
from etl.stack import environment
from etl.stack.embedded import SERVER_NAMES, Stack
from etl.stack.layout import default_layout

app = tool(__doc__)


@app.command()
def up(
    servers: Annotated[
        list[str] | None, typer.Argument(metavar="[SERVER]...", help=f"{', '.join(SERVER_NAMES)}; default: all.")
    ] = None,
    missing: Annotated[
        bool,
        typer.Option(
            "--missing",
            help="Only servers a run would use: those you configured none of your own for, and those you named.",
        ),
    ] = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Start what is not running and wait until it answers."""
    unknown = set(servers or ()) - set(SERVER_NAMES)
    if unknown:
        raise UsageError(f"expected servers among {', '.join(SERVER_NAMES)}, found {', '.join(sorted(unknown))}")
    stack = _stack()
    names: Collection[str] = servers or SERVER_NAMES
    if missing:
        names = environment.needed_servers(os.environ, config_dir, stack.own_servers())
    if names:
        stack.up(names)
        _print_status(stack, names)


@app.command()
def down() -> None:
    """Stop all of them; data is kept."""
    _stack().down()
    say("all embedded servers are down; their data is kept")


@app.command(help=f"Say which are up; exit code {Exit.NOT_UP} where one is not.")
def status() -> int:
    return Exit.DONE if _print_status(_stack()) else Exit.NOT_UP


@app.command()
def env(
    every: Annotated[bool, typer.Option("--all", help="Whatever is configured.")] = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Print export lines for what you have not configured yourself."""
    stack = _stack()
    values = _variables(stack, every, config_dir)
    if not values:
        return
    sys.stdout.write(environment.export_lines(values))
    groups = environment.GROUPS.items()
    needed = {environment.SERVER_OF_GROUP[group] for group, names in groups if {*values} & {*names}}
    for server in stack.status():
        if server.name in needed and not server.is_up:
            say(f"warning: {server.name} is not up; run `{etl_as_typed()} stack up`")


@app.command()
def reset() -> None:
    """Stop all of them and delete their data."""
    _stack().reset()
    say("all embedded servers are down and their data is deleted")


def start_missing(config_dir: Path) -> dict[str, str]:
    """`up --missing`, with all it says on stderr, and what `env` would then print."""
    with redirect_stdout(sys.stderr):
        up(missing=True, config_dir=config_dir)
    return _variables(_stack(), False, config_dir)


def _variables(stack: Stack, every: bool, config_dir: Path) -> dict[str, str]:
    own = stack.own_servers()
    missing = environment.missing_groups(os.environ, config_dir, own)
    wanted = {name for group in (environment.GROUPS if every else missing) for name in environment.GROUPS[group]}
    if not wanted:
        return {}
    if own is None:
        raise UsageError(f"the embedded servers have never been started; run `{etl_as_typed()} stack up` first")
    values = environment.variables(own.ports, own.credentials)
    return {name: value for name, value in values.items() if name in wanted}


def _stack() -> Stack:
    return Stack(default_layout(), say=say)


def _print_status(stack: Stack, names: Collection[str] = SERVER_NAMES) -> bool:
    found = [server for server in stack.status() if server.name in names]
    for server in found:
        state = "up" if server.is_up else "down"
        pids = ",".join(map(str, server.process_ids)) or "-"
        print(f"{server.name:<11} {state:<5} port {server.port:<6} pid {pids:<8} log {server.log_files[0]}")
    return all(server.is_up for server in found)


if __name__ == "__main__":
    run_tool(app, "python -m etl.stack")
