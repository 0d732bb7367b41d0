"""Publishing: the next content of the target is built beside it, checked, and exchanged with it in one statement.

    target stands   CREATE new CLONE AS target → apply the changes → check → comment (the proof) → EXCHANGE TABLES
    target missing  CREATE new → attach → check → comment → RENAME to the target

Until the exchange readers see the former content, from then on the next one. A kill before it leaves an orphan beside
an untouched target; a kill after it leaves the former content as an orphan. The comment says which of the two happened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from etl.config.tables.modes import deletes_vanished
from etl.load.clickhouse.checks import require_equal, require_untouched, stored_checksums
from etl.load.clickhouse.classify import Changes, compare_with, find_changes, refuse_duplicates
from etl.load.clickhouse.job import Frame, Job, Outcome, Staged
from etl.load.clickhouse.marker import PublishedLoad, add_load
from etl.load.clickhouse.modes import MODES
from etl.load.clickhouse.target import TargetTable
from etl.load.vanished import refuse_too_many_vanished
from etl.model import Checksums
from etl.statements.clickhouse.changes import key_in_changes
from etl.statements.clickhouse.tables import (
    add_column,
    attach_partitions,
    clone_table,
    count_rows,
    create_table,
    exchange_tables,
    modify_column,
    rename_table,
    set_comment,
    truncate_table,
)

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
        job, mode = self.job, MODES[self.job.config.mode]
        changes = find_changes(job, mode.compared(compare_with(job, target, self.staged), self.staged), self.staged)
        expected = self.frame.expected
        if expected is not None:
            found = stored_checksums(job, self.staged.table, final=False)
            require_equal(job, expected, found, "what was staged in ClickHouse")
        outcome = changes.outcome
        if changes.comparison.whole:
            stored = outcome.updated + outcome.unchanged + outcome.skipped + outcome.deleted
            refuse_too_many_vanished(job.config, outcome.deleted, stored, job.qualified_target)
        if not (outcome.inserted or outcome.updated or outcome.deleted or job.plan.evolves):
            return outcome
        self._clone()
        mode.apply(job, self.staged, target, changes)
        if expected is not None:
            in_scope = "true" if changes.comparison.whole else mode.scope(changes.comparison)
            self._validate(target, changes, in_scope)
        self._exchange(target, outcome)
        return outcome

    def _clone(self) -> None:
        job = self.job
        job.door.execute(clone_table(job.database, job.names.new, job.config.target_name))
        for column in job.plan.added:
            job.door.execute(add_column(job.database, job.names.new, column))
        for name, new_type in job.plan.modified:
            job.door.execute(modify_column(job.database, job.names.new, name, new_type))

    def _validate(self, target: TargetTable, changes: Changes, in_scope: str) -> None:
        """What stands in the clone where this load's rows belong are the staged rows; skipped ones aside."""
        job, comparison = self.job, changes.comparison
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
