"""A command as a user runs it: how long it took and how much memory it had at its highest."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import psutil

from etl.project import PROJECT_DIR

_LOOK_EVERY_SECONDS = 0.05
_LINES_OF_FAILURE = 30


@dataclass(frozen=True)
class Finished:
    """`working_seconds` are those without the start of Python and its imports, as the command itself tells them.

    `log` is what it wrote to standard error.
    """

    seconds: float
    working_seconds: float
    peak_bytes: int
    output: str
    log: str = ""


def run_command(command: Sequence[str], environment: Mapping[str, str]) -> Finished:
    """From its start to its end, an interpreter's start included. Raises on failure, with the end of what it said."""
    with TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=PROJECT_DIR, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=errors
        )
        peak = _Peak(process.pid)
        code = process.wait()
        seconds = time.perf_counter() - started
        for file in (output, errors):
            file.seek(0)
        said, log = output.read(), errors.read()
        if code:
            end = (said + log).splitlines()[-_LINES_OF_FAILURE:]
            raise RuntimeError(f"{Path(command[0]).name} ended with exit code {code}:\n" + "\n".join(end))
        return Finished(seconds, seconds, peak.bytes(), said, log)


class _Peak:
    """The kernel's own high-water mark of a process, read while it lives, and those of its children.

    Not getrusage's: that one begins with the memory of the process that started it.
    """

    def __init__(self, process_id: int) -> None:
        self._root = process_id
        self._highest: dict[int, int] = {}
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def bytes(self) -> int:
        """Of a process that has ended. The children's peaks need not have come at the same time: an upper bound."""
        self._thread.join()
        return sum(self._highest.values())

    def _watch(self) -> None:
        while (found := _high_water(self._root)) is not None:
            self._highest[self._root] = found
            for child in _children(self._root):
                self._highest[child] = _high_water(child) or self._highest.get(child, 0)
            time.sleep(_LOOK_EVERY_SECONDS)


def _high_water(process_id: int) -> int | None:
    """None once it has ended, waited for or not: it then has no memory."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return None
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), None)
    return int(line.split()[1]) * 1024 if line else None


def _children(process_id: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(process_id).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
