"""Upkeep of targets, once all loads have ended: it delays none of them, and fails none.

Per table and destination: lease (not waited for) → due? → maintain → ledger. What fails or is broken off stays due.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date
from functools import partial

import structlog

from etl.config.destinations.load_config import TableLoadConfig
from etl.config.tables.models import TableConfig
from etl.errors import LockedError
from etl.interruption import require_uninterrupted
from etl.model import Destination, Maintenance
from etl.pipeline.context import RunContext
from etl.pipeline.side_by_side import side_by_side
from etl.pipeline.tables.boundary import boundary
from etl.retrying import as_configured

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Upkeep:
    """A table in a destination whose entry says how often it is maintained."""

    table: str
    destination: Destination
    config: TableLoadConfig


def upkeep_of(table: TableConfig, destinations: Iterable[Destination]) -> Iterator[Upkeep]:
    for destination in destinations:
        config = table.loads.get(destination)
        if config and config.enabled and config.effective_maintenance is not Maintenance.NEVER:
            yield Upkeep(table.name, destination, config)


def maintain_all(context: RunContext, upkeep: Iterable[Upkeep]) -> None:
    """What is due, but for targets that this run could not load."""
    loads = context.ledger.loads(context.run.run_id)
    failed = {(load.table_name, load.destination) for load in loads if not load.status.is_published}
    wanted = [each for each in upkeep if (each.table, each.destination) not in failed]
    side_by_side(context, "maintenance", (partial(_maintain, context, each) for each in wanted))


def plan_maintenance(context: RunContext, upkeep: Upkeep) -> list[str]:
    """For a person, with nothing done; empty where nothing is due."""
    loader, schedule = context.loaders[upkeep.destination], upkeep.config.effective_maintenance
    target = loader.target(upkeep.config)
    is_due = schedule is Maintenance.AFTER_RUN or (
        context.ledger.exists()
        and context.ledger.is_maintenance_due(upkeep.table, upkeep.destination, target, schedule)
    )
    if not is_due:
        return []
    return [f"maintenance {schedule}: {step}" for step in loader.plan_maintenance(upkeep.config, _today(context))]


def _maintain(context: RunContext, upkeep: Upkeep) -> None:
    loader, run_id = context.loaders[upkeep.destination], context.run.run_id
    where, target = (upkeep.table, upkeep.destination), loader.target(upkeep.config)

    def record(failure: Exception) -> None:
        context.ledger.fail_maintenance(run_id, *where, target, failure)
        context.progress.maintenance_failed(*where, failure)

    with boundary(record), ExitStack() as held:
        try:
            held.enter_context(context.ledger.lease(run_id, *where, timeout_seconds=0))
        except LockedError as busy:
            log.info("maintenance left to others", table=upkeep.table, destination=upkeep.destination, reason=str(busy))
            return
        context.require_alive()
        require_uninterrupted()
        if not context.ledger.begin_maintenance(run_id, *where, target, upkeep.config.effective_maintenance):
            return
        context.progress.maintenance_started(*where)
        retried = as_configured(context.settings.run, "maintenance retried", *where)
        result = retried(loader.maintain, upkeep.config, _today(context))
        if result:
            context.ledger.complete_maintenance(run_id, result)
            context.progress.maintenance_finished(result)


def _today(context: RunContext) -> date:
    """The day (UTC) on which the run began, by the ledger's clock: days are not lost by a wrong one here."""
    return context.run.started_at.astimezone(UTC).date()
