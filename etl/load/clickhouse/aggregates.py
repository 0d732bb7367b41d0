"""Aggregates of sql/clickhouse/aggregates, refreshed once a table they read has been published.

Partitions that are attached, replaced or exchanged fire no materialized view, so these are refreshable ones.
"""

from __future__ import annotations

from functools import cache

import structlog

from etl.clickhouse.door import ClickHouseDoor
from etl.errors import EtlError
from etl.model import Destination
from etl.statements.clickhouse.views import (
    Aggregate,
    describe_views,
    drop_view,
    read_aggregates,
    refresh_times,
    refresh_view,
    wait_for_view,
)

log = structlog.get_logger(__name__)


def refresh_aggregates(door: ClickHouseDoor, database: str, table: str, *, changed: bool) -> list[str]:
    """Brings the aggregates that read `table` up to date, creating those that are missing; returns their names.

    An aggregate is derived and can be refreshed again, so its failure is logged and does not fail the load. One that
    a killed run left behind its source is caught up by the next load, also by one that changes nothing.
    """
    aggregates = [aggregate for aggregate in _aggregates() if table in aggregate.sources]
    if not aggregates:
        return []
    refreshed = []
    try:
        for aggregate in _stale(door, database, aggregates, changed=changed):
            door.execute(refresh_view(database, aggregate.name))
            door.execute(wait_for_view(database, aggregate.name))
            refreshed.append(aggregate.name)
    except EtlError as error:
        log.warning("aggregate not refreshed", table=table, destination=Destination.CLICKHOUSE, error=error.message)
    return refreshed


def _stale(door: ClickHouseDoor, database: str, aggregates: list[Aggregate], *, changed: bool) -> list[Aggregate]:
    """Those that stand behind their sources. Where a source is missing the aggregate waits for it."""
    parameters = {"database": database}
    names = {name for aggregate in aggregates for name in (aggregate.name, *aggregate.sources)}
    rows = door.query(describe_views(sorted(names)), parameters=parameters)
    comments = {name: comment for name, comment, _ in rows}
    changed_at = {name: seconds for name, _, seconds in rows}
    refreshed_at = dict(door.query(refresh_times(), parameters=parameters))
    stale = []
    for aggregate in aggregates:
        if any(source not in comments for source in aggregate.sources):
            continue
        if comments.get(aggregate.name) != aggregate.digest:
            door.execute(drop_view(database, aggregate.name))
            door.execute(aggregate.create_statement)
            stale.append(aggregate)
        elif changed or refreshed_at.get(aggregate.name, 0) < max(changed_at[source] for source in aggregate.sources):
            stale.append(aggregate)
    return stale


@cache
def _aggregates() -> tuple[Aggregate, ...]:
    return read_aggregates()
