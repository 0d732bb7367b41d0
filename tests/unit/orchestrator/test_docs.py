"""docs/orchestrator.md speaks of every key of a job, every command, every metric and every variable there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from etl.config.orchestrator.models import JOB_KEYS, BackoffConfig, ScheduleConfig
from etl.orchestrator.__main__ import app
from etl.orchestrator.watch.gauges import GAUGES
from etl.orchestrator.watch.metrics import Metrics
from etl.project import PROJECT_DIR

DOCS = (PROJECT_DIR / "docs" / "orchestrator.md").read_text(encoding="utf-8")


def commands(group: Any, context: Any, above: str = "") -> Iterator[str]:
    for name in group.list_commands(context):
        below = group.get_command(context, name)
        path = f"{above} {name}".strip()
        if hasattr(below, "list_commands"):
            yield from commands(below, context, path)
        else:
            yield path


def every_command() -> list[str]:
    group = typer.main.get_command(app)
    with group.make_context("etl orchestrator", [], resilient_parsing=True) as context:
        return list(commands(group, context))


@pytest.mark.parametrize("key", [*JOB_KEYS, *ScheduleConfig.model_fields, *BackoffConfig.model_fields])
def test_every_key_of_a_job(key: str) -> None:
    assert any(
        f"{mark}{key}{end}" in DOCS for mark, end in (("`", "`"), ("{", ":"), (" ", ":"), ("", " ="), ("{", ","))
    )


@pytest.mark.parametrize("command", every_command())
def test_every_command(command: str) -> None:
    *group, name = command.split()
    rows = [line for line in DOCS.splitlines() if line.startswith("| `")]
    named = [row.split(" | ")[0] for row in rows]
    assert any(
        name in row.replace("\\|", " ").replace("`", " ").split() and all(g in row for g in group) for row in named
    )


def test_every_metric() -> None:
    own = [name.removeprefix("orchestrator_") for name in Metrics("scheduler").registry._names_to_collectors]
    told = [name for name in own if name.endswith(("_total", "_seconds")) and not name.startswith("etl_")]
    assert [name for name in (*told, *GAUGES) if f"_{name}" not in DOCS and f"orchestrator_{name}" not in DOCS] == []
