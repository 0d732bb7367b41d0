"""Runs by what a user asks for: each question by its own index."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from etl.errors import UsageError
from etl.nearest import suggestion
from etl.orchestrator.command.finding import Row
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.values import RunStatus

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class RunFilter:
    slug: str | None = None
    statuses: tuple[RunStatus, ...] = tuple(RunStatus)
    layer: str | None = None
    cycle_ids: tuple[str, ...] | None = None
    since: datetime | timedelta | None = None
    """An age is counted from the database's now."""
    after: Row | None = None
    """The last run of the page before."""
    limit: int = 30


def listed(database: OrchestratorDatabase, chosen: RunFilter) -> list[dict[str, object]]:
    if chosen.layer is not None:
        _check_layer(database, chosen.layer)
    return database.at_once(_statement(chosen), _values(chosen))


def since_when(written: str | None) -> datetime | timedelta | None:
    """A moment, in UTC where it names no zone, or how long ago."""
    if written is None:
        return None
    amount, unit = written[:-1], written[-1:]
    if unit in _UNITS and amount.isascii() and amount.isdigit() and len(amount) < 7:
        return timedelta(**{_UNITS[unit]: int(amount)})
    try:
        at = datetime.fromisoformat(written)
    except ValueError as error:
        raise UsageError(f"--since: expected a time (2026-11-26T02:00) or an age (36h), found {written!r}") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


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
        "since": chosen.since if isinstance(chosen.since, datetime) else None,
        "age": chosen.since.total_seconds() if isinstance(chosen.since, timedelta) else None,
        "before_at": chosen.after["scheduled_at"] if chosen.after else None,
        "before_run_id": chosen.after["run_id"] if chosen.after else None,
        "limit": chosen.limit,
    }


def _check_layer(database: OrchestratorDatabase, layer: str) -> None:
    layers = {row["layer"] for row in database.at_once("job_ties")}
    if layer not in layers:
        raise UsageError(f"--layer: no job is of layer {layer!r}; {suggestion(layer, layers)}")
