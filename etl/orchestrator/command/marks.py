"""A sign and a colour for each state of a run, on the board and in the graph."""

from __future__ import annotations

from rich.text import Text

from etl.orchestrator.command.rendering import STYLES

MARKS = {
    "running": "●",
    "success": "✓",
    "failed": "✗",
    "ready": "▸",
    "again": "↻",
    "waiting": "·",
    "queued": "·",
    "skipped": "»",
    "cancelled": "⊘",
}
NEVER = "○"
"""A job that has had no run."""

_TOLD = ("running", "success", "failed", "skipped", "cancelled", "queued")
LEGEND = [((MARKS[each], STYLES[each]), f" {each}  ") for each in _TOLD] + [((NEVER, "dim"), " never run")]


def mark(status: str | None) -> Text:
    return Text(MARKS.get(status or "", NEVER), style=style_of(status))


def style_of(status: str | None) -> str:
    return STYLES.get(status or "", "dim")
