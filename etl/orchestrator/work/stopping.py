"""How a worker is told to end: first in order, then at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """`drain`: claim nothing more, let what runs end. `hand_back`: end what runs, for others to run again.

    Set by signal handlers, so nothing here takes a lock that its own thread may hold: it is looked at, not waited for.
    """

    def __init__(self) -> None:
        self.is_draining = False
        self.is_handing_back = False
        self.is_terminated = False
        """By SIGTERM."""

    def drain(self) -> None:
        self.is_draining = True

    def hand_back(self) -> None:
        self.is_draining = self.is_handing_back = True


@contextmanager
def stopped_by_signals(stop: Stop) -> Iterator[Stop]:
    """Ctrl-C drains, a second time hands back; SIGTERM hands back. What stood before is put back at the end."""

    def interrupt(number: int, _: FrameType | None) -> None:
        stop.is_terminated = number == signal.SIGTERM
        if stop.is_terminated or stop.is_draining:
            stop.hand_back()
        else:
            stop.drain()

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    is_main = threading.current_thread() is threading.main_thread()
    try:
        for number in numbers if is_main else ():
            signal.signal(number, interrupt)
        yield stop
    finally:
        for number, handler in before.items() if is_main else ():
            signal.signal(number, handler)
