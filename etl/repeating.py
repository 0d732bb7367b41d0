"""A thread that does one thing again and again while a block runs."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Repeating(ABC):
    """Calls `again` every so many seconds, until the block ends or it answers False. A call that hangs is waited for
    no longer than `patience_seconds`; the thread is a daemon and holds up nobody."""

    def __init__(self, name: str, interval_seconds: float, patience_seconds: float) -> None:
        self._interval_seconds = interval_seconds
        self._patience_seconds = patience_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @abstractmethod
    def again(self) -> bool:
        """Whether to go on."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(timeout=self._patience_seconds)

    def _run(self) -> None:
        while not self._ended.wait(self._interval_seconds) and self.again():
            pass
