"""Rows that a rule rejected, once more: the part of the source where they stand is read and loaded again.

The ledger's copy of a row is masked and may be out of date; the source has the row itself. So it takes the way of every
row, by the rules and into the stores as the entry says now, and what is stored already is left unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from etl.command.logging import LogFormat
from etl.config.configuration import Configuration
from etl.config.tables.models import TableConfig
from etl.errors import UsageError
from etl.extract.factory import require_sources
from etl.ledger import Ledger, RejectFilter
from etl.ledger.values import LoadRecord, RejectedExtent
from etl.model import Destination, ExtractMode
from etl.nearest import suggestion
from etl.pipeline.assignment import new_assignment
from etl.pipeline.context import Job
from etl.pipeline.options import RunOptions
from etl.pipeline.run import run_tables, start_run
from etl.pipeline.servers import configured_destinations, require_servers
from etl.report.progress import open_progress
from etl.spark.session import build_session, configure_s3
from etl.transform.check import check_expressions

_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}([T ].+)?")
_MARGIN = timedelta(seconds=1)
"""Marks are compared as text, where a fraction of a second may stand before the second itself."""
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Reread:
    """One table: how many rows the rule had rejected, and what came of reading them again."""

    table: str
    rows: int
    rejected_again: int
    loads: tuple[LoadRecord, ...]

    @property
    def failed(self) -> tuple[LoadRecord, ...]:
        return tuple(load for load in self.loads if not load.status.is_published)


def retry_rejected(
    configuration: Configuration, ledger: Ledger, rule: str, tables: Sequence[str], asked_for: RunOptions
) -> list[Reread]:
    """One result a table with rows that `rule` rejected (of `tables`, or all). `asked_for` says where the configuration
    is, and how to log."""
    asked = {configuration.table(name).name for name in tables}
    found = ledger.rejected_tables(rule)
    if not found:
        rules = dict(ledger.rejected_rules())
        raise UsageError(f"expected a rule of rejected rows, found {rule!r}; {suggestion(rule, rules)}")
    chosen = [configuration.table(name) for name in found if not asked or name in asked]
    return [_reread(configuration, ledger, table, rule, asked_for) for table in chosen]


def _reread(
    configuration: Configuration, ledger: Ledger, table: TableConfig, rule: str, asked_for: RunOptions
) -> Reread:
    extents = ledger.rejected_extents(table.name, rule, *_mark_names(table))
    destinations = _destinations(configuration, table, extents)
    require_servers(configuration.settings, destinations)
    options = _options(table, extents, destinations, asked_for)
    run_id = _run(configuration, ledger, table, options)
    loads = tuple(ledger.loads(run_id))
    published = {load.destination for load in loads if load.status.is_published}
    for extent in extents:
        if published >= ({extent.destination} if extent.destination else set(destinations)):
            ledger.resolve_rejected(run_id, table.name, rule, extent)
    again = ledger.count_rejects(RejectFilter(run_id=run_id, table_name=table.name, rule=rule))
    return Reread(table.name, sum(extent.rows for extent in extents), again, loads)


def _mark_names(table: TableConfig) -> tuple[str, str]:
    name = table.extract.watermark or ""
    return name, table.transform.rename.get(name, name)


def _destinations(
    configuration: Configuration, table: TableConfig, extents: Sequence[RejectedExtent]
) -> tuple[Destination, ...]:
    """Where the rows are missing: everywhere, if the transform rejected them."""
    named = {extent.destination for extent in extents}
    configured = configured_destinations(configuration.settings)
    return tuple(name for name in configured if table.loads[name].enabled and (None in named or name in named))


def _options(
    table: TableConfig,
    extents: Sequence[RejectedExtent],
    destinations: tuple[Destination, ...],
    asked_for: RunOptions,
) -> RunOptions:
    """From the first of their marks to the last; the whole table where nobody can tell."""
    marks = [mark for extent in extents for mark in (extent.first_mark, extent.last_mark) if mark is not None]
    is_bounded = (
        table.extract.mode is ExtractMode.INCREMENTAL
        and all(extent.is_marked for extent in extents)
        and all(_INSTANT.fullmatch(mark) for mark in marks)
    )
    since = min(_instant(mark) - _MARGIN for mark in marks) if is_bounded else None
    until = (
        max(_instant(mark) + (_DAY if len(mark) == len("2026-06-30") else _MARGIN) for mark in marks)
        if is_bounded
        else None
    )
    return replace(
        asked_for,
        load=True,
        destinations=destinations,
        tables=(table.name,),
        full_refresh=not is_bounded,
        since=since,
        until=until,
        # what is rejected again is told row by row
        maximum_rejected="100%",
    )


def _instant(mark: str) -> datetime:
    instant = datetime.fromisoformat(mark)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _run(configuration: Configuration, ledger: Ledger, table: TableConfig, options: RunOptions) -> str:
    """A run like any other, of this table alone."""
    spark = build_session()
    check_expressions(spark, [table], configuration.definitions)
    if configuration.settings.s3:
        configure_s3(spark, configuration.settings.s3)
    assignment = new_assignment([table], options.destinations)
    require_sources(configuration.settings, assignment.tables)
    run = start_run(ledger, options, assignment)
    with open_progress(LogFormat(options.log_format)) as progress:
        run_tables(Job(configuration, options, spark, ledger, progress), assignment, run)
    return run.run_id
