"""Processes of the orchestrator's own commands that are killed and stopped, and a PostgreSQL that comes and goes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from etl.config.settings import PostgreSQLSettings
from etl.project import PROJECT_DIR
from etl.stack import processes
from etl.stack.credentials import new_credentials
from etl.stack.layout import Layout
from etl.stack.ports import LOOPBACK, free_port
from etl.stack.postgresql import ROLE, WAREHOUSE_DATABASE, PostgreSQLServer
from tests.stacks import remove_stack

PATIENCE_SECONDS = 60


class OwnPostgreSQL:
    """A server that a test may stop and start."""

    def __init__(self, data_dir: Path) -> None:
        self._credentials = new_credentials()
        layout = Layout(data_dir)
        layout.create()
        self._server = PostgreSQLServer(layout, self._credentials)
        self._ports = {self._server.name: free_port(26900, taken=set())}

    def start(self) -> None:
        self._server.start(self._ports)
        end = time.monotonic() + PATIENCE_SECONDS
        while not self._server.is_answering(self._ports):
            assert time.monotonic() < end, processes.tail(self._server.log_files[0])
            time.sleep(0.1)

    def fill(self) -> None:
        self._server.create_content(self._ports)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGQUIT: as a crash; what was committed is recovered at the next start."""
        processes.stop(self._server.processes(), how)

    @property
    def settings(self) -> PostgreSQLSettings:
        return PostgreSQLSettings(
            host=LOOPBACK,
            port=self._ports[self._server.name],
            user=ROLE,
            password=SecretStr(self._credentials.postgresql),
            database=WAREHOUSE_DATABASE,
        )

    @property
    def url(self) -> str:
        return (
            f"postgresql://{ROLE}:{self._credentials.postgresql}@{LOOPBACK}:{self._ports[self._server.name]}"
            f"/{WAREHOUSE_DATABASE}"
        )


@contextmanager
def own_postgresql(data_dir: Path) -> Iterator[OwnPostgreSQL]:
    server = OwnPostgreSQL(data_dir)
    try:
        server.start()
        server.fill()
        yield server
    finally:
        server.stop()
        remove_stack(data_dir)


@dataclass
class Flock:
    """Processes that somebody starts again when they end, as whoever runs services does; `wound` harms one of them."""

    commands: list[list[str]]
    environment: Mapping[str, str]
    dice: random.Random
    log: Path
    _living: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _stopped: dict[int, float] = field(default_factory=dict)

    def start(self) -> None:
        self._living = [self._begin(command) for command in self.commands]

    def wound(self, longest_stop_seconds: float) -> None:
        chosen = self.dice.choice(self._living)
        if chosen.pid in self._stopped:
            return
        if self.dice.random() < 0.65:
            chosen.kill()
        else:
            chosen.send_signal(signal.SIGSTOP)
            self._stopped[chosen.pid] = time.monotonic() + self.dice.uniform(0, longest_stop_seconds)

    def tend(self) -> None:
        """Those that were stopped for long enough go on; those that ended begin again."""
        for pid in [pid for pid, until in self._stopped.items() if until < time.monotonic()]:
            self._go_on(pid)
        self._living = [
            each if each.poll() is None else self._begin(command)
            for each, command in zip(self._living, self.commands, strict=True)
        ]

    def heal(self) -> None:
        for pid in list(self._stopped):
            self._go_on(pid)
        self.tend()

    def end(self) -> None:
        for pid in list(self._stopped):
            self._go_on(pid)
        for each in self._living:
            each.terminate()
        for each in self._living:
            with suppress(subprocess.TimeoutExpired):
                each.wait(PATIENCE_SECONDS)
                continue
            each.kill()
            each.wait()

    def _begin(self, command: list[str]) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(command, env=dict(self.environment), cwd=PROJECT_DIR, stderr=log, stdout=log)

    def _go_on(self, pid: int) -> None:
        del self._stopped[pid]
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def orchestrator(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "etl", "orchestrator", *arguments]
