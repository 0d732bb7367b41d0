"""A newcomer's machine: the project's own commands, servers of this test alone, nothing configured."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from etl.config.configuration import Configuration, load_configuration
from etl.project import PROJECT_DIR
from etl.stack.layout import DATA_DIR_VARIABLE
from tests.stacks import own_data_dir

STORES = ("s3", "postgresql", "clickhouse")
_CONFIGURES = ("ETL_", "AWS_")


@dataclass(frozen=True)
class Newcomer:
    """Runs the commands of README.md in an environment that names no server."""

    environment: dict[str, str]
    reports: Path
    patience_seconds: float = 1500

    def run(self, *command: str, expect: int = 0) -> str:
        """Standard output where the command went well, else what it said of its failure."""
        done = subprocess.run(
            command,
            cwd=PROJECT_DIR,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=self.patience_seconds,
            check=False,
        )
        assert done.returncode == expect, f"{command} exited {done.returncode}:\n{done.stdout}\n{done.stderr[-8000:]}"
        # spark-submit sends all that a Python job prints to its own standard output
        return done.stdout if expect == 0 else done.stdout + done.stderr

    def load(self, *arguments: str, destinations: str = ",".join(STORES), expect: int = 0) -> dict[str, Any]:
        report = self.reports / "report.json"
        job = ("jobs/run_etl.py", "--load-destinations", destinations, "--report", str(report), *arguments)
        self.run("./spark-submit.sh", *job, expect=expect)
        document: dict[str, Any] = json.loads(report.read_text())
        return document

    def variables(self) -> dict[str, str]:
        """What `python -m etl.stack env` exports."""
        lines = self.run(sys.executable, "-m", "etl.stack", "env").splitlines()
        pairs = (line.removeprefix("export ").split("=", 1) for line in lines if line.startswith("export "))
        return {name: value.strip("'") for name, value in pairs}

    def configuration(self, config_dir: Path | None = None) -> Configuration:
        return load_configuration(config_dir, {**self.environment, **self.variables()})


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    data_dir = own_data_dir("e2e")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_CONFIGURES)}
    kept |= {name: os.environ[name] for name in ("ETL_IVY_DIR",) if name in os.environ}
    someone = Newcomer({**kept, DATA_DIR_VARIABLE: str(data_dir)}, tmp_path_factory.mktemp("reports"))
    try:
        yield someone
    finally:
        someone.run(sys.executable, "-m", "etl.stack", "reset")
        shutil.rmtree(data_dir, ignore_errors=True)
