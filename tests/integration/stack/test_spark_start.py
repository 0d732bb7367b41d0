"""Spark's start, cut short."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from etl.project import PROJECT_DIR

PATIENCE_SECONDS = 60
SPARK = "org.apache.spark"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_spark_starts_leaves_no_jvm(tmp_path: Path, number: signal.Signals) -> None:
    program = (
        "from etl.interruption import interruptible\nfrom etl.spark.session import build_session\n"
        "with interruptible():\n    build_session()"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=PROJECT_DIR,
        env={**os.environ, "ETL_LOG_DIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    jvm = _jvm_of(started)
    started.send_signal(number)
    assert "KeyboardInterrupt" in started.communicate(timeout=PATIENCE_SECONDS)[1]
    # a JVM that was left would answer nobody, and live for ever
    _, left = psutil.wait_procs([jvm], timeout=PATIENCE_SECONDS)
    for process in left:
        process.kill()
    assert left == []


def _jvm_of(started: subprocess.Popen[str]) -> psutil.Process:
    """As soon as Spark's own program runs in it, long before that answers."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        for process in psutil.Process(started.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):  # it ended meanwhile
                words = process.cmdline()
                if f"{SPARK}.deploy.SparkSubmit" in words and f"{SPARK}.launcher.Main" not in words:
                    return process
        assert time.monotonic() < deadline
        time.sleep(0.02)
