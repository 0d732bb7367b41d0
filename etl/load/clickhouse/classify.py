"""Finds out, in one set-based statement on the server, what the staged rows change in the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from etl.config.tables.modes import deletes_vanished, marks_vanished
from etl.errors import ConflictError, DuplicateKeyError
from etl.load.clickhouse.job import Frame, Job, Outcome, Staged
from etl.load.clickhouse.schema import stored_expressions
from etl.load.clickhouse.target import TargetTable, partition_columns
from etl.model import ConflictResolution, Destination, VanishedRows
from etl.statements.clickhouse.changes import (
    STORED,
    Change,
    Comparison,
    add_gone,
    count_changes,
    count_partitions,
    create_changes,
    find_duplicates,
    find_equal_partitions,
    sample_changes,
)

ROWS_WORTH_SUMMING = 100_000
"""Fewer are compared by key before two more statements have been asked."""


@dataclass(frozen=True)
class Changes:
    """How many keys changed in which way, and the outcome that follows from the entry's conflict resolution."""

    comparison: Comparison
    counts: Mapping[Change, int]
    staged_rows: int
    resolution: ConflictResolution

    @property
    def published_kinds(self) -> tuple[Change, ...]:
        """The changes whose staged rows go into the target."""
        if self.resolution is ConflictResolution.SKIP:
            return (Change.NEW,)
        return (Change.NEW, Change.CHANGED, Change.MOVED)

    @property
    def skipped_kinds(self) -> tuple[Change, ...]:
        kinds = (Change.STALE, Change.CHANGED, Change.MOVED)
        return tuple(kind for kind in kinds if kind not in self.published_kinds and self.counts.get(kind))

    @property
    def published_rows(self) -> int:
        return self._count(*self.published_kinds)

    @property
    def outcome(self) -> Outcome:
        touched = self._count(Change.NEW, Change.CHANGED, Change.MOVED, Change.STALE)
        skipped = self._count(*self.skipped_kinds)
        return Outcome(
            inserted=self._count(Change.NEW),
            updated=touched - self._count(Change.NEW) - skipped,
            unchanged=self.staged_rows - touched,
            skipped=skipped,
            deleted=self._count(Change.DELETED),
        )

    def _count(self, *kinds: Change) -> int:
        return sum(self.counts.get(kind, 0) for kind in kinds)


def without_equal_partitions(job: Job, comparison: Comparison, staged: Staged, frame: Frame) -> Comparison:
    """Leaves whole partitions that stand as they were staged out of the comparison by key, where no key can be staged
    twice."""
    if not frame.keys_are_unique or staged.rows < ROWS_WORTH_SUMMING:
        return comparison
    stored = dict(job.door.query(count_partitions(job.database, comparison.target)))
    candidates = [identifier for identifier, rows in staged.partitions.items() if stored.get(identifier) == rows]
    if not candidates:
        return comparison
    equal = job.door.query(find_equal_partitions(comparison, candidates))
    return replace(comparison, equal_ids=tuple(identifier for (identifier,) in equal))


def find_changes(job: Job, comparison: Comparison, staged: Staged) -> Changes:
    """Raises DuplicateKeyError, and ConflictError where the entry says `conflict_resolution: error`."""
    job.door.execute(create_changes(comparison, job.names.changes))
    if comparison.gone:
        job.door.execute(add_gone(comparison, job.names.changes))
    rows = job.door.query(count_changes(job.database, job.names.changes))
    counts = {Change(kind): count for kind, count in rows}
    changes = Changes(comparison, counts, staged.rows, job.config.conflict_resolution)
    if counts.get(Change.DUPLICATE):
        raise _duplicates(job, counts[Change.DUPLICATE], _samples(job, [Change.DUPLICATE]))
    differing = counts.get(Change.CHANGED, 0) + counts.get(Change.MOVED, 0)
    if differing and job.config.conflict_resolution is ConflictResolution.ERROR:
        raise ConflictError(
            f"{job.config.table_name}: expected no stored row that differs (conflict_resolution: error), found "
            f"{differing} in {job.qualified_target}, e.g. with key {_samples(job, [Change.CHANGED, Change.MOVED])}; "
            "nothing was published. Choose `update` or `skip`, or find out why these rows changed.",
            table=job.config.table_name,
            destination=Destination.CLICKHOUSE,
        )
    return changes


def refuse_duplicates(job: Job, frame: Frame, staged: Staged) -> None:
    """The check of a load that has nothing to compare with; spared where the pipeline has made it."""
    if frame.keys_are_unique or not staged.rows:
        return
    [[count, sample]] = job.door.query(find_duplicates(job.database, staged.table, job.config.key))
    if count:
        raise _duplicates(job, count, sample.removesuffix(", "))


def compare_with(job: Job, target: TargetTable, staged: Staged) -> Comparison:
    """By key, as every mode begins."""
    config = job.config
    columns = job.plan.columns
    nullable = {name for name in config.key if "Nullable(" in job.plan.shape.column_types[name]}
    version = config.version if target.shape.replaces and config.version in {c.name for c in columns} else None
    return Comparison(
        database=job.database,
        staging=staged.table,
        target=config.target_name,
        key=config.key,
        nullable_key=frozenset(nullable),
        columns=tuple(column.name for column in columns),
        stored_columns=stored_expressions(columns, target.shape, job.plan.shape, STORED),
        final=target.shape.replaces,
        version=version,
        key_decides_partition=set(partition_columns(columns, config)) <= set(config.key),
        whole=deletes_vanished(config) or marks_vanished(config),
        marks=marks_vanished(config) or (bool(staged.gone) and config.deleted_rows is VanishedRows.MARK),
        gone=staged.gone,
    )


def _samples(job: Job, kinds: Sequence[Change]) -> str:
    rows = job.door.query(sample_changes(job.database, job.names.changes, job.config.key, kinds))
    return "; ".join("(" + ", ".join(row) + ")" for row in rows)


def _duplicates(job: Job, count: int, sample: str) -> DuplicateKeyError:
    return DuplicateKeyError(
        f"{job.config.table_name}: expected each key ({', '.join(job.config.key)}) once, found {count} keys more than "
        f"once, e.g. {sample}; nothing was published. Name the order that decides under `transform.deduplicate`.",
        table=job.config.table_name,
        destination=Destination.CLICKHOUSE,
    )
