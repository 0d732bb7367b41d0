"""What a run is to do: tables and destinations asked for, or what an earlier run left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from etl.config.configuration import Configuration
from etl.config.models import TableConfig
from etl.errors import UsageError
from etl.ledger.ledger import Ledger
from etl.ledger.values import LoadRecord, Run
from etl.model import Destination, RunStatus
from etl.pipeline.context import Work
from etl.pipeline.options import RunOptions


@dataclass(frozen=True)
class Assignment:
    """`earlier` and its loads are there where an earlier run is resumed."""

    work: tuple[Work, ...]
    destinations: tuple[Destination, ...]
    earlier: Run | None = None
    earlier_loads: tuple[LoadRecord, ...] = ()


def new_assignment(tables: Sequence[TableConfig], destinations: tuple[Destination, ...]) -> Assignment:
    """Every table into every destination, but for those that its entry switches off."""
    work = (Work(table, tuple(name for name in destinations if table.loads[name].enabled)) for table in tables)
    return Assignment(tuple(each for each in work if each.destinations), destinations)


def resumed_assignment(configuration: Configuration, ledger: Ledger, run_id: str) -> Assignment:
    """The loads that run did not publish. UsageError where it is unknown or still alive."""
    earlier = ledger.get_run(run_id)
    if earlier is None:
        known = ", ".join(run.run_id for run in ledger.runs(limit=5)) or "none"
        raise UsageError(f"--resume: expected a run of the ledger, found {run_id!r}; the latest are {known}")
    if earlier.status is RunStatus.RUNNING:
        raise UsageError(f"--resume: run {run_id} is still alive; wait until it has finished, or stop it")
    loads = tuple(ledger.loads(run_id))
    left: dict[str, list[Destination]] = {}
    for load in loads:
        if not load.status.is_published:
            left.setdefault(load.table_name, []).append(load.destination)
    work = tuple(Work(configuration.table(name), tuple(names)) for name, names in left.items())
    destinations = tuple(name for name in Destination if any(name in each.destinations for each in work))
    return Assignment(work, destinations, earlier, loads)


def resumed_options(options: RunOptions, earlier: Run) -> RunOptions:
    """What the earlier run was asked to do, with this command line's own way of running and reporting."""
    asked = earlier.options
    return replace(
        options,
        full_refresh=bool(asked.get("full_refresh")),
        since=_instant(asked.get("since")),
        until=_instant(asked.get("until")),
        validate=bool(asked.get("validate", True)) and options.validate,
    )


def _instant(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
