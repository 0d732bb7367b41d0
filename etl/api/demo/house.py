"""The demo's folder and processes: all of them are found by the folder's name, and none outlives the demo."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from etl.command.edge import say
from etl.errors import EtlError, UsageError
from etl.stack import environment, processes
from etl.stack.embedded import Stack
from etl.stack.layout import Layout
from etl.stack.ports import free_port

PORT = 8400
PAGE = "page"
_START_SECONDS = 120
_SERVES = re.compile(r'"url":"(http://[^"]+)"')


class DemoError(EtlError):
    """A part of it did not start, or ended by itself."""


@dataclass
class House:
    """`children`: by their name, the name of their log."""

    folder: Path
    address: str = ""
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _environment: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def conf(self) -> Path:
        return self.folder / "conf"

    @property
    def records(self) -> Path:
        return self.folder / "records"

    def start_database(self) -> str:
        """Its URL."""
        stack = Stack(Layout(self.folder / "stack"), say)
        stack.up(["postgresql"])
        own = stack.own_servers()
        if own is None:
            raise DemoError("the demo's PostgreSQL is gone; run it again")
        url = environment.variables(own.ports, own.credentials)["ETL_POSTGRES_URL"]
        self.use_database(url)
        return url

    def use_database(self, url: str) -> None:
        """Of whoever runs one already."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ETL_")}
        self._environment = {**kept, "ETL_POSTGRES_URL": url, "ETL_SPOOL_DIR": str(self.folder / "spool")}

    def run(self, *words: str) -> int:
        """A command of the tools, to its end; its exit code."""
        with self._log("commands") as log:
            return subprocess.run(self._command(*words), **self._surroundings(log), check=False).returncode

    def start(self, name: str, *words: str) -> None:
        with self._log(name) as log:
            self.children[name] = subprocess.Popen(
                self._command(*words), **self._surroundings(log), start_new_session=True
            )

    def start_page(self, *options: str) -> None:
        """On its usual port, or on any where somebody has that; waits until it says where."""
        port = free_port(PORT, taken=set())
        for chosen in (port, 0):
            self.start(PAGE, "etl.api", "--port", str(chosen), "--log-format", "json", *options)
            deadline = time.monotonic() + _START_SECONDS
            while self.children[PAGE].poll() is None and time.monotonic() < deadline:
                if found := _SERVES.search(self._tail(PAGE)):
                    self.address = found[1]
                    return
                time.sleep(0.2)
        self.check()
        raise DemoError(f"the page does not answer; the end of its log:\n{self._tail(PAGE)}")

    def check(self) -> None:
        """Raises where a child has ended by itself."""
        for name, child in self.children.items():
            if child.poll() is not None:
                raise DemoError(f"the demo's {name} has ended by itself; the end of its log:\n{self._tail(name)}")

    def end(self) -> None:
        """Leaves no process and no file, also of a demo that was killed."""
        found = processes.find_by_arguments("--config-dir", str(self.conf))
        processes.stop(found, signal.SIGTERM, patience_seconds=10)
        # a worker that was just starting one
        processes.stop(processes.find_by_arguments("--config-dir", str(self.conf)), signal.SIGKILL)
        for child in self.children.values():
            child.wait()
        if (self.folder / "stack").exists():
            Stack(Layout(self.folder / "stack"), say).reset()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", *words, "--config-dir", str(self.conf)]

    def _surroundings(self, log: IO[bytes]) -> dict[str, Any]:
        return {
            "cwd": self.folder,
            "env": self._environment,
            "stdin": subprocess.DEVNULL,
            "stdout": log,
            "stderr": subprocess.STDOUT,
        }

    @contextmanager
    def _log(self, name: str) -> Iterator[IO[bytes]]:
        with (self.folder / f"{name}.log").open("ab") as log:
            yield log

    def _tail(self, name: str) -> str:
        return processes.tail(self.folder / f"{name}.log")


@contextmanager
def house_at(folder: Path) -> Iterator[House]:
    """One demo at a time in a folder; whatever an earlier one left is put away first."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"a demo is running already, in {folder}; end that one first") from None
        house = House(folder)
        house.end()
        folder.mkdir()
        # PostgreSQL, which refuses root, reaches its data as another user
        folder.chmod(0o711)
        try:
            yield house
        finally:
            before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough
            say("ending the demo ...")
            house.end()
            signal.signal(signal.SIGINT, before)
            Path(lock.name).unlink()
