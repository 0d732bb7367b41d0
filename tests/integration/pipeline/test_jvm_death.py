"""A JVM that dies under a run: by ./spark-submit.sh, as it is used."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import closing
from typing import Any

import psutil
import psycopg2
import pytest

from tests.integration.pipeline.conftest import Shop, execute, status_of, submitted

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(1800)]

WIDE_ROW = "SELECT 1 AS id, repeat(md5('a'), 7000000) AS doc"
"""One value of 224 MB, which no driver of half a gigabyte holds: the one thing that cannot be taken in pieces."""
FOR_EVER = (
    # read by Spark it never ends, measured it is quick
    "SELECT 1 AS id, CASE WHEN current_query() LIKE 'SELECT count(*)%' THEN '' ELSE pg_sleep(600)::text END AS doc"
)


def told(process: subprocess.Popen[str], shop: Shop) -> tuple[int, dict[str, Any], list[str]]:
    """Exit code, report, and what was said from the failures on."""
    said, _ = process.communicate()
    assert "Exception" not in said and "Py4J" not in said, said
    report: dict[str, Any] = json.loads((shop.folder / "report.json").read_text())
    return process.returncode, report, said.rpartition("failed:\n")[2].splitlines()


def test_a_jvm_that_runs_out_of_memory_is_named_last_with_what_to_change(shop: Shop) -> None:
    shop.source(f"CREATE VIEW big AS {WIDE_ROW}")
    shop.tables("tables: {big: {}}")
    with submitted(shop, "512m", "postgresql") as process:
        exit_code, report, said = told(process, shop)
    assert (exit_code, report["status"]) == (1, "failed")
    assert status_of(report) == {("big", "postgresql"): "failed"}
    assert f"--resume {report['run_id']} --config-dir {shop.folder}" in "\n".join(said)
    for line in (said[0], said[-1]):
        assert "Spark's JVM ran out of memory and ended (exit code 52)" in line
        assert "spark.driver.memory in conf/spark-defaults.conf, or --driver-memory 4g" in line


def test_a_jvm_that_is_killed_is_named_last_with_what_to_change(shop: Shop) -> None:
    shop.source(f"CREATE VIEW big AS {FOR_EVER}")
    shop.tables("tables: {big: {}}")
    with submitted(shop, "512m", "postgresql") as process:
        _wait_until_spark_reads(shop)
        [jvm] = [each for each in psutil.Process(process.pid).children(recursive=True) if each.name() == "java"]
        os.kill(jvm.pid, signal.SIGKILL)
        exit_code, report, said = told(process, shop)
    name = f"ownlens-etl extract {report['run_id']}"
    ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s"
    # the server has not noticed that nobody waits for its answer
    assert execute(shop.environ["ETL_SOURCE_POSTGRES_URL"], ending, (name,)) == [(True,)]
    assert (exit_code, report["status"]) == (1, "failed")
    assert f"--resume {report['run_id']} --config-dir {shop.folder}" in "\n".join(said)
    for line in (said[0], said[-1]):
        assert "Spark's JVM was killed (signal 9), most often by the system for want of memory" in line
        assert "lower spark.driver.memory" in line


def _wait_until_spark_reads(shop: Shop) -> None:
    deadline = time.monotonic() + 600
    reading = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' "
        f"AND application_name LIKE 'ownlens-etl extract %' AND query LIKE '%{shop.name}%'"
    )
    with closing(psycopg2.connect(shop.environ["ETL_SOURCE_POSTGRES_URL"])) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            while time.monotonic() < deadline:
                cursor.execute(reading)
                if cursor.fetchone() == (1,):
                    return
                time.sleep(0.2)
    raise AssertionError("Spark never read the source")
