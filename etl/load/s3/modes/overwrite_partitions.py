"""`overwrite_partitions`: the frame's own days, each whole, of these only the ones whose rows differ, and the days that
rows have left."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from etl.load.s3.comparison import NOTHING_STANDS, Day
from etl.load.s3.door import spark_door
from etl.load.s3.job import Change, Job, Rows
from etl.load.s3.modes.moved import NONE_LEFT, LeftDays, find_left_days
from etl.load.s3.modes.standing import replacing, standing_on
from etl.load.s3.table import LakeTable
from etl.model import LoadResult


def overwrite_partitions(job: Job, table: LakeTable) -> LoadResult:
    with spark_door("compare the days", job.table):
        incoming = table.compare.contents_by_day(job.frame)
        stored = _stored_days(table, incoming)
    changed = frozenset(day for day, content in incoming.items() if stored.get(day) != content)
    kept_rows = sum(content.rows for day, content in incoming.items() if day not in changed)
    if not changed and table.exists:
        return job.result(unchanged=kept_rows)
    frame = table.compare.on_days(job.frame, changed) if kept_rows else job.frame
    rows, stored_rows = job.content.rows - kept_rows, sum(stored[day].rows for day in changed if day in stored)
    standing = standing_on(job, table, frame, changed) if stored_rows else NOTHING_STANDS
    left = _left_days(job, table, frame, incoming) if standing.matched < rows else NONE_LEFT
    result = replacing(
        job, rows=rows, stored_rows=stored_rows, standing=standing, moved=left.moved, kept_rows=kept_rows
    )
    written = table.compare.joined(frame, left.rest) if left.rest is not None else frame
    change = Change(written, rows + left.rest_rows, result)
    return table.replace_days(job, change, changed | left.days)


def _stored_days(table: LakeTable, days: Collection[date]) -> dict[date, Day]:
    stored = table.rows_on(days) if days else None
    return table.compare.contents_by_day(stored) if stored is not None else {}


def _left_days(job: Job, table: LakeTable, frame: Rows, loaded_days: Collection[date]) -> LeftDays:
    with spark_door("look for rows whose day changed", job.table):
        return find_left_days(job, table, frame, loaded_days)
