"""Instants and durations as the orchestrator says them."""

from __future__ import annotations

from datetime import datetime


def moment(at: datetime | None) -> str:
    """To the second, in UTC as all that the orchestrator says."""
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""


def clock(seconds: float) -> str:
    """`0:07`, `12:03`, `1:02:03`."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def between(started: datetime | None, ended: datetime | None) -> str:
    return clock((ended - started).total_seconds()) if started and ended else ""
