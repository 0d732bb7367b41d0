"""The main job on a Spark cluster whose machines have nothing of ours: what is shipped, what is seen, and what the kill
of an executor costs.

The tests of this file build on one another, in their order.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import psutil
import psycopg2
import pytest
import urllib3
from pyspark.sql import SparkSession

from etl.config.settings import Settings
from etl.project import PROJECT_DIR, ivy_dir
from etl.spark.session import s3_options
from etl.spark.shipping.__main__ import options
from etl.spark.shipping.archives import PROJECT
from tests.debian import free_port
from tests.e2e.conftest import STORES, Newcomer
from tests.spark_cluster import Cluster, other_machine, spark_cluster

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(1800)]

ROWS, NEW_ROWS = 200_000, 20_000
COLUMNS = "reading_id, label, amount, measured_at, updated_at"
_PATIENCE_SECONDS = 1500

_SOURCE = f"""
CREATE TABLE readings (
    reading_id bigint PRIMARY KEY, label text NOT NULL, amount numeric(12, 2), measured_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE FUNCTION measure(first bigint, last bigint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO readings
    SELECT id, md5(id::text), (id % 9973) / 7.0, timestamptz '2026-06-01' + id % 5 * interval '1 day', now()
    FROM generate_series(first, last) AS id
$$;
SELECT measure(1, {ROWS});
"""
_NEXT_DAY = f"""
UPDATE readings SET label = md5(label), amount = amount + 1, updated_at = now();
SELECT measure({ROWS + 1}, {ROWS + NEW_ROWS});
"""
_ENTRY = """
tables:
  readings:
    kind: snapshot
    date_column: measured_at
"""
_SEVERAL_PARTITIONS = "run: {rows_per_partition: 25000, retries: 1}"


@dataclass
class Job:
    """One run on the cluster, and what could be seen of it meanwhile."""

    process: subprocess.Popen[str]
    ui: str
    report: Path
    said: list[str] = field(default_factory=list)
    arguments: set[str] = field(default_factory=set)
    pages: set[str] = field(default_factory=set)
    libraries: set[str] = field(default_factory=set)

    def is_running(self) -> bool:
        return self.process.poll() is None

    def look(self, processes: list[psutil.Process]) -> None:
        for each in processes:
            with suppress(psutil.Error):
                self.arguments.add("\n".join(each.cmdline()))
                self.libraries |= {file.path for file in each.memory_maps() if "libarrow.so" in file.path}
        for path in ("/environment/", "/SQL/", "/api/v1/applications"):
            self.pages.add(self._page(path))
        applications = self._page("/api/v1/applications")
        for application in json.loads(applications) if applications.startswith("[") else ():
            for what in ("environment", "sql?details=true&planDescription=true", "allexecutors"):
                self.pages.add(self._page(f"/api/v1/applications/{application['id']}/{what}"))

    def _page(self, path: str) -> str:
        with suppress(urllib3.exceptions.HTTPError):
            answer = urllib3.request("GET", self.ui + path, retries=False, timeout=5)
            return answer.data.decode() if answer.status == 200 else ""
        return ""


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
    (folder / "tables" / "cluster.yaml").write_text(_ENTRY)
    (folder / "etl.yaml").write_text(_SEVERAL_PARTITIONS)
    execute(newcomer.configuration(folder).settings, _SOURCE)
    return folder


def execute(settings: Settings, statement: str) -> None:
    assert settings.source
    with (
        closing(psycopg2.connect(**settings.source.connection_parameters)) as source,
        source,
        source.cursor() as cursor,
    ):
        cursor.execute(statement)


@contextmanager
def started(newcomer: Newcomer, cluster: Cluster, config_dir: Path) -> Iterator[Job]:
    port, report = free_port(), newcomer.reports / "cluster.json"
    report.unlink(missing_ok=True)
    command = ["./spark-submit.sh", "--master", cluster.master, "--conf", f"spark.ui.port={port}"]
    command += ["jobs/run_etl.py", "--config-dir", str(config_dir), "--load-destinations", ",".join(STORES)]
    process = subprocess.Popen(
        [*command, "--log-format", "json", "--report", str(report)],
        cwd=PROJECT_DIR,
        env={**nobodys_python(newcomer.environment), "SPARK_LOCAL_IP": "127.0.0.1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    job = Job(process, f"http://127.0.0.1:{port}", report)
    assert process.stderr
    threading.Thread(target=job.said.extend, args=(process.stderr,), daemon=True).start()
    try:
        yield job
    finally:
        process.terminate()
        process.wait()


def nobodys_python(environment: Mapping[str, str]) -> dict[str, str]:
    """Without what this process's own Spark session has set."""
    return {name: value for name, value in environment.items() if not name.startswith("PYSPARK_")}


def finished(job: Job, cluster: Cluster) -> dict[str, Any]:
    """The report of a run that went well."""
    assert job.process.wait(_PATIENCE_SECONDS) == 0, "".join(job.said[-40:]) + cluster.said()[-8000:]
    document: dict[str, Any] = json.loads(job.report.read_text())
    assert {load["status"] for load in document["loads"]} == {"success"}
    return document


def assert_stores_equal_the_source(settings: Settings, spark: SparkSession) -> None:
    assert settings.source and settings.postgresql and settings.clickhouse and settings.s3
    expected = rows_of_postgresql(settings.source)
    assert rows_of_postgresql(settings.postgresql) == expected
    assert rows_of_clickhouse(settings.clickhouse) == expected
    s3 = settings.s3
    reader = spark.read.format("delta").options(**{**s3_options(s3), "fs.s3a.impl.disable.cache": "true"})
    lake = reader.load(f"s3a://{s3.bucket}/{s3.prefix}/cluster/readings").selectExpr(
        "reading_id", "label", "cast(amount AS string)", "unix_micros(measured_at)", "unix_micros(updated_at)"
    )
    assert sorted(tuple(row) for row in lake.collect()) == expected


def rows_of_postgresql(server: Any) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(**server.connection_parameters)) as connection, connection.cursor() as cursor:
        micros = ", ".join(f"(extract(epoch FROM {name}) * 1000000)::bigint" for name in ("measured_at", "updated_at"))
        cursor.execute(f"SELECT reading_id, label, amount::text, {micros} FROM readings ORDER BY reading_id")
        return cursor.fetchall()


def rows_of_clickhouse(server: Any) -> list[tuple[Any, ...]]:
    micros = "toUnixTimestamp64Micro(measured_at), toUnixTimestamp64Micro(updated_at)"
    lines = asked(
        server,
        f"SELECT reading_id, label, toDecimalString(amount, 2), {micros} FROM readings FINAL ORDER BY reading_id",
    )
    values = (line.split("\t") for line in lines)
    return [(int(one), two, three, int(four), int(five)) for one, two, three, four, five in values]


def asked(server: Any, query: str) -> list[str]:
    answer = urllib3.request(
        "POST",
        f"http://{server.host}:{server.port}/?database={server.database}",
        body=query.encode(),
        headers={"X-ClickHouse-User": server.user, "X-ClickHouse-Key": server.password.get_secret_value()},
    )
    assert answer.status == 200, answer.data.decode()
    return answer.data.decode().splitlines()


def assert_nothing_is_left_behind(settings: Settings) -> None:
    assert settings.postgresql and settings.clickhouse and settings.s3
    with closing(psycopg2.connect(**settings.postgresql.connection_parameters)) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT relname FROM pg_class WHERE relnamespace = 'etl_staging'::regnamespace")
        assert cursor.fetchall() == []
    tables = "SELECT name FROM system.tables WHERE database = currentDatabase()"
    assert asked(settings.clickhouse, tables) == ["readings"]
    s3 = settings.s3
    assert s3.access_key and s3.secret_key
    keys = {"aws_access_key_id": s3.access_key, "aws_secret_access_key": s3.secret_key}
    client = boto3.client(
        "s3",
        endpoint_url=s3.endpoint,
        region_name=s3.region,
        **{name: each.get_secret_value() for name, each in keys.items()},
    )
    assert client.list_multipart_uploads(Bucket=s3.bucket).get("Uploads", []) == []


def test_executors_work_with_what_is_shipped_and_no_secret_is_seen(
    newcomer: Newcomer, cluster: Cluster, config_dir: Path, spark: SparkSession
) -> None:
    with started(newcomer, cluster, config_dir) as job:
        while job.is_running():
            job.look([*cluster.processes(), *psutil.Process(job.process.pid).children(recursive=True)])
            time.sleep(1)
        report = finished(job, cluster)
    assert [load["rows_inserted"] for load in report["loads"]] == [ROWS] * len(STORES)
    assert_stores_equal_the_source(newcomer.configuration(config_dir).settings, spark)
    of_executors = {path for path in job.libraries if Path(path).is_relative_to(cluster.folder)}
    assert all("/environment/packages/pyarrow/" in path for path in of_executors) and of_executors
    seen = "\n".join((*job.arguments, *job.pages))
    assert "CoarseGrainedExecutorBackend" in seen and "spark.executorEnv.TZ" in seen and "readings" in seen
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
    execute(settings, _NEXT_DAY)
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
                          capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False)  # fmt: skip
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
