"""Tells for what a session waits, and who holds it; what `find_waits` finds, in whichever driver's rows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import structlog

INTERVAL_SECONDS = 2.0
"""How often it is looked, and from when on a wait is told."""

SAID_AGAIN_SECONDS = 30.0

log = structlog.get_logger(__name__)


class Told:
    """Each wait is told once, and again every half minute."""

    def __init__(self) -> None:
        self._told: dict[tuple[Any, ...], float] = {}

    def tell(self, row: Mapping[str, Any], **known: Any) -> str:
        """The wait in words, for the error that may come of it."""
        key = (row["pid"], row["wanted"], tuple(row["pids"] or ()), *known.values())
        now = time.monotonic()
        if now - self._told.get(key, -SAID_AGAIN_SECONDS) >= SAID_AGAIN_SECONDS:
            self._told[key] = now
            log.warning(
                "waiting for a lock",
                **known,
                wanted=row["wanted"],
                mode=row["mode"],
                held_by=row["told"],
                seconds=round(row["seconds"], 1),
                next_step=_next_step(row["pids"] or ()),
            )
        return f"{row['wanted']}, held by {row['told']}" if row["told"] else str(row["wanted"])


def _next_step(pids: tuple[int, ...]) -> str:
    ending = "; ".join(f"SELECT pg_terminate_backend({pid})" for pid in pids if pid)
    return "let it commit" + (f", or end it: {ending}" if ending else "")
