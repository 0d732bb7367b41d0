"""`append` and `merge`: without a stored row that differs they are the same."""

from __future__ import annotations

from datetime import date

from etl.load.s3.comparison import Standing, refuse_doubles
from etl.load.s3.door import spark_door
from etl.load.s3.job import Change, Job
from etl.load.s3.modes.gone import Gone, find_gone
from etl.load.s3.modes.standing import standing_of
from etl.load.s3.table import LakeTable
from etl.model import ConflictResolution, LoadResult


def add(job: Job, table: LakeTable) -> LoadResult:
    """New rows come in; what happens to stored ones that differ, `conflict_resolution` says."""
    rows = job.content.rows
    if not job.config.key and table.has_taken(job):
        return job.result(unchanged=rows)
    standing = standing_of(job, table)
    with spark_door("compare with the stored rows", job.table):
        refuse_doubles(standing, job.config)
        table.compare.refuse_differing(standing, job.config)
    gone = find_gone(job, table)
    if gone.count or (standing.differing and job.config.conflict_resolution is ConflictResolution.UPDATE):
        return _update(job, table, standing, gone)
    new_rows = rows - standing.matched
    result = job.result(inserted=new_rows, unchanged=standing.equal, skipped=standing.differing)
    if not new_rows and table.exists:
        return result
    return table.append(job, Change(table.compare.without_standing(job.frame, standing, job.config), new_rows, result))


def _update(job: Job, table: LakeTable, standing: Standing, gone: Gone) -> LoadResult:
    result = job.result(
        inserted=job.content.rows - standing.matched,
        updated=standing.differing,
        unchanged=standing.equal,
        deleted=gone.count,
    )
    changed = table.compare.without_equal(job.frame, standing, job.config)
    frame = changed if gone.marked is None else table.compare.joined(changed, gone.marked)
    return table.merge(job, Change(frame, None, result, gone.leaving), _days_that_change(standing, gone))


def _days_that_change(standing: Standing, gone: Gone) -> frozenset[date]:
    """Empty where any day may: rows without one, which somebody else has written, are on none of them."""
    days = standing.dates_of_differing | gone.days
    return frozenset(day for day in days if day is not None) if None not in days else frozenset()
