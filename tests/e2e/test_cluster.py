"""The main job on a Spark cluster whose machines have nothing of ours: what is shipped, what is seen, and what the kill
of an executor costs.

The tests of this file build on one another, in their order.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg2
import pytest
from pyspark.sql import SparkSession

from etl.config.settings import Settings
from etl.project import ivy_dir
from etl.spark.shipping.__main__ import options
from etl.spark.shipping.archives import PROJECT
from tests.e2e.cluster_job import PATIENCE_SECONDS, Job, finished, started
from tests.e2e.conftest import STORES, Newcomer
from tests.e2e.readings import (
    ENTRY,
    NEW_ROWS,
    NEXT_DAY,
    ROWS,
    SOURCE,
    assert_nothing_is_left_behind,
    assert_stores_equal_the_source,
    execute,
)
from tests.spark_cluster import Cluster, other_machine, spark_cluster

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with spark_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def config_dir(newcomer: Newcomer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a table in the source of the newcomer's own servers."""
    newcomer.run(".venv/bin/etl", "stack", "up")
    folder = tmp_path_factory.mktemp("config")
    (folder / "tables").mkdir()
    (folder / "tables" / "cluster.yaml").write_text(ENTRY)
    (folder / "etl.yaml").write_text("run: {rows_per_partition: 25000, retries: 1}")
    execute(newcomer.configuration(folder).settings, SOURCE)
    return folder


def test_executors_work_with_what_is_shipped_and_no_secret_is_seen(
    newcomer: Newcomer, cluster: Cluster, config_dir: Path, spark: SparkSession
) -> None:
    with started(newcomer, cluster, config_dir) as job:
        while job.is_running():
            job.look(cluster)
            time.sleep(1)
        report = finished(job, cluster)
    assert [load["rows_inserted"] for load in report["loads"]] == [ROWS] * len(STORES)
    assert_stores_equal_the_source(newcomer.configuration(config_dir).settings, spark)
    of_executors = {path for path in job.libraries if Path(path).is_relative_to(cluster.folder)}
    assert all("/environment/packages/pyarrow/" in path for path in of_executors) and of_executors
    seen = "\n".join(job.shown)
    for expected in (
        "CoarseGrainedExecutorBackend",
        "/spark/python/lib/pyspark.zip",
        "spark.executorEnv.TZ",
        "readings",
    ):
        assert expected in seen
    for secret in secrets_of(newcomer):
        assert secret not in seen


def secrets_of(newcomer: Newcomer) -> list[str]:
    variables = newcomer.variables()
    found = [urlsplit(value).password for name, value in variables.items() if name.endswith("_URL")]
    return [*filter(None, found), variables["AWS_SECRET_ACCESS_KEY"]]


def test_an_executor_that_is_killed_while_a_load_stages_costs_no_row(
    newcomer: Newcomer, cluster: Cluster, config_dir: Path, spark: SparkSession
) -> None:
    settings = newcomer.configuration(config_dir).settings
    execute(settings, NEXT_DAY)
    with started(newcomer, cluster, config_dir) as job:
        executor_that_copies(settings, cluster, job).kill()
        report = finished(job, cluster)
    assert "".join(job.said).count('"table extracted"') == 1
    assert [(load["rows_updated"], load["rows_inserted"]) for load in report["loads"]] == [(ROWS, NEW_ROWS)] * len(
        STORES
    )
    assert_stores_equal_the_source(settings, spark)
    assert_nothing_is_left_behind(settings)


def executor_that_copies(settings: Settings, cluster: Cluster, job: Job) -> psutil.Process:
    """One whose Python worker is just filling PostgreSQL's staging table."""
    assert settings.postgresql
    with closing(psycopg2.connect(**settings.postgresql.connection_parameters)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            while job.is_running():
                cursor.execute(
                    "SELECT client_port FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY%etl_staging%'"
                )
                ports = {port for (port,) in cursor.fetchall()}
                for executor in cluster.executors() if ports else []:
                    if ports & ports_of(executor):
                        return executor
                time.sleep(0.02)
    raise AssertionError("".join(job.said[-40:]) + cluster.said()[-8000:])


def ports_of(executor: psutil.Process) -> set[int]:
    """Of the connections that its Python workers have opened."""
    ports: set[int] = set()
    for worker in executor.children(recursive=True):
        with suppress(psutil.Error):
            ports |= {each.laddr.port for each in worker.net_connections("tcp")}
    return ports


def test_a_driver_elsewhere_runs_from_what_yarn_is_sent(
    newcomer: Newcomer, config_dir: Path, spark: SparkSession, tmp_path: Path
) -> None:
    """In an empty folder of a machine without this checkout. Spark starts it there as YARN's container does."""
    sent = options()
    execute(newcomer.configuration(config_dir).settings, "UPDATE readings SET label = 'x', updated_at = now()")
    place = tmp_path / "container"
    place.mkdir()
    for archive in sent["spark.yarn.dist.archives"].split(","):
        path, _, folder = archive.partition("#")
        unpack(Path(path), place / folder)
    shutil.copytree(config_dir, place / "media")
    variables = newcomer.variables()
    (place / "etl.env").write_text("".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items()))
    prefix, its_spark = other_machine(place)
    of_driver = {name: value for name, value in sent.items() if ".appMasterEnv." in name}
    environment = [f"{name.rpartition('.')[2]}={value}" for name, value in of_driver.items()]
    environment += [f"SPARK_HOME={its_spark}", "SPARK_LOCAL_IP=127.0.0.1", "PATH=/usr/bin:/bin"]
    command = [f"{its_spark}/bin/spark-submit", "--master", "local[1]", "--conf", f"spark.jars={jars(place)}"]
    job = [f"{PROJECT}/jobs/run_etl.py", "--config-dir", "media", "--load-destinations", ",".join(STORES)]
    done = subprocess.run([*prefix, *environment, *command, *job, "--report", "report.json"],
                          capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert len(json.loads((place / "report.json").read_text())["loads"]) == len(STORES)
    assert_stores_equal_the_source(newcomer.configuration(config_dir).settings, spark)


def unpack(archive: Path, folder: Path) -> None:
    """As Hadoop does: executables stay what they are."""
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
        for each in packed.infolist():
            if mode := each.external_attr >> 16:
                (folder / each.filename).chmod(mode)


def jars(place: Path) -> str:
    """Copies of those that spark-submit sends."""
    [listing] = ivy_dir().glob("spark-jars-*.txt")
    folder = place / "jars"
    folder.mkdir()
    found = [shutil.copy(each.removeprefix("local:"), folder) for each in listing.read_text().split(",")]
    return ",".join(str(each) for each in found)
