"""A run of the main job on a cluster, as a command of its own, and what can be seen of it from outside."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import urllib3

from etl.project import PROJECT_DIR
from tests.debian import free_port
from tests.e2e.conftest import STORES, Newcomer
from tests.spark_cluster import Cluster

PATIENCE_SECONDS = 1500


@dataclass
class Job:
    """One run on the cluster, and what could be seen of it meanwhile."""

    process: subprocess.Popen[str]
    ui: str
    report: Path
    said: list[str] = field(default_factory=list)
    shown: set[str] = field(default_factory=set)
    libraries: set[str] = field(default_factory=set)

    def is_running(self) -> bool:
        return self.process.poll() is None

    def look(self, cluster: Cluster) -> None:
        """At the arguments of all processes, the variables of those elsewhere, and the pages of Spark's UI."""
        elsewhere = cluster.processes()
        for each in [*elsewhere, *psutil.Process(self.process.pid).children(recursive=True)]:
            with suppress(psutil.Error):
                self.shown.add("\n".join([*each.cmdline(), *(each.environ().values() if each in elsewhere else ())]))
                self.libraries |= {file.path for file in each.memory_maps() if "libarrow.so" in file.path}
        for path in ("/environment/", "/SQL/", "/api/v1/applications"):
            self.shown.add(self._page(path))
        applications = self._page("/api/v1/applications")
        for application in json.loads(applications) if applications.startswith("[") else ():
            for what in ("environment", "sql?details=true&planDescription=true", "allexecutors"):
                self.shown.add(self._page(f"/api/v1/applications/{application['id']}/{what}"))

    def _page(self, path: str) -> str:
        with suppress(urllib3.exceptions.HTTPError):
            answer = urllib3.request("GET", self.ui + path, retries=False, timeout=5)
            return answer.data.decode() if answer.status == 200 else ""
        return ""


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
    assert job.process.wait(PATIENCE_SECONDS) == 0, "".join(job.said[-40:]) + cluster.said()[-8000:]
    document: dict[str, Any] = json.loads(job.report.read_text())
    assert {load["status"] for load in document["loads"]} == {"success"}
    return document
