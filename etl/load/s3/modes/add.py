"""`append` and `merge`: without a stored row that differs they are the same."""

from __future__ import annotations

from etl.load.s3.comparison import Standing, refuse_doubles
from etl.load.s3.door import spark_door
from etl.load.s3.job import Change, Job
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
    if standing.differing and job.config.conflict_resolution is ConflictResolution.UPDATE:
        return _update(job, table, standing)
    new_rows = rows - standing.matched
    result = job.result(inserted=new_rows, unchanged=standing.equal, skipped=standing.differing)
    if not new_rows and table.exists:
        return result
    return table.append(job, Change(table.compare.without_standing(job.frame, standing, job.config), new_rows, result))


def _update(job: Job, table: LakeTable, standing: Standing) -> LoadResult:
    result = job.result(
        inserted=job.content.rows - standing.matched, updated=standing.differing, unchanged=standing.equal
    )
    change = Change(table.compare.without_equal(job.frame, standing, job.config), None, result)
    return table.merge(job, change, standing.dates_of_differing)
