"""Stored rows that a whole reading of the source no longer has and that stay, marked: they come into the load's own
merge, as rows that change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from etl.config.tables.modes import marks_vanished
from etl.load.s3.door import spark_door
from etl.load.s3.job import Job, Rows
from etl.load.s3.table import LakeTable
from etl.load.vanished import refuse_too_many_vanished


@dataclass(frozen=True)
class Gone:
    """`rows` as they are to stand, and the days on which they do."""

    rows: Rows | None = None
    count: int = 0
    days: frozenset[date | None] = frozenset()


NONE_GONE = Gone()


def find_gone(job: Job, table: LakeTable) -> Gone:
    """Raises VanishedRowsError where they are too many. Rows that are marked already are gone since then."""
    if not marks_vanished(job.config) or table.rows is None:
        return NONE_GONE
    with spark_door("look for rows that are gone from the source", job.table):
        compare = table.compare
        unmarked = compare.unmarked(table.rows)
        rows = compare.without_keys(unmarked, job.frame, job.config)
        rows = compare.marked(rows, job.schema.names, job.run.started_at)
        count = compare.count(rows)
        if not count:
            return NONE_GONE
        refuse_too_many_vanished(job.config, count, compare.count(unmarked), job.path.uri)
        return Gone(rows, count, compare.days_of(rows) if job.config.partition_by else frozenset())
