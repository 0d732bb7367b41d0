"""Follows a cycle to its end: drawn where a person watches, else a line a change of state."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import TextIO

import orjson
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from etl.orchestrator.command.board import Board, Line, board_of
from etl.orchestrator.command.finding import Cycles
from etl.orchestrator.command.looking import looks
from etl.orchestrator.command.moments import clock
from etl.orchestrator.command.rendering_watch import print_end, render
from etl.orchestrator.database.database import OrchestratorDatabase

INTERVAL_SECONDS = 1.0

SILENT_SECONDS = 5.0
"""So long without an answer, and what is drawn is said to be old."""

Tell = Callable[[Line], None]


def watch(database: OrchestratorDatabase, cycles: Cycles, interval: float, to: TextIO) -> Board:
    """The cycle at its end."""
    console = Console(file=to)
    if console.is_terminal and not console.is_dumb_terminal:
        return _drawn(database, cycles, interval, console)
    board = _told(database, cycles, interval, lambda line: _say(_sentence(line), to))
    counts = ", ".join(f"{count} {state}" for state, count in board.counts.items())
    _say(f"{cycles.name} ended after {clock(board.seconds)}: {counts}", to)
    return board


def watch_as_json(database: OrchestratorDatabase, cycles: Cycles, interval: float) -> Board:
    """A line of JSON a change of state, and one for the end."""
    board = _told(database, cycles, interval, lambda line: _say_json({**vars(line), "cycle": cycles.name}))
    _say_json({"cycle": cycles.name, "seconds": board.seconds, "states": board.counts})
    return board


def boards(database: OrchestratorDatabase, cycles: Cycles, interval: float) -> Iterator[Board]:
    """The last has ended."""
    for board in looks(lambda: board_of(database, cycles), interval):
        yield board
        if board.has_ended:
            return


def _drawn(database: OrchestratorDatabase, cycles: Cycles, interval: float, console: Console) -> Board:
    last, seen_at = Board(cycles.name, 0, ()), time.monotonic()

    def picture() -> RenderableType:
        silent = time.monotonic() - seen_at - interval
        if silent < SILENT_SECONDS:
            return render(last, console.width, console.height)
        told = Text(f"no answer from PostgreSQL for {clock(silent)}; it is asked again", style="bold yellow")
        return Group(told, render(last, console.width, console.height - 1))

    try:
        with Live(console=console, get_renderable=picture, refresh_per_second=1, screen=True) as live:
            for board in boards(database, cycles, interval):
                last, seen_at = board, time.monotonic()
                live.refresh()
    finally:  # by Ctrl-C, too: the screen is again what it was before
        print_end(last, console)
    return last


def _told(database: OrchestratorDatabase, cycles: Cycles, interval: float, tell: Tell) -> Board:
    known: dict[int, tuple[str, str]] = {}
    board = Board(cycles.name, 0, ())
    for board in boards(database, cycles, interval):
        for line in board.lines:
            if known.get(line.run_id) != (line.state, line.attempt):
                known[line.run_id] = (line.state, line.attempt)
                tell(line)
    return board


def _sentence(line: Line) -> str:
    told = ", ".join(filter(None, (f"attempt {line.attempt}" if line.attempt else "", line.told.replace("\n", " "))))
    took = f" after {clock(line.seconds)}" if line.seconds is not None and line.ended_at else ""
    return f"{line.label} run {line.run_id} {line.state}{took}{f': {told}' if told else ''}"


def _say_json(value: object) -> None:
    _say(orjson.dumps(value, default=str).decode(), sys.stdout)


def _say(text: str, to: TextIO) -> None:
    to.write(text + "\n")
    to.flush()
