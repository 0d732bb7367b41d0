"""The main job as the command that README has, a process of its own, on the benchmark's servers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.commands import run_command
from etl.stack.layout import DATA_DIR_VARIABLE

ALL_STORES = "s3,postgresql,clickhouse"
_OF_A_TABLE = ("table extracted", "load finished")
"""What the log says of a table that was read: the rows that it has, or that it has none to load."""


@dataclass(frozen=True)
class JobRun:
    """`first_read_seconds`: from the start of the command to the first table that was read, by the log's clock."""

    seconds: float
    first_read_seconds: float
    loads: list[dict[str, Any]]


def run_command_of_main_job(variables: Mapping[str, str], *options: str) -> JobRun:
    """Into all three stores. Raises where any load failed."""
    with TemporaryDirectory(prefix="ownlens-bench-") as folder:
        report = Path(folder) / "report.json"
        command = ["./spark-submit.sh", "jobs/run_etl.py", "--load-destinations", ALL_STORES, *options]
        started_at = datetime.now(UTC)
        finished = run_command([*command, "--log-format", "json", "--report", str(report)], own_servers(variables))
        read_at = first_read_at(finished.log.splitlines())
        return JobRun(finished.seconds, (read_at - started_at).total_seconds(), loads_of(report))


def own_servers(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment in which the benchmark's servers count as the user's own: nothing else is started or filled."""
    return {name: value for name, value in {**os.environ, **variables}.items() if name != DATA_DIR_VARIABLE}


def first_read_at(log: Sequence[str]) -> datetime:
    """Of a run's log as JSON, among which other programs' lines may stand."""
    for line in log:
        if line.startswith("{") and (event := json.loads(line)).get("event") in _OF_A_TABLE:
            return datetime.fromisoformat(event["timestamp"])
    raise RuntimeError(f"expected a line with one of {_OF_A_TABLE} in the main job's log, found {len(log)} others")


def loads_of(report: Path) -> list[dict[str, Any]]:
    """What the main job's report says of each load."""
    loads: list[dict[str, Any]] = json.loads(report.read_text())["loads"]
    return loads
