"""`etl config check` and `etl config show TABLE`: the configuration, without touching a server."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from etl.command.console import table_console
from etl.command.edge import Edge, run_tool, tool
from etl.command.exits import Exit
from etl.command.options import AsJson, ConfigDir
from etl.config.configuration import load_configuration
from etl.config.destinations.registry import known_destinations
from etl.config.effective import effective
from etl.project import DEFAULT_CONFIG_DIR

_SAID = ("destination", "table_name")  # by the headings

app = tool(__doc__, Edge(lambda _: Exit.USAGE))


@app.command()
def check(config_dir: ConfigDir = DEFAULT_CONFIG_DIR) -> None:
    """Say every fault of the configuration at once; exit 0 where there is none, else 2. Reads no server."""
    configuration = load_configuration(config_dir)
    domains = {config.domain for config in configuration.tables.values()}
    settings = configuration.settings
    servers = [name for name in ("source", "ledger") if getattr(settings, name) is not None]
    servers += [name for name in known_destinations() if settings.server(name) is not None]
    print(
        f"{config_dir}: {_counted(len(configuration.tables), 'table')} in {_counted(len(domains), 'domain')}, no fault"
    )
    print(f"servers configured: {', '.join(servers) or 'none (embedded ones are used)'}")


@app.command()
def show(
    table: Annotated[str, typer.Argument(help="The table's name in tables/*.yaml.")],
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Print what is in force for one table, defaults included; never a secret."""
    configuration = load_configuration(config_dir)
    shown = effective(configuration.table(table))
    if as_json:
        # numbers of YAML have no end, unlike orjson's
        print(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        _print(shown)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _print(shown: dict[str, Any]) -> None:
    """The table itself, then the destinations side by side, then its columns."""
    console = table_console()
    overview = Table(title=shown["name"], title_justify="left", show_header=False, box=None)
    overview.add_column()
    overview.add_column(overflow="fold")
    for key in ("domain", "kind"):
        overview.add_row(key, _text(shown[key]))
    for block in ("source", "extract", "transform"):
        for key, value in shown[block].items():
            if value not in (None, [], {}) and key != "columns":
                overview.add_row(f"{block}.{key}", _text(value))
    console.print(overview)
    loads: dict[str, dict[str, Any]] = shown["loads"]
    together = Table(title="destinations", title_justify="left")
    for header in ("", *loads):
        together.add_column(header, overflow="fold")
    for key in dict.fromkeys(key for load in loads.values() for key in load if key not in _SAID):
        together.add_row(key, *(_text(load.get(key)) for load in loads.values()))
    console.print(together)
    columns = Table("column", "type", title="columns at the source", title_justify="left")
    for name, written in shown["columns"].items():
        columns.add_row(name, written)
    if shown["columns"]:
        console.print(columns)


def _text(value: Any) -> str:
    if value is None or value == []:
        return ""
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    run_tool(app, "python -m etl.config")
