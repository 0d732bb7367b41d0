"""Where a command's tables, bars and documents go, and how wide they are."""

from __future__ import annotations

import sys
from typing import Any

import orjson
from rich.console import Console
from rich.table import Column, Table

from etl.command.logging import LogFormat, default_log_format

_WIDTH = 220


def table_console() -> Console:
    """Stdout; where nobody watches wide enough not to break names."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH)


def watched_console(log_format: LogFormat | None) -> Console | None:
    """Stderr where a person watches it: there a display moves. None: log lines are written instead."""
    console = Console(file=sys.stderr)
    is_watched = console.is_terminal and not console.is_dumb_terminal
    return console if is_watched and (log_format or default_log_format()) is LogFormat.CONSOLE else None


def print_json(value: Any) -> None:
    """What `--json` prints: one document."""
    print(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode())  # noqa: T201 - to nobody after `>&-`


def plain_table(*headings: str) -> Table:
    """Too narrow a terminal breaks a name into lines, and never cuts it."""
    return Table(*(Column(heading, overflow="fold") for heading in headings), box=None, pad_edge=False)
