"""etl/spark/start.py: a process of its own that lets a JVM start, as the main job does."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

PROGRAM = """
import psutil
from etl.spark.start import begin_jvm, start_jvm
{}
print(sum(each.name() == "java" for each in psutil.Process().children(recursive=True)))
"""


def run(body: str, name: str, **environment: str) -> str:
    submitted = {"PYSPARK_SUBMIT_ARGS": f"--master local[1] --name {name} pyspark-shell", "SPARK_LOCAL_IP": "127.0.0.1"}
    command = [sys.executable, "-c", PROGRAM.format(body)]
    done = subprocess.run(
        command, env={**os.environ, **submitted, **environment}, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.strip()


def alive(name: str) -> list[psutil.Process]:
    return [each for each in psutil.process_iter(["cmdline"]) if name in (each.info["cmdline"] or ())]


def test_the_jvm_that_has_begun_is_the_one_that_is_waited_for() -> None:
    assert run("begin_jvm(); begin_jvm(); start_jvm()", "begun") == "1"


def test_a_process_that_ends_before_its_jvm_has_answered_leaves_none_behind() -> None:
    run("begin_jvm()", "given-up-at-once")
    assert not alive("given-up-at-once")


@pytest.mark.parametrize("environment", [{"PYSPARK_GATEWAY_PORT": "1"}, {"PYSPARK_SUBMIT_ARGS": ""}])
def test_none_begins_where_spark_submit_has_started_one_or_nobody_asks_for_it(environment: dict[str, str]) -> None:
    assert run("begin_jvm()", "not-begun", **environment) == "0"
