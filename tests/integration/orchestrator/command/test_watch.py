"""`etl orchestrator run watch` as a process: on a terminal of 80 × 24, into a pipe, and left by Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest

from etl.project import PROJECT_DIR
from tests.databases import Execute
from tests.integration.orchestrator.command.conftest import Orchestrate
from tests.integration.orchestrator.command.nights import CYCLE, Night, seventy_two

pytestmark = pytest.mark.stack

PATIENCE_SECONDS = 60
END = "UPDATE dw_etl_runs SET status = 'success', ended_at = clock_timestamp() WHERE status IN ('queued', 'running')"


@dataclass
class Watching:
    """A process on a terminal, and all that it has written there."""

    process: subprocess.Popen[bytes]
    terminal: int
    written: bytearray = field(default_factory=bytearray)

    @property
    def text(self) -> str:
        """Without its colours."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self.written.decode(errors="replace"))

    @property
    def end(self) -> str:
        """What it wrote after it had given the screen back."""
        return self.text.rpartition("\x1b[?1049l")[2]

    def until(self, text: str) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while text not in self.text:
            assert self._read(), f"ended without {text!r}: {self.text}"
            assert time.monotonic() < end, f"no {text!r} in {self.text}"

    def ended(self) -> int:
        while self._read():
            pass
        return self.process.wait(PATIENCE_SECONDS)

    def _read(self) -> bool:
        """False at its end."""
        if not select.select([self.terminal], [], [], 1)[0]:
            return True
        try:
            piece = os.read(self.terminal, 65536)
        except OSError:  # how a terminal without a process ends
            return False
        self.written += piece
        return bool(piece)


@contextmanager
def watching(environment: dict[str, str], folder: Path, *arguments: str) -> Iterator[Watching]:
    terminal, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    kept = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "etl.orchestrator", "run", "watch", *arguments, "--config-dir", str(folder)],
        cwd=PROJECT_DIR,
        env={**kept, "TERM": "xterm-256color"},
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
    )
    os.close(inner)
    try:
        yield Watching(process, terminal)
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


@pytest.fixture
def night(database: object, execute: Execute) -> Night:
    night = Night(execute)
    seventy_two(night)
    return night


def test_a_terminal_shows_the_cycle_until_it_ends(night: Night, environment: dict[str, str], tmp_path: Path) -> None:
    with watching(environment, tmp_path, "--interval", "0.2") as watched:
        watched.until("waits for ")
        watched.until("47 of 72")
        watched.until("column amount is missing")
        # its connection is lost meanwhile: it asks again
        night.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        night.execute(END)
        assert watched.ended() == 1
    assert "69 success" in watched.end
    assert "1 failed" in watched.end
    assert "bronze_source_table_05" in watched.end


def test_ctrl_c_ends_the_watching_quietly_and_nothing_else(
    night: Night, environment: dict[str, str], tmp_path: Path
) -> None:
    before = night.execute("SELECT run_id, status FROM dw_etl_runs ORDER BY run_id")
    with watching(environment, tmp_path, CYCLE) as watched:
        watched.until("47 of 72")
        watched.process.send_signal(signal.SIGINT)
        assert watched.ended() == 130
    assert "4 running" in watched.end
    assert "Traceback" not in watched.end
    assert "interrupted" not in watched.end
    assert night.execute("SELECT run_id, status FROM dw_etl_runs ORDER BY run_id") == before


def test_a_pipe_gets_a_line_a_change_of_state(night: Night, orchestrate: Orchestrate) -> None:
    night.execute(END)
    done = orchestrate("run", "watch")
    assert done.code == 1
    *lines, end = done.out.splitlines()
    assert len(lines) == 72
    assert "bronze_source_table_05 run 6 failed after 3:00: StoreError: column amount is missing" in lines
    assert end.startswith(f"{CYCLE} ended after ")
    assert end.endswith(": 69 success, 1 failed, 2 skipped")


def test_a_change_is_told_when_it_comes(night: Night, environment: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "etl.orchestrator", "run", "watch", CYCLE, "--json", "--interval", "0.1"]
    with subprocess.Popen(
        [*command, "--config-dir", str(tmp_path)], cwd=PROJECT_DIR, env=environment, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        first = [orjson.loads(process.stdout.readline()) for _ in range(72)]
        night.execute(END)
        rest = [orjson.loads(line) for line in process.stdout]
    assert process.returncode == 1
    assert {line["slug"] for line in first if line["state"] == "running"} == {
        "bronze_source_table_20", "bronze_source_table_21", "silver_store_of_10", "silver_store_of_11",
    }  # fmt: skip
    *changes, end = rest
    assert {line["state"] for line in changes} == {"success"}
    assert len(changes) == 25
    assert end["states"] == {"success": 69, "failed": 1, "skipped": 2}


def test_a_cycle_that_succeeded_ends_with_0(database: object, execute: Execute, orchestrate: Orchestrate) -> None:
    night = Night(execute)
    night.job("bronze_a")
    run = night.run("bronze_a", "success")
    for named in ([], [CYCLE], [str(run)], [f"bronze_a@{CYCLE}"]):
        assert orchestrate("run", "watch", *named).code == 0


def test_what_is_no_cycle_is_refused(database: object, execute: Execute, orchestrate: Orchestrate) -> None:
    done = orchestrate("run", "watch")
    assert done.code == 2
    assert "found no run at all" in done.err
    night = Night(execute)
    night.job("bronze_a")
    night.run("bronze_a")
    done = orchestrate("run", "watch", "2026-11-26T02:00Z")
    assert done.code == 2
    assert f"unknown cycle '2026-11-26T02:00Z'; did you mean '{CYCLE}'?" in done.err


def test_a_backfill_is_watched_and_cancelled_by_its_name(
    database: object, execute: Execute, orchestrate: Orchestrate
) -> None:
    night = Night(execute)
    night.job("bronze_a")
    for day in (1, 2, 3):
        at = f"2026-11-{day:02d}T02:00:00Z"
        night.run("bronze_a", "success", cycle_id=f"backfill-0a1b2c3d-{at}", scheduled_at=at, trigger="backfill")
    night.run("bronze_a", "failed", cycle_id="backfill-0a1b2c3e-2026-11-01T02:00:00Z", trigger="backfill")
    done = orchestrate("run", "watch", "backfill-0a1b2c3d")
    assert done.code == 0
    assert [line.split(" run ")[0] for line in done.out.splitlines()[:-1]] == [
        f"bronze_a 2026-11-0{day} 02:00" for day in (1, 2, 3)
    ]
    assert len(orchestrate("run", "list", "--cycle", "backfill-0a1b2c3d", "--json").json) == 3
    night.execute("UPDATE dw_etl_runs SET status = 'queued', ended_at = NULL WHERE status = 'success'")
    cancelled = orchestrate("run", "cancel", "backfill-0a1b2c3d", "--reason", "the wrong days", "--json").json
    assert len(cancelled) == 3
    assert night.execute("SELECT status, count(*) FROM dw_etl_runs GROUP BY status ORDER BY status") == [
        ("cancelled", 3),
        ("failed", 1),
    ]
    assert orchestrate("run", "watch", "backfill-0a1b2c3d").code == 1
