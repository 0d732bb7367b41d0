"""Stored rows that are gone from the source, since a whole reading no longer has them or since it calls them deleted:
they go, or are marked, in the load's own merge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from etl.config.tables.modes import holds_marks, marks_vanished
from etl.load.s3.door import spark_door
from etl.load.s3.job import Job, Rows
from etl.load.s3.table import LakeTable
from etl.load.vanished import refuse_too_many_vanished


@dataclass(frozen=True)
class Gone:
    """`marked` are the rows as they are to stand from now on, `leaving` those that go: one of the two. `days` are those
    on which they stand."""

    count: int = 0
    days: frozenset[date | None] = frozenset()
    marked: Rows | None = None
    leaving: Rows | None = None


NONE_GONE = Gone()


def find_gone(job: Job, table: LakeTable) -> Gone:
    """Raises VanishedRowsError where they are too many. Rows that are marked already are gone since then."""
    is_whole = marks_vanished(job.config)
    if not (is_whole or job.deleted is not None) or table.rows is None:
        return NONE_GONE
    with spark_door("look for rows that are gone from the source", job.table):
        compare, config = table.compare, job.config
        there = compare.unmarked(table.rows) if holds_marks(config) else table.rows
        by_key = compare.without_keys if is_whole else compare.with_keys
        rows = by_key(there, job.frame if is_whole else job.deleted, config)
        rows = compare.held(compare.marked(rows, job.schema, job.run.started_at) if holds_marks(config) else rows)
        count = compare.count(rows)
        if not count:
            return NONE_GONE
        refuse_too_many_vanished(config, count, compare.count(there), job.path.uri)
        days = compare.days_of(rows) if config.partition_by else frozenset()
        return Gone(count, days, marked=rows) if holds_marks(config) else Gone(count, days, leaving=rows)
