"""What a run is to do: tables and destinations asked for, or what an earlier run left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Any

from etl.config.configuration import Configuration
from etl.config.destinations.registry import in_order
from etl.config.tables.models import TableConfig
from etl.errors import NotYetError, UsageError
from etl.ledger.ledger import Ledger
from etl.ledger.values import FrozenWindow, LoadRecord, Run
from etl.model import Destination, RunStatus
from etl.pipeline.context import Work
from etl.pipeline.maintenance import Upkeep, upkeep_of
from etl.pipeline.options import RunOptions


@dataclass(frozen=True)
class Lineage:
    """The runs that this one continues, the latest first: a resumed run may itself have been resumed.

    `begun` has of each load the latest try that got as far as a store: if that one has not published, none before it
    has, as each run looks for its forerunners' work first. `frozen` is how far each table is read.
    """

    runs: tuple[Run, ...]
    begun: Mapping[tuple[str, Destination], LoadRecord] = field(default_factory=dict)
    frozen: Mapping[str, FrozenWindow] = field(default_factory=dict)


@dataclass(frozen=True)
class Assignment:
    """`lineage` is there where an earlier run is resumed; `upkeep` also names what that had loaded, and not maintained
    before it ended."""

    work: tuple[Work, ...]
    destinations: tuple[Destination, ...]
    lineage: Lineage | None = None
    upkeep: tuple[Upkeep, ...] = ()

    @property
    def done_by(self) -> Run | None:
        """The run that was to be continued, where it did all that is asked for."""
        latest = self.lineage.runs[0] if self.lineage else None
        return latest if latest and latest.status is RunStatus.SUCCESS and not self.work else None

    @property
    def tables(self) -> tuple[TableConfig, ...]:
        return tuple(work.table for work in self.work)


def new_assignment(tables: Sequence[TableConfig], destinations: tuple[Destination, ...]) -> Assignment:
    """Every table into every destination, but for those that its entry switches off."""
    work = (Work(table, tuple(name for name in destinations if table.loads[name].enabled)) for table in tables)
    taken = tuple(each for each in work if each.destinations)
    upkeep = tuple(chain.from_iterable(upkeep_of(each.table, each.destinations) for each in taken))
    return Assignment(taken, destinations, upkeep=upkeep)


def resumed_assignment(configuration: Configuration, ledger: Ledger, run_id: str) -> Assignment:
    """The loads that neither that run nor those it continued published. UsageError where it is unknown or alive."""
    earlier = ledger.get_run(run_id)
    if earlier is None:
        known = ", ".join(run.run_id for run in ledger.runs(limit=5)) or "none"
        raise UsageError(f"--resume: expected a run of the ledger, found {run_id!r}; the latest are {known}")
    if earlier.status is RunStatus.RUNNING:
        raise UsageError(f"--resume: run {run_id} is still alive; wait until it has finished, or stop it")
    lineage, latest = _inheritance(ledger, earlier)
    left: dict[str, list[Destination]] = {}
    for (table, destination), load in latest.items():
        if not load.status.is_published:
            left.setdefault(table, []).append(destination)
    work = tuple(Work(configuration.table(name), tuple(names)) for name, names in left.items())
    upkeep = tuple(
        each
        for table, destination in latest
        if table in configuration.tables
        for each in upkeep_of(configuration.tables[table], [destination])
    )
    return Assignment(work, _touched(work, upkeep), lineage, upkeep)


def requested_assignment(
    ledger: Ledger, options: RunOptions, tables: Sequence[TableConfig], destinations: tuple[Destination, ...]
) -> Assignment:
    """What is asked for, less what runs of the same idempotency key have published of it.

    NotYetError while one of them is alive; UsageError where they were asked for other rows.
    """
    asked = new_assignment(tables, destinations)
    earlier = ledger.run_of_key(options.idempotency_key) if options.idempotency_key else None
    if earlier is None:
        return asked
    if earlier.status is RunStatus.RUNNING:
        raise NotYetError(
            f"--idempotency-key: its run {earlier.run_id} is still alive; wait until it has finished (where it was "
            "killed, a minute), or stop it"
        )
    _require_same_rows(options, earlier)
    lineage, latest = _inheritance(ledger, earlier)
    published = {pair for pair, load in latest.items() if load.status.is_published}
    left = (
        Work(each.table, tuple(name for name in each.destinations if (each.table.name, name) not in published))
        for each in asked.work
    )
    work = tuple(each for each in left if each.destinations)
    return Assignment(work, _touched(work, asked.upkeep), lineage, asked.upkeep)


def _touched(work: Sequence[Work], upkeep: Sequence[Upkeep]) -> tuple[Destination, ...]:
    return in_order({name for each in work for name in each.destinations} | {each.destination for each in upkeep})


def _require_same_rows(options: RunOptions, earlier: Run) -> None:
    given, asked = options.recorded(), earlier.options
    for flag in ("since", "until", "full_refresh"):
        if (given[flag] or None) != (asked.get(flag) or None):
            raise UsageError(
                f"--idempotency-key: expected --{flag.replace('_', '-')} as its run {earlier.run_id} had it "
                f"({asked.get(flag) or 'none'}), found {given[flag] or 'none'}; give another key for another run"
            )


def _inheritance(ledger: Ledger, run: Run) -> tuple[Lineage, dict[tuple[str, Destination], LoadRecord]]:
    """What the run and those before it leave to the one that continues them, and the latest try of each load."""
    runs = _lineage(ledger, run)
    latest: dict[tuple[str, Destination], LoadRecord] = {}
    begun: dict[tuple[str, Destination], LoadRecord] = {}
    frozen: dict[str, FrozenWindow] = {}
    for each in reversed(runs):
        loads = {(load.table_name, load.destination): load for load in ledger.loads(each.run_id)}
        latest |= loads
        begun |= {pair: load for pair, load in loads.items() if load.target is not None}
        frozen |= ledger.frozen_tables(each.run_id)
    return Lineage(runs, begun, frozen), latest


def _lineage(ledger: Ledger, run: Run) -> tuple[Run, ...]:
    """The run and those before it that it continued, the latest first."""
    runs = [run]
    while runs[-1].resumed_from is not None and (before := ledger.get_run(runs[-1].resumed_from)) is not None:
        runs.append(before)
    return tuple(runs)


def resumed_options(options: RunOptions, earlier: Run) -> RunOptions:
    """What the earlier run was asked to do, with this command line's own way of running and reporting."""
    asked = earlier.options
    return replace(
        options,
        full_refresh=bool(asked.get("full_refresh")),
        since=_instant(asked.get("since")),
        until=_instant(asked.get("until")),
        validate=bool(asked.get("validate", True)) and options.validate,
        maximum_deleted=options.maximum_deleted or asked.get("maximum_deleted"),
        maximum_rejected=options.maximum_rejected or asked.get("maximum_rejected"),
    )


def _instant(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
