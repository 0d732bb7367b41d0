"""Runs by what a user asks for: each question by its own index."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from etl.errors import UsageError
from etl.nearest import suggestion
from etl.orchestrator.command.finding import Row
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.values import RunStatus


@dataclass(frozen=True)
class RunFilter:
    slug: str | None = None
    statuses: tuple[RunStatus, ...] = tuple(RunStatus)
    layer: str | None = None
    cycle_ids: tuple[str, ...] | None = None
    since: datetime | None = None
    after: Row | None = None
    """The last run of the page before."""
    limit: int = 30


def listed(database: OrchestratorDatabase, chosen: RunFilter) -> list[dict[str, object]]:
    if chosen.layer is not None:
        _check_layer(database, chosen.layer)
    return database.at_once(_statement(chosen), _values(chosen))


def _statement(chosen: RunFilter) -> str:
    if chosen.cycle_ids is not None:
        return "runs_of_cycle"
    return "runs_by_status" if chosen.slug is None and chosen.layer is None else "runs_of_jobs"


def _values(chosen: RunFilter) -> dict[str, object]:
    return {
        "slug": chosen.slug,
        "statuses": [str(status) for status in chosen.statuses],
        "layer": chosen.layer,
        "cycle_ids": list(chosen.cycle_ids or ()),
        "since": chosen.since,
        "before_at": chosen.after["scheduled_at"] if chosen.after else None,
        "before_run_id": chosen.after["run_id"] if chosen.after else None,
        "limit": chosen.limit,
    }


def _check_layer(database: OrchestratorDatabase, layer: str) -> None:
    layers = {row["layer"] for row in database.at_once("job_ties")}
    if layer not in layers:
        raise UsageError(f"--layer: no job is of layer {layer!r}; {suggestion(layer, layers)}")
