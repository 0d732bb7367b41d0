"""What a command's words name: a job by its slug, a run by its number or correlation id, a cycle."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping
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
    found = database.at_once("run_shown", {"run_id": number(named), "correlation_id": named})
    if not found:
        raise UsageError(
            f"expected the number or the correlation id of a run, found {named!r}; "
            f"`{etl_as_typed()} orchestrator run list` shows them"
        )
    return found[0]


def find_cycle(database: OrchestratorDatabase, named: str | None) -> str:
    """A cycle by its id or by one of its runs; None: the one under way, or the latest."""
    if named is None:
        return _latest_cycle(database)
    if number(named) is not None:
        return str(find_run(database, named)["cycle_id"])
    if database.at_once("cycle_watched", {"cycle_id": named}):
        return named
    by_correlation = database.at_once("run_shown", {"run_id": None, "correlation_id": named})
    if by_correlation:
        return str(by_correlation[0]["cycle_id"])
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
