"""Bars on a terminal, which look alike in every tool; etl.command.console says whether there are any."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn

NO_ROWS: dict[str, Any] = {"rows": 0, "rate": 0.0, "notes": ""}
"""The fields of `counted`, of a task that begins."""


def open_bars(console: Console, *columns: ProgressColumn) -> Progress:
    """A line a task, gone at its end: what the columns show, and the time it takes."""
    return Progress(*columns, TimeElapsedColumn(), console=console, transient=True)


def spinning(console: Console, *columns: ProgressColumn) -> Progress:
    """For work whose length nobody knows."""
    return open_bars(console, SpinnerColumn(), TextColumn("{task.description}"), *columns)


def counted(noun: str, *columns: ProgressColumn) -> tuple[ProgressColumn, ...]:
    """A bar and `1,234 rows  56/s  retrying`, by the task's fields."""
    text = f"{{task.fields[rows]:,}} {noun}  {{task.fields[rate]:,.0f}}/s  {{task.fields[notes]}}"
    return (BarColumn(), *columns, TextColumn(text))


def rate(rows: int, seconds: float) -> float:
    """A second; of the first moment, too."""
    return rows / max(seconds, 0.001)
