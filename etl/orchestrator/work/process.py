"""A job's processes as the worker sees them: started under a guardian, read from, renewed, ended."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from etl.orchestrator.work import guardian
from etl.orchestrator.work.guardian import Orders, machine_time
from etl.orchestrator.work.launching import REPORT_VARIABLE, Launch

_READ_BYTES = 64 * 1024
_LONGEST_REPORT_BYTES = 1024 * 1024
_LAST_WORDS_SECONDS = 1.0
"""A daemon that the job started may hold its output open for ever."""

Written = Callable[[str, bytes], None]


@dataclass(frozen=True)
class Ended:
    """How the job's own process ended; all None: its guardian died, and took it along."""

    code: int | None = None
    signal_number: int | None = None
    not_started: int | None = None
    """The error's number."""


class JobProcess:
    """From its start to its end; leaving the block ends whatever still runs. Raises OSError where there is no room."""

    def __init__(self, launch: Launch, until: float, notice_seconds: float, written: Written) -> None:
        self.pid: int | None = None
        self.ended: Ended | None = None
        self.report = b""
        """What a child of ours says of how it went."""
        self._written = written
        self._said = b""
        self._selector = selectors.DefaultSelector()
        self._guardian = self._start(launch, until, notice_seconds)
        self._guard = threading.Lock()
        self._orders: int | None = os.dup(self._guardian.stdin.fileno())  # type: ignore[union-attr]
        self._guardian.stdin.close()  # type: ignore[union-attr]
        self._read(self._guardian.stdout.fileno(), "guardian")  # type: ignore[union-attr]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The guardian takes the end of its orders for the worker's, and ends what is left."""
        if self.ended is None:
            self.end(0)
        with self._guard:
            orders, self._orders = self._orders, None
            if orders is not None:
                os.close(orders)
        self._guardian.wait()
        for key in list(self._selector.get_map().values()):
            self._let_go(key.fd, key.data)
        self._guardian.stdout.close()  # type: ignore[union-attr]
        self._selector.close()

    def renew(self, until: float) -> None:
        self._order(f"until {until}")

    def end(self, grace_seconds: float) -> None:
        """Asks it to end; it is killed after the grace time."""
        self._order(f"end {grace_seconds}")

    def told(self, seconds: float) -> list[str]:
        """What the guardian says meanwhile; the job's output goes where it is kept. `ended` is set at its end."""
        lines: list[str] = []
        for key, _ in self._selector.select(seconds):
            data = os.read(key.fd, _READ_BYTES)
            if key.data == "guardian":
                *said, self._said = (self._said + data).split(b"\n")
                lines += [line.decode() for line in said]
            elif data:
                self._take(key.data, data)
            if not data:
                self._let_go(key.fd, key.data)
        for line in lines:
            self._hear(*line.split())
        if self.ended is None and self._is_guardian_gone:
            self._follow_guardian()
        return lines

    def last_words(self) -> None:
        """Reads what is still in the pipes."""
        until = machine_time() + _LAST_WORDS_SECONDS
        while self._selector.get_map() and machine_time() < until:
            self.told(_LAST_WORDS_SECONDS / 10)

    def _start(self, launch: Launch, until: float, notice_seconds: float) -> subprocess.Popen[bytes]:
        """The job's own session begins below the guardian's: neither Ctrl-C nor the end of our group reaches them."""
        ends: dict[str, tuple[int, int]] = {}
        try:
            for name in ("stdout", "stderr", "report"):
                ends[name] = os.pipe()
            writing = {name: end for name, (_, end) in ends.items()}
            orders = Orders(until, notice_seconds, writing["stdout"], writing["report"], list(launch.words))
            started = subprocess.Popen(
                [sys.executable, "-I", "-S", str(Path(guardian.__file__)), *orders.arguments()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=writing["stderr"],
                pass_fds=(writing["stdout"], writing["report"]),
                env={**launch.environment, REPORT_VARIABLE: str(writing["report"])},
                cwd=launch.folder,
                start_new_session=True,
                bufsize=0,
            )
        except BaseException:
            for reading, _ in ends.values():
                os.close(reading)
            raise
        finally:
            for _, end in ends.values():
                os.close(end)
        for name, (reading, _) in ends.items():
            self._read(reading, name)
        return started

    def _read(self, descriptor: int, name: str) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ, name)

    def _let_go(self, descriptor: int, name: str) -> None:
        """The guardian's is closed with it: a number that is closed twice may be another thread's by then."""
        self._selector.unregister(descriptor)
        if name != "guardian":
            os.close(descriptor)

    def _take(self, stream: str, data: bytes) -> None:
        if stream == "report":
            self.report = (self.report + data)[:_LONGEST_REPORT_BYTES]
        else:
            self._written(stream, data)

    def _hear(self, word: str, *values: str) -> None:
        if word == "started":
            self.pid = int(values[0])
        elif word == "exit":
            self.ended = Ended(code=int(values[0]))
        elif word == "signal":
            self.ended = Ended(signal_number=int(values[0]))
        elif word == "not-started":
            self.ended = Ended(not_started=int(values[0]))

    @property
    def _is_guardian_gone(self) -> bool:
        return all(key.data != "guardian" for key in self._selector.get_map().values())

    def _follow_guardian(self) -> None:
        """Somebody killed it: the kernel has killed the job, and we do its group."""
        if self.pid is not None:
            with suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)
        self.ended = Ended()

    def _order(self, line: str) -> None:
        with self._guard, suppress(OSError):  # it may be at its end
            if self._orders is not None:
                os.write(self._orders, f"{line}\n".encode())
