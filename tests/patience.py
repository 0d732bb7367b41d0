"""Waiting for what another thread, process or session brings about."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_SECONDS = 60.0


def until(is_so: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    assert eventually(is_so, seconds), f"waited {seconds:g} s in vain"


def eventually(is_so: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if is_so():
            return True
        time.sleep(0.02)
    return bool(is_so())
