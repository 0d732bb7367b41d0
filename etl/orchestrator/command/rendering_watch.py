"""A cycle on a terminal of any size: all its jobs as signs, and in words as many as there is room for."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from etl.orchestrator.command.board import Board, Line
from etl.orchestrator.command.marks import mark, style_of
from etl.orchestrator.command.moments import clock

COLUMN_WIDTH = 60
"""Three layers stand side by side where each has as much."""


def render(board: Board, width: int, height: int) -> RenderableType:
    """At most `height` lines."""
    layers = board.layers
    room = height - 2
    if len(layers) > 1 and width >= COLUMN_WIDTH * len(layers):
        return Group(*_heading(board, width), _side_by_side(layers, width, room))
    return Group(*_heading(board, width), *_stacked(layers, width, room))


def print_end(board: Board, console: Console) -> None:
    """What stays on the screen: how it stands, and what failed."""
    console.print(_counts(board), soft_wrap=True)
    for line in board.lines:
        if line.state in ("failed", "cancelled"):
            console.print(_words(line, len(line.label), None), soft_wrap=True)


def _heading(board: Board, width: int) -> Iterator[RenderableType]:
    title = Text(f"{board.name}  {clock(board.seconds)}  {board.ended} of {len(board.lines)}  ", style="bold")
    line = Table.grid(padding=0)
    line.add_column(no_wrap=True)
    line.add_column(no_wrap=True)
    bar = ProgressBar(total=max(1, len(board.lines)), completed=board.ended, width=max(4, width - title.cell_len - 1))
    line.add_row(title, bar)
    yield line
    counts = _counts(board, with_time=False)
    counts.truncate(width, overflow="ellipsis")
    yield counts


def _counts(board: Board, *, with_time: bool = True) -> Text:
    parts = [Text(f"{board.name}  {clock(board.seconds)}", style="bold")] if with_time else []
    parts += [Text.assemble(mark(state), f" {count} {state}") for state, count in board.counts.items()]
    return Text("  ").join(parts)


def _side_by_side(layers: dict[str, list[Line]], width: int, room: int) -> Table:
    each = width // len(layers)
    table = Table.grid(padding=0)
    for _ in layers:
        table.add_column(width=each, no_wrap=True)
    table.add_row(*(Group(*_section(name, lines, each - 2, room)) for name, lines in layers.items()))
    return table


def _stacked(layers: dict[str, list[Line]], width: int, room: int) -> Iterator[Text]:
    longest = max(map(len, layers), default=0)
    for (name, lines), share in zip(layers.items(), _shares(layers, room), strict=True):
        yield from _section(f"{name:<{longest}}", lines, width, share)


def _section(name: str, lines: list[Line], width: int, room: int) -> Iterator[Text]:
    """A layer: its signs, and below them what is most worth a line."""
    signs = Text.assemble((f"{name} ", "bold"), *(mark(line.state) for line in lines))
    signs.truncate(width, overflow="ellipsis")
    yield signs
    shown = _worth(lines, room - 1)
    longest = max((len(line.label) for line in shown), default=0)
    for line in shown:
        yield _words(line, longest, width)


def _worth(lines: list[Line], room: int) -> list[Line]:
    """All in order where they fit, else the most urgent."""
    if len(lines) <= room:
        return lines
    return sorted(lines, key=lambda line: line.urgency)[: max(0, room)]


def _shares(layers: dict[str, list[Line]], room: int) -> list[int]:
    """Lines for each layer: for what is under way first, then for the rest, by turns."""
    wants = [
        1 + sum(line.state not in ("success", "waiting", "skipped") for line in lines) for lines in layers.values()
    ]
    shares = [1] * len(layers)
    for goals in (wants, [1 + len(lines) for lines in layers.values()]):
        while sum(shares) < room and any(share < goal for share, goal in zip(shares, goals, strict=True)):
            for n, goal in enumerate(goals):
                if shares[n] < goal and sum(shares) < room:
                    shares[n] += 1
    return shares


def _words(line: Line, longest: int, width: int | None) -> Text:
    """`● silver_companies  2:13  attempt 2 of 3  on host-1`; without a width: whole."""
    time = clock(line.seconds) if line.seconds is not None else ""
    text = Text.assemble(
        mark(line.state),
        " ",
        (f"{line.label:<{longest}}", style_of(line.state)),
        (f"  {time:>6}" if time or width is not None else ""),
        (f"  attempt {line.attempt}" if line.attempt else "", "yellow"),
        "  ",
        (f"run {line.run_id} {line.state}: " if width is None else _state_word(line), style_of(line.state)),
        (line.told.replace("\n", " "), "dim" if line.state in ("waiting", "success", "skipped") else ""),
    )
    if width is not None:
        text.truncate(width, overflow="ellipsis")
    return text


def _state_word(line: Line) -> str:
    words = {
        "waiting": "waits ",
        "again": "again ",
        "ready": "ready ",
        "skipped": "skipped ",
        "cancelled": "cancelled ",
    }
    return words.get(line.state, "")
