"""Publishing: the next content of the target is built beside it, checked, and exchanged with it in one statement.

    target stands   CREATE new CLONE AS target → apply the changes → check → comment (the proof) → EXCHANGE TABLES
    target missing  CREATE new → attach → check → comment → RENAME to the target

Until the exchange readers see the former content, from then on the next one. A kill before it leaves an orphan beside
an untouched target; a kill after it leaves the former content as an orphan. The comment says which of the two happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from etl.config.tables.modes import deletes_vanished
from etl.load.clickhouse.checks import require_equal, require_untouched, stored_checksums
from etl.load.clickhouse.classify import Changes, find_changes, refuse_duplicates
from etl.load.clickhouse.job import Frame, Job, Outcome, Staged
from etl.load.clickhouse.marker import PublishedLoad, add_load
from etl.load.clickhouse.target import TargetTable
from etl.load.vanished import refuse_too_many_vanished
from etl.model import Checksums, WriteMode
from etl.statements.clickhouse.changes import (
    Change,
    changed_partitions,
    count_partitions_left,
    delete_from_old_places,
    insert_changes,
    key_in_changes,
    key_in_staging,
)
from etl.statements.clickhouse.tables import (
    VERSION_COLUMN,
    add_column,
    attach_partitions,
    clone_table,
    count_rows,
    create_table,
    exchange_tables,
    modify_column,
    rename_table,
    replace_partitions,
    set_comment,
    truncate_table,
)
from etl.statements.quoting import clickhouse_literal

Proof = Callable[[Outcome], PublishedLoad]
"""What the target's comment is to say of this load."""


