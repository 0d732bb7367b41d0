"""`etl doctor`: does everything that a run needs stand, and what to do about what does not. Nothing is changed.

Exit codes: 0 nothing failed (there may be warnings), 1 something failed, 2 bad use or configuration.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from etl.command.console import print_json, table_console, watched_console
from etl.command.edge import run_tool, tool
from etl.command.exits import Exit
from etl.command.logging import configure_logging, default_log_format
from etl.command.options import AsJson, ConfigDir
from etl.config.configuration import load_configuration
from etl.config.destinations.registry import parse_destination
from etl.config.servers import secrets_of
from etl.doctor.asked import Asked
from etl.doctor.examination import examine
from etl.doctor.findings import Finding, Status, as_json, worst
from etl.doctor.rendering import print_findings
from etl.doctor.subjects import subjects
from etl.errors import UsageError
from etl.model import Destination
from etl.project import DEFAULT_CONFIG_DIR

app = tool(__doc__, no_args_is_help=False, subcommand_metavar="")


@app.callback(invoke_without_command=True)
def doctor(
    load_destinations: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="Only these, comma-separated. Default: all that are configured."),
    ] = None,
    json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> int:
    """Ask this machine and each server what a run will need of them; say what is missing, and what to do."""
    findings = _examined(config_dir, _destinations(load_destinations))
    if json:
        print_json(as_json(findings))
    else:
        print_findings(findings, table_console())
    return Exit.FAILED if worst(findings) is Status.FAILED else Exit.DONE


def _examined(config_dir: Path, named: Sequence[Destination]) -> list[Finding]:
    configuration = load_configuration(config_dir)
    secrets = secrets_of(configuration.settings)
    configure_logging(default_log_format(), secrets=secrets)
    asked = Asked(configuration, named, os.environ, time.time)
    console = watched_console(None)
    with console.status("asking this machine and its servers") if console else nullcontext():
        return examine(list(subjects(asked)), secrets)


def _destinations(text: str | None) -> list[Destination]:
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    if text is not None and not names:
        raise UsageError(f"--load-destinations: expected names, comma-separated, found {text!r}")
    return list(dict.fromkeys(map(parse_destination, names)))


if __name__ == "__main__":
    run_tool(app, "python -m etl.doctor")
