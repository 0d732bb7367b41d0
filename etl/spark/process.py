"""Whether Spark's JVM still lives, and why it does not."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path
from subprocess import STDOUT, TimeoutExpired
from typing import Any

import psutil
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkRuntimeError
from pyspark.java_gateway import launch_gateway

from etl.errors import TerminalError

_OUT_OF_MEMORY, _UNCAUGHT = 52, 50
"""Spark's own exit codes (SparkExitCode)."""

_SHOWN_LETTERS = 3_000

MORE_MEMORY = (
    "give it more (spark.driver.memory in conf/spark-defaults.conf, or --driver-memory 4g before the job's file) "
    "or load fewer tables side by side (--parallelism)"
)
GONE = f"Spark's JVM no longer answers, most often since it ran out of memory (its log says: spark.log); {MORE_MEMORY}"


def start_jvm(log_file: Path, conf: SparkConf | None = None) -> None:
    """A child of this process, whose words go to a file: the terminal is the run's.

    It is out of the terminal's reach (a group of its own), so that Ctrl-C comes to us alone; it ends when we do, by the
    pipe that it reads from. Until it has answered it does not read from there, and is ended here.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    others = psutil.Process().children(recursive=True)
    with log_file.open("ab") as log:
        begin = log.tell()
        options: dict[str, Any] = {"stdout": log, "stderr": STDOUT, "start_new_session": True}
        try:
            gateway = launch_gateway(conf, options)  # type: ignore[no-untyped-call]
            SparkContext._ensure_initialized(gateway=gateway)
        except PySparkRuntimeError as error:
            said = log_file.read_bytes()[begin:].decode(errors="replace").strip()
            raise TerminalError(f"Spark did not start; it said:\n{said[-_SHOWN_LETTERS:]}") from error
        except KeyboardInterrupt:
            for started in set(psutil.Process().children(recursive=True)).difference(others):
                with suppress(psutil.NoSuchProcess):
                    started.kill()
            raise


def why_spark_ended(patience_seconds: float = 0) -> str | None:
    """None while the JVM lives, and where spark-submit started it, which does not outlive it."""
    process = getattr(SparkContext._gateway, "proc", None)
    if process is None:
        return None
    try:
        return describe_exit(process.wait(patience_seconds))
    except TimeoutExpired:
        return None


def describe_exit(code: int) -> str:
    """What an exit code of the JVM means; below zero it is the signal that killed it, as Popen has it."""
    if code == _OUT_OF_MEMORY:
        return f"Spark's JVM ran out of memory and ended (exit code {code}); {MORE_MEMORY}"
    if code in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return (
            "Spark's JVM was killed (signal 9), most often by the system for want of memory (see `dmesg`); "
            "free memory, lower spark.driver.memory, or load fewer tables side by side (--parallelism)"
        )
    if code < 0 or code > 128:
        number = -code if code < 0 else code - 128
        return f"Spark's JVM was ended by {_signal_name(number)}; its log has more (spark.log)"
    return f"Spark's JVM ended with exit code {code}; its log has more (spark.log)"


def _signal_name(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"
