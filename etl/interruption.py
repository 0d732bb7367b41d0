"""Ctrl-C and SIGTERM: the first ends the run in order, the second at once. Signals belong to the process, so does this.

Whoever sleeps or waits for long asks `INTERRUPTED`, so that the first one ends it.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from etl.command.exits import Exit
from etl.errors import InterruptionError

INTERRUPTED = threading.Event()

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
SAID = "interrupted: what is being published is finished, the rest is given up (a second time: at once)"


@contextmanager
def interruptible() -> Iterator[None]:
    """Raises KeyboardInterrupt in the main thread at the first signal; what stood before is put back at the end."""
    INTERRUPTED.clear()
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    listen()
    try:
        yield
    finally:
        for number, handler in before.items():
            if threading.current_thread() is threading.main_thread():
                signal.signal(number, handler)


def listen() -> None:
    """To be called again after a library has set handlers of its own (PySpark does)."""
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            signal.signal(number, _interrupt)


def require_uninterrupted() -> None:
    """Before something is begun that an interrupted run should not begin."""
    if INTERRUPTED.is_set():
        raise interrupted()


def interrupted(error: BaseException | None = None) -> InterruptionError:
    """What an error amounts to in a run that is being ended: its cause is that end."""
    said = InterruptionError("interrupted (Ctrl-C or SIGTERM) before it was published")
    said.__cause__ = error
    return said


def _interrupt(number: int, frame: FrameType | None) -> None:
    if INTERRUPTED.is_set():
        os._exit(Exit.INTERRUPTED)
    INTERRUPTED.set()
    if not os.isatty(2):  # a terminal's display says it itself, and writing would tear it
        os.write(2, f"{SAID}\n".encode())
    raise KeyboardInterrupt
