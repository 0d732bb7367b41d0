"""A real Airflow with the DAG of jobs/airflow: an environment of its own, all its processes, and its API."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from etl.project import PROJECT_DIR
from etl.stack.layout import locked
from tests.debian import free_port

DAGS = PROJECT_DIR / "jobs" / "airflow"
DAG = "ownlens_etl"
PYTHON = "3.11"
PATIENCE_SECONDS = 1500


@dataclass
class Airflow:
    """`home` has logs and database; `commands` are those of all processes that were seen while the tests waited; the
    API is that of the browser's pages."""

    url: str
    home: Path
    session: int
    commands: set[str] = field(default_factory=set, repr=False)
    _token: str = field(default="", repr=False)

    def trigger(self, run_id: str, **conf: Any) -> None:
        self.call("/dagRuns", {"dag_run_id": run_id, "logical_date": None, "conf": conf})

    def refusal(self, **conf: Any) -> str:
        """What is said to params that do not fit."""
        try:
            self.call("/dagRuns", {"logical_date": None, "conf": conf})
        except urllib.error.HTTPError as error:
            assert error.code == 400
            return error.read().decode()
        raise AssertionError(f"{conf} were taken")

    def state(self, run_id: str) -> str:
        return str(self.call(f"/dagRuns/{run_id}")["state"])

    def tasks(self, run_id: str) -> dict[str, dict[str, Any]]:
        found = self.call(f"/dagRuns/{run_id}/taskInstances")["task_instances"]
        return {each["task_id"]: each for each in found}

    def wait_for(self, run_id: str, task: str, state: str) -> None:
        self._wait(f"{task} of {run_id} to be {state}", lambda: self.tasks(run_id)[task]["state"] == state)

    def wait_until_ended(self, run_id: str) -> str:
        self._wait(f"{run_id} to end", lambda: self.state(run_id) in ("success", "failed"))
        return self.state(run_id)

    def wait_for_dag(self) -> None:
        self._wait("the DAG", self._knows_dag)

    def summary(self, run_id: str, domain: str) -> dict[str, Any]:
        entry = self.call(f"/dagRuns/{run_id}/taskInstances/{domain}.report/xcomEntries/return_value")
        value = entry["value"]
        found: dict[str, Any] = json.loads(value) if isinstance(value, str) else value
        return found

    def log(self, run_id: str, task: str, attempt: int) -> str:
        return (self.home / f"logs/dag_id={DAG}/run_id={run_id}/task_id={task}/attempt={attempt}.log").read_text()

    def call(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        return _answer(urllib.request.Request(f"{self.url}/api/v2/dags/{DAG}{path}", data, headers))

    def _knows_dag(self) -> bool:
        try:
            self._token = _answer(urllib.request.Request(f"{self.url}/auth/token"))["access_token"]
            return bool(self.call("")["is_paused"] is False)
        except (OSError, urllib.error.HTTPError):
            return False

    def _wait(self, what: str, is_so: Any) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            assert time.monotonic() < end, f"waited {PATIENCE_SECONDS} s for {what}"
            self._see_commands()
            time.sleep(1)

    def _see_commands(self) -> None:
        for process in psutil.process_iter():
            with suppress(OSError, psutil.Error):
                if os.getsid(process.pid) == self.session:
                    self.commands.add(" ".join(process.cmdline()))


def environment_of_airflow() -> Path:
    """Installed once from its lock file, which must be complete: pip looks for nothing else. Skips the test where there
    is no Python of the version that it was made for."""
    is_own = f"{sys.version_info.major}.{sys.version_info.minor}" == PYTHON
    python = sys.executable if is_own else shutil.which(f"python{PYTHON}")
    if python is None:
        pytest.skip(f"no Python {PYTHON} here, for which jobs/airflow/requirements.txt is")
    requirements = DAGS / "requirements.txt"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    folder = PROJECT_DIR / ".data" / "tools" / f"airflow-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock", on_wait=lambda: None):
        if not (folder / "installed").exists():
            subprocess.run([python, "-m", "venv", str(folder)], check=True)
            pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
            subprocess.run([*pip, "install", "--quiet", "--no-deps", "-r", str(requirements)], check=True)
            subprocess.run([*pip, "check"], check=True)
            (folder / "installed").touch()
    return folder


@contextmanager
def airflow(home: Path, environment: Mapping[str, str]) -> Iterator[Airflow]:
    """`airflow standalone`, as docs/airflow.md has it, with the DAG unpaused and without its schedule."""
    bin_folder, port = environment_of_airflow() / "bin", free_port()
    url = f"http://localhost:{port}"
    own = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "ETL_AIRFLOW_SCHEDULE": "",
        "ETL_AIRFLOW_REPORT_DIR": str(home / "reports"),
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
    }
    with (home / "standalone.log").open("w") as log:
        process = subprocess.Popen(
            [bin_folder / "airflow", "standalone"],
            env={**environment, **own},
            cwd=home,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            running = Airflow(url, home, process.pid)
            running.wait_for_dag()
            yield running
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """All its processes: some are no children of the first any more."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(30)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def _answer(request: urllib.request.Request) -> Any:
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)
