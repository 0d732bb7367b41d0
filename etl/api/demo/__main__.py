"""The Data Loader page with everything behind it: an embedded PostgreSQL, jobs, a worker, and a load that is under way.

Ctrl-C ends all of it and deletes what it made.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
import webbrowser
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from etl.api.demo import scene
from etl.api.demo.house import House, house_at
from etl.command.edge import run_tool, say, tool
from etl.command.logging import LogFormat, configure_logging
from etl.project import PROJECT_DIR

app = tool(__doc__, no_args_is_help=False)

# none that is taken for another
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


@app.callback(invoke_without_command=True)
def demo(
    folder: Annotated[Path, typer.Option(help="Made, and deleted at the end.")] = PROJECT_DIR / ".data" / "demo",
    browser: Annotated[bool, typer.Option(help="Open the page in a browser, where there is one.")] = True,
) -> None:
    """Start all of it, say where it is, and wait for Ctrl-C."""
    configure_logging(LogFormat.CONSOLE, level="ERROR")
    with house_at(folder.absolute()) as house:
        password = _password()
        url = house.start_database()
        say("writing records, loading yesterday's ...")
        scene.furnish(house, url, password)
        with scene.rows_held(url):
            address = scene.start(house, url)
            _tell(address, password)
            if browser and _has_screen():
                webbrowser.open(address)
            _watch(house)


def _tell(address: str, password: str) -> None:
    print(f"\n  {address}\n\n  user      {scene.USER}\n  password  {password}\n")
    print(
        "  Some rows are held by another session: their batches are tried again, and some fail until it lets go, after"
    )
    print(f"  {scene.HELD_SECONDS // 60} minutes; then a retry stores them. Ctrl-C ends and deletes all of it.\n")
    sys.stdout.flush()


def _watch(house: House) -> NoReturn:
    while True:
        house.check()
        time.sleep(1)


def _password() -> str:
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


def _has_screen() -> bool:
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


if __name__ == "__main__":
    run_tool(app, "python -m etl.api.demo")
