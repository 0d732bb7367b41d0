"""What a command's words name: a job by its slug, a run by its number or correlation id, a cycle."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from etl.command.typed import etl_as_typed
from etl.errors import UsageError
from etl.nearest import suggestion
from etl.orchestrator.database.database import OrchestratorDatabase

Row = Mapping[str, Any]


def find_job(database: OrchestratorDatabase, slug: str) -> Row:
    found = database.at_once("job_shown", {"slug": slug})
    if not found:
        raise UsageError(f"unknown job {slug!r}; {_nearest_job(database, slug)}")
    return found[0]


def find_run(database: OrchestratorDatabase, named: str) -> Row:
    run_id = number(named)
    found = database.at_once("run_shown", {"run_id": run_id, "correlation_id": named if run_id is None else None})
    if not found:
        raise UsageError(
            f"expected the number or the correlation id of a run, found {named!r}; "
            f"`{etl_as_typed()} orchestrator run list` shows them"
        )
    return found[0]


@dataclass(frozen=True)
class Cycles:
    """One, or those of a backfill, which have its name in common."""

    name: str
    ids: tuple[str, ...]


def find_cycles(database: OrchestratorDatabase, named: str | None) -> Cycles:
    """By a cycle's id, by one of its runs, or by a backfill's name; None: the one under way, or the latest."""
    if named is None:
        return _one(_latest_cycle(database))
    if number(named) is not None:
        return _one(find_run(database, named)["cycle_id"])
    if database.at_once("cycle_watched", {"cycle_ids": [named]}):
        return _one(named)
    if made := database.at_once("cycles_of_backfill", {"prefix": f"{named}-"}):
        return Cycles(named, tuple(row["cycle_id"] for row in made))
    if found := database.at_once("run_shown", {"run_id": None, "correlation_id": named}):
        return _one(found[0]["cycle_id"])
    recent = [row["cycle_id"] for row in database.at_once("cycles_like")]
    raise UsageError(f"unknown cycle {named!r}; {suggestion(named, recent, 'the latest')}")


def is_run(database: OrchestratorDatabase, named: str) -> bool:
    """Numbers are runs, whether there is such a one or not; a cycle is none."""
    is_known = database.at_once("run_shown", {"run_id": None, "correlation_id": named})
    return number(named) is not None or bool(is_known)


def number(named: str) -> int | None:
    """None for what is no number that a run could have."""
    return int(named) if named.isascii() and named.isdigit() and len(named) <= 18 else None


def asker() -> str:
    """Who asks for it, as runs and events keep it."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _one(cycle_id: str) -> Cycles:
    return Cycles(cycle_id, (cycle_id,))


def _latest_cycle(database: OrchestratorDatabase) -> str:
    found = database.at_once("latest_cycle")
    if not found:
        raise UsageError(
            f"expected a cycle to show, found no run at all; `{etl_as_typed()} orchestrator run start` asks for one"
        )
    return str(found[0]["cycle_id"])


def _nearest_job(database: OrchestratorDatabase, slug: str) -> str:
    slugs = [row["slug"] for row in database.at_once("slugs")]
    if not slugs:
        return f"there are no jobs; `{etl_as_typed()} orchestrator migrate` brings those of conf/jobs"
    return suggestion(slug, slugs, "there are")
