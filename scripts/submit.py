"""Runs a job as spark-submit would, with the job itself at the terminal: submit.py SPARK_SUBMIT [options] job.py [...]

spark-submit runs a Python job as a child behind a pipe: no terminal to show a display on, a Ctrl-C that ends Spark
first, and nobody left to say why Spark ended. Here the job is this very process, and Spark's JVM its child.
"""

from __future__ import annotations

import os
import shlex
import sys


def main(spark_submit: str, *arguments: str) -> None:
    job = next((place for place, argument in enumerate(arguments) if argument.endswith(".py")), None)
    if job is None:
        os.execv(spark_submit, [spark_submit, *arguments])  # noqa: S606 - in its place
    os.environ["PYSPARK_SUBMIT_ARGS"] = shlex.join([*arguments[:job], "pyspark-shell"])
    os.execv(sys.executable, [sys.executable, *arguments[job:]])  # noqa: S606 - in its place


if __name__ == "__main__":
    main(*sys.argv[1:])
