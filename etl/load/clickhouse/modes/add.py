"""`append` and `merge`: new rows come in; of stored ones that differ, `conflict_resolution` decides."""

from __future__ import annotations

from collections.abc import Sequence

from etl.errors import ReconciliationError
from etl.load.clickhouse.classify import Changes
from etl.load.clickhouse.job import Job, Staged
from etl.load.clickhouse.target import TargetTable
from etl.model import DELETED_AT, Destination
from etl.statements.clickhouse.changes import (
    Change,
    Comparison,
    count_unmarked,
    delete_from_old_places,
    insert_changes,
    instant,
    mark_changes,
)
from etl.statements.clickhouse.tables import VERSION_COLUMN, attach_partitions


def by_key(comparison: Comparison, staged: Staged) -> Comparison:
    return comparison


def publish_changes(job: Job, staged: Staged, target: TargetTable, changes: Changes) -> None:
    leaving = _kinds_that_leave_a_row_behind(target, changes)
    if leaving:
        job.door.execute(delete_from_old_places(changes.comparison, job.names.new, job.names.changes, leaving))
    if staged.rows and changes.published_rows == staged.rows:
        job.door.execute(attach_partitions(job.database, job.names.new, [staged.table]))
    elif changes.published_rows:
        columns, kinds = _physical_columns(job), changes.published_kinds
        job.door.execute(insert_changes(changes.comparison, job.names.new, columns, job.names.changes, kinds))
    if changes.comparison.marks and changes.counts.get(Change.DELETED):
        _mark(job, changes.comparison)


def _mark(job: Job, comparison: Comparison) -> None:
    """As this engine changes rows: by a newer version of each, in the same partition. A version of the user's own is as
    high as before, and of equal ones the last stays."""
    own = {DELETED_AT: instant(job.started_at), VERSION_COLUMN: str(job.run_number)}
    job.door.execute(mark_changes(comparison, job.names.new, _physical_columns(job), job.names.changes, own))
    [[left]] = job.door.query(count_unmarked(comparison, job.names.new, job.names.changes))
    if left:
        raise ReconciliationError(
            f"{job.config.table_name}: expected every row that is gone from the source to be marked, found {left} that "
            f"are not; {job.qualified_target} was left as it was; run the load again",
            table=job.config.table_name,
            destination=Destination.CLICKHOUSE,
        )


def _kinds_that_leave_a_row_behind(target: TargetTable, changes: Changes) -> list[Change]:
    """ReplacingMergeTree replaces within a partition only; MergeTree never. What vanished is replaced by nothing."""
    kinds = (Change.MOVED,) if target.shape.replaces else (Change.CHANGED, Change.MOVED)
    published = [kind for kind in kinds if kind in changes.published_kinds]
    gone = () if changes.comparison.marks else (Change.DELETED,)
    return [kind for kind in (*published, *gone) if changes.counts.get(kind)]


def _physical_columns(job: Job) -> Sequence[str]:
    return [
        column.name
        for column in job.plan.shape.columns
        if column.name == VERSION_COLUMN or not column.default.startswith(("MATERIALIZED", "ALIAS"))
    ]