@dataclass(frozen=True)
class Publication:
    """What a load needs to publish: the rows, what they should amount to, and the proof it leaves."""

    job: Job
    staged: Staged
    frame: Frame
    proof: Proof

    def publish(self) -> Outcome:
        target = self.job.target
        if target is None:
            return self._create()
        if target.rows and self.staged.rows:
            return self._change(target)
        if target.rows and deletes_vanished(self.job.config):
            return self._wipe(target)
        return self._fill(target)

    def _create(self) -> Outcome:
        """The target appears with its rows in it; an empty frame creates an empty table."""
        job = self.job
        refuse_duplicates(job, self.frame, self.staged)
        job.door.execute(create_table(job.database, job.names.new, job.plan.shape))
        outcome = self._attach_all()
        self._comment("", outcome)
        job.door.execute(rename_table(job.database, job.names.new, job.config.target_name))
        return outcome

    def _fill(self, target: TargetTable) -> Outcome:
        """Either side is empty: nothing to compare. An empty frame changes no row, unless it is all that there is."""
        refuse_duplicates(self.job, self.frame, self.staged)
        if not self.staged.rows and not self.job.plan.evolves:
            return Outcome()
        self._clone()
        outcome = self._attach_all()
        self._exchange(target, outcome)
        return outcome

    def _wipe(self, target: TargetTable) -> Outcome:
        """Nothing was staged, and that is all there is."""
        job = self.job
        self._clone()
        [[stored]] = job.door.query(count_rows(job.database, job.names.new, final=target.shape.replaces))
        refuse_too_many_vanished(job.config, stored, stored, job.qualified_target)
        job.door.execute(truncate_table(job.database, job.names.new))
        outcome = Outcome(deleted=stored)
        self._exchange(target, outcome)
        return outcome

    def _attach_all(self) -> Outcome:
        job, staged = self.job, self.staged
        if staged.rows:
            job.door.execute(attach_partitions(job.database, job.names.new, [staged.table]))
            if self.frame.expected is not None:
                where = "the new content in ClickHouse"
                require_equal(job, self.frame.expected, stored_checksums(job, job.names.new, final=False), where)
        return Outcome(inserted=staged.rows)

    def _change(self, target: TargetTable) -> Outcome:
        job = self.job
        changes = find_changes(job, target, self.staged)
        expected = self.frame.expected
        if expected is not None:
            found = stored_checksums(job, self.staged.table, final=False)
            require_equal(job, expected, found, "what was staged in ClickHouse")
        outcome = changes.outcome
        if changes.comparison.whole:
            stored = outcome.updated + outcome.unchanged + outcome.skipped + outcome.deleted
            refuse_too_many_vanished(job.config, outcome.deleted, stored, job.qualified_target)
        replacing = job.config.mode is WriteMode.REPLACE_PARTITION
        if not (outcome.inserted or outcome.updated or outcome.deleted or job.plan.evolves):
            return outcome
        self._clone()
        if replacing:
            self._replace(changes)
        else:
            self._merge(target, changes)
        if expected is not None:
            self._validate(target, changes, replacing)
        self._exchange(target, outcome)
        return outcome

    def _clone(self) -> None:
        job = self.job
        job.door.execute(clone_table(job.database, job.names.new, job.config.target_name))
        for column in job.plan.added:
            job.door.execute(add_column(job.database, job.names.new, column))
        for name, new_type in job.plan.modified:
            job.door.execute(modify_column(job.database, job.names.new, name, new_type))

    def _merge(self, target: TargetTable, changes: Changes) -> None:
        job, comparison = self.job, changes.comparison
        leaving = _kinds_that_leave_a_row_behind(target, changes)
        if leaving:
            job.door.execute(delete_from_old_places(comparison, job.names.new, job.names.changes, leaving))
        if changes.published_rows == self.staged.rows:
            job.door.execute(attach_partitions(job.database, job.names.new, [self.staged.table]))
        elif changes.published_rows:
            job.door.execute(
                insert_changes(
                    comparison,
                    job.names.new,
                    self._physical_columns(),
                    job.names.changes,
                    changes.published_kinds,
                )
            )

    def _replace(self, changes: Changes) -> None:
        job, comparison = self.job, changes.comparison
        leaving = [kind for kind in (Change.MOVED, Change.DELETED) if changes.counts.get(kind)]
        if leaving and job.door.query(count_partitions_left(comparison, job.names.changes, leaving)) != [[0]]:
            job.door.execute(delete_from_old_places(comparison, job.names.new, job.names.changes, leaving))
        touched = {row[0] for row in job.door.query(changed_partitions(job.database, job.names.changes))}
        replaced = [identifier for identifier in self.staged.partitions if identifier in touched]
        if replaced:
            job.door.execute(replace_partitions(job.database, job.names.new, self.staged.table, replaced))

    def _validate(self, target: TargetTable, changes: Changes, replacing: bool) -> None:
        """This load's keys, as they stand in the clone, are the staged rows; skipped ones aside."""
        job, comparison = self.job, changes.comparison
        in_scope = _in_partitions(self.staged.partitions) if replacing else key_in_staging(comparison)
        in_scope = "true" if comparison.whole else in_scope
        skipped = key_in_changes(comparison, job.names.changes, changes.skipped_kinds) if changes.skipped_kinds else ""
        expected = self._expected_without(skipped)
        where = f"{in_scope} AND NOT ({skipped})" if skipped else in_scope
        found = stored_checksums(job, job.names.new, final=target.shape.replaces, where=where)
        require_equal(job, expected, found, "the new content in ClickHouse")

    def _expected_without(self, skipped: str) -> Checksums:
        if not skipped and self.frame.expected is not None:
            return self.frame.expected
        where = f"NOT ({skipped})" if skipped else ""
        return stored_checksums(self.job, self.staged.table, final=False, where=where)

    def _exchange(self, target: TargetTable, outcome: Outcome) -> None:
        job = self.job
        self._comment(target.comment, outcome)
        require_untouched(job)
        job.door.execute(exchange_tables(job.database, job.names.new, job.config.target_name))

    def _comment(self, former: str, outcome: Outcome) -> None:
        job = self.job
        job.door.execute(set_comment(job.database, job.names.new, add_load(former, self.proof(outcome))))

    def _physical_columns(self) -> Sequence[str]:
        return [
            column.name
            for column in self.job.plan.shape.columns
            if column.name == VERSION_COLUMN or not column.default.startswith(("MATERIALIZED", "ALIAS"))
        ]


def _kinds_that_leave_a_row_behind(target: TargetTable, changes: Changes) -> list[Change]:
    """ReplacingMergeTree replaces within a partition only; MergeTree never. What vanished is replaced by nothing."""
    kinds = (Change.MOVED,) if target.shape.replaces else (Change.CHANGED, Change.MOVED)
    published = [kind for kind in kinds if kind in changes.published_kinds]
    return [kind for kind in (*published, Change.DELETED) if changes.counts.get(kind)]


def _in_partitions(partitions: Iterable[str]) -> str:
    listed = ", ".join(clickhouse_literal(identifier) for identifier in partitions)
    return f"_partition_id IN ({listed})"
