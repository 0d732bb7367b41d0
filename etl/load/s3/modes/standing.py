"""What of a load already stands in the table, and what a replacing load amounts to."""

from __future__ import annotations

from datetime import date

from etl.load.s3.comparison import NOTHING_STANDS, Standing
from etl.load.s3.door import spark_door
from etl.load.s3.job import Job, Rows
from etl.load.s3.table import LakeTable
from etl.model import LoadResult


def standing_of(job: Job, table: LakeTable) -> Standing:
    return _find(job, table, job.frame, table.rows, job.content.dates)


def standing_on(job: Job, table: LakeTable, frame: Rows, days: frozenset[date]) -> Standing:
    return _find(job, table, frame, table.rows_on(days), days)


def replacing(
    job: Job, *, rows: int, stored_rows: int, standing: Standing, moved: int = 0, kept_rows: int = 0
) -> LoadResult:
    """`rows` take the place of `stored_rows`; `moved` of them stood elsewhere. `kept_rows` stay as they are."""
    matched = min(standing.matched, rows)
    equal = min(standing.equal, matched)
    return job.result(
        inserted=rows - matched - moved,
        updated=matched - equal + moved,
        unchanged=equal + kept_rows,
        deleted=max(stored_rows - matched, 0),
    )


def _find(job: Job, table: LakeTable, frame: Rows, stored: Rows | None, days: frozenset[date]) -> Standing:
    if stored is None or not job.config.key or not job.content.rows:
        return NOTHING_STANDS
    with spark_door("compare with the stored rows", job.table):
        return table.compare.find_standing(frame, stored, job.config, days, table.extent(job.content.rows))
