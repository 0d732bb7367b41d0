"""`replace_partition`: a partition that a load has rows of holds them and no others."""

from __future__ import annotations

from dataclasses import replace

from etl.load.clickhouse.classify import Changes
from etl.load.clickhouse.job import Job, Staged
from etl.load.clickhouse.target import TargetTable
from etl.statements.clickhouse.changes import (
    Change,
    Comparison,
    changed_partitions,
    count_partitions_left,
    delete_from_old_places,
)
from etl.statements.clickhouse.tables import replace_partitions
from etl.statements.quoting import clickhouse_literal


def by_partition(comparison: Comparison, staged: Staged) -> Comparison:
    """Whatever stands there goes, newer versions too."""
    return replace(comparison, version=None, partition_ids=tuple(staged.partitions))


def publish_partitions(job: Job, staged: Staged, target: TargetTable, changes: Changes) -> None:
    """Those whose rows are as they were stay untouched; keys that have left another partition are deleted there."""
    leaving = [kind for kind in (Change.MOVED, Change.DELETED) if changes.counts.get(kind)]
    if leaving and job.door.query(count_partitions_left(changes.comparison, job.names.changes, leaving)) != [[0]]:
        job.door.execute(delete_from_old_places(changes.comparison, job.names.new, job.names.changes, leaving))
    touched = {row[0] for row in job.door.query(changed_partitions(job.database, job.names.changes))}
    replaced = [identifier for identifier in staged.partitions if identifier in touched]
    if replaced:
        job.door.execute(replace_partitions(job.database, job.names.new, staged.table, replaced))


def in_replaced_partitions(comparison: Comparison) -> str:
    listed = ", ".join(clickhouse_literal(identifier) for identifier in comparison.partition_ids or ())
    return f"_partition_id IN ({listed})"
