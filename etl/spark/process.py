"""Whether Spark's JVM still lives, and why it does not."""

from __future__ import annotations

import signal
from subprocess import TimeoutExpired

from pyspark import SparkContext

_OUT_OF_MEMORY, _UNCAUGHT = 52, 50
"""Spark's own exit codes (SparkExitCode)."""

MORE_MEMORY = (
    "give it more (spark.driver.memory in conf/spark-defaults.conf, or --driver-memory 4g before the job's file) "
    "or load fewer tables side by side (--parallelism)"
)
GONE = f"Spark's JVM no longer answers, most often since it ran out of memory (its log says: spark.log); {MORE_MEMORY}"


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
