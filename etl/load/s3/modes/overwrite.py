"""`overwrite`: a load's rows are all that stands; equal ones are not written again."""

from __future__ import annotations

from etl.load.s3.comparison import NOTHING_STANDS
from etl.load.s3.job import Change, Job
from etl.load.s3.modes.standing import replacing, standing_of
from etl.load.s3.table import LakeTable
from etl.model import LoadResult


def overwrite(job: Job, table: LakeTable) -> LoadResult:
    rows = job.content.rows
    if table.stands_as(job):
        return job.result(unchanged=rows)
    stored_rows = table.count()
    standing = standing_of(job, table) if stored_rows else NOTHING_STANDS
    if standing.equal == rows == stored_rows and not standing.doubled and table.holds(job.schema):
        return job.result(unchanged=rows)
    job.refuse_too_many_vanished(stored_rows, min(standing.matched, rows))
    result = replacing(job, rows=rows, stored_rows=stored_rows, standing=standing)
    return table.overwrite(job, Change(job.frame, rows, result))
