from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from etl.stack import processes

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(600)
"""


@pytest.fixture
def stubborn(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", STUBBORN, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_process_is_found_by_whole_arguments_only(stubborn: subprocess.Popen[str], tmp_path: Path) -> None:
    assert [found.pid for found in processes.find_by_arguments("-c", str(tmp_path))] == [stubborn.pid]
    assert processes.find_by_arguments(str(tmp_path.parent)) == []
    assert processes.find_by_arguments(str(tmp_path), "--other") == []


def test_what_ignores_a_polite_signal_is_killed(stubborn: subprocess.Popen[str], tmp_path: Path) -> None:
    processes.stop(processes.find_by_arguments(str(tmp_path)), signal.SIGTERM, patience_seconds=0.2)
    assert processes.find_by_arguments(str(tmp_path)) == []
    assert not psutil.pid_exists(stubborn.pid)


def test_a_started_process_writes_to_its_log_and_knows_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    monkeypatch.setenv("PGPORT", "1")
    log = tmp_path / "log"
    program = "import os; print(sorted(os.environ), os.environ['TZ'], os.getcwd(), os.getpid() == os.getsid(0))"
    processes.start([sys.executable, "-c", program, str(tmp_path)], folder=tmp_path, log_file=log)
    _wait_for_line(log)
    text = log.read_text()
    assert "AWS_SECRET_ACCESS_KEY" not in text
    assert "PGPORT" not in text
    assert text.strip().endswith(f"UTC {tmp_path} True")


def test_a_log_that_grew_too_long_starts_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_LOG_LIMIT_BYTES", 10)
    log = tmp_path / "log"
    log.write_text("something long ago")
    processes.start([sys.executable, "-c", "print('new')", str(tmp_path)], folder=tmp_path, log_file=log)
    _wait_for_line(log)
    assert log.read_text() == "new\n"
    assert processes.tail(log) == "new"
    assert processes.tail(tmp_path / "none") == ""


def _wait_for_line(log: Path) -> None:
    """A process that has just been started has no arguments yet to be found by."""
    deadline = time.monotonic() + 60
    while not log.read_text().endswith("\n"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
