"""`etl`: one door to all tools; each is loaded, with what it depends on, when it is called."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from etl import __version__
from etl.command.edge import Tool, not_installed, run_tool, tool
from etl.errors import UsageError

ALL = "scripts/setup.sh"
UPLOADER, STAGING, ORCHESTRATOR, PAGE = (f"{ALL} --{each}" for each in ("uploader", "staging", "orchestrator", "page"))


@dataclass(frozen=True)
class Room:
    """Where a tool's app stands, what it is for, and what installs all that it imports."""

    app: str
    text: str
    set_up: str = ALL


ROOMS = {
    "run": Room("etl.submission:app", "Load the configured tables into lake, PostgreSQL and ClickHouse (Spark)."),
    "staging": Room("etl.staging.__main__:app", "Upsert JSON records into stg_* tables of PostgreSQL.", STAGING),
    "api": Room("etl.api.__main__:app", "Serve the Data Loader page: configure, start, watch and mend loads.", PAGE),
    "upload": Room("etl.ingestion.command.app:app", "Load CSV and Parquet files into a table of PostgreSQL.", UPLOADER),
    "orchestrator": Room(
        "etl.orchestrator.__main__:app", "Run jobs when they are due, in the order of their dependencies.", ORCHESTRATOR
    ),
    "doctor": Room("etl.doctor.__main__:app", "Check what a run needs of this machine and its servers.", STAGING),
    "history": Room("etl.history.__main__:app", "Show what runs did: the last, slow tables, differences.", STAGING),
    "alert": Room("etl.alerting.__main__:app", "Try channels, tell what is overdue, show what was told.", STAGING),
    "rejects": Room("etl.rejects.__main__:app", "Show rows that loads left out, and try them again.", STAGING),
    "lake": Room("etl.load.s3.__main__:app", "The lake's upkeep: retention, small files, old versions (Spark)."),
    "config": Room("etl.config.__main__:app", "Check the configuration, or show what is in force.", STAGING),
    "sample": Room("etl.sample.__main__:app", "Fill a source with sample data, or let days go by in it."),
    "stack": Room("etl.stack.__main__:app", "Start and stop embedded servers.", UPLOADER),
}


class Door(TyperCommand):
    """Stands for a tool until one goes through it."""

    def __init__(self, name: str, room: Room) -> None:
        super().__init__(name, help=room.text)
        self._room = room

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """The tool's own, which goes on with its own command; the Tab key finds nothing where that is missing."""
        try:
            opened = self._opened(info_name)
        except UsageError:
            if extra.get("resilient_parsing"):
                return super().make_context(info_name, [], parent, **extra)
            raise
        return opened.make_context(info_name, args, parent, **extra)

    def _opened(self, name: str | None) -> Any:
        module, _, app = self._room.app.partition(":")
        try:
            return typer.main.get_command(getattr(import_module(module), app))
        except ModuleNotFoundError as error:
            text = not_installed(error, f"`etl {name}`", self._room.set_up)
            if not text:
                raise
            raise UsageError(text) from error


class House(Tool):
    """All tools by their names."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands.update({name: Door(name, room) for name, room in ROOMS.items()})


app = tool("Loads a media company's data: by Spark, from JSON, from CSV and Parquet.", cls=House, add_completion=True)


def _say_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"ownlens-etl {__version__}")
        raise typer.Exit


@app.callback()
def etl(
    _: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Name and version of the package.")
    ] = False,
) -> None:
    """Each command's flags: etl COMMAND --help."""


def main() -> None:
    """The console script `etl`; ends the process."""
    run_tool(app, "etl")


if __name__ == "__main__":
    main()
