"""Publishing: the next content of the target is built beside it, checked, and exchanged with it in one statement.

    target stands   CREATE new CLONE AS target → apply the changes → check → comment (the proof) → EXCHANGE TABLES
    target missing  CREATE new → attach → check → comment → RENAME to the target

Until the exchange readers see the former content, from then on the next one. A kill before it leaves an orphan beside
an untouched target; a kill after it leaves the former content as an orphan. The comment says which of the two happened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from etl.config.tables.modes import deletes_vanished, marks_vanished
from etl.load.clickhouse.checks import require_equal, require_untouched, stored_checksums
from etl.load.clickhouse.classify import (
    Changes,
    compare_with,
    find_changes,
    refuse_duplicates,
    without_equal_partitions,
)
from etl.load.clickhouse.expiry import count_stored_expired, not_about_to_expire, only_the_server_tells
from etl.load.clickhouse.job import Frame, Job, Outcome, Staged
from etl.load.clickhouse.marker import PublishedLoad, add_load
from etl.load.clickhouse.modes import MODES
from etl.load.clickhouse.properties import ttl_to_remember
from etl.load.clickhouse.target import TargetTable, describe
from etl.load.vanished import refuse_too_many_vanished
from etl.statements.clickhouse.changes import Change, key_in_changes
from etl.statements.clickhouse.tables import (
    attach_partitions,
    clone_table,
    count_rows,
    create_table,
    exchange_tables,
    rename_table,
    set_comment,
    staging_shape,
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
        if target.rows and (self.staged.gone or marks_vanished(self.job.config)):
            return replace(self, staged=self._nothing_staged())._change(target)
        if target.rows and deletes_vanished(self.job.config):
            return self._wipe(target)
        return self._fill(target)

    def _nothing_staged(self) -> Staged:
        """A table to compare with, where no attempt has made one."""
        job, table = self.job, self.job.names.attempt(0, 0)
        job.door.execute(create_table(job.database, table, staging_shape(job.plan.shape, job.run_number)))
        return replace(self.staged, table=table)

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
        stored -= count_stored_expired(job, job.names.new)
        refuse_too_many_vanished(job.config, stored, stored, job.qualified_target)
        job.door.execute(truncate_table(job.database, job.names.new))
        outcome = Outcome(deleted=stored)
        self._exchange(target, outcome)
        return outcome

    def _attach_all(self) -> Outcome:
        job, staged = self.job, self.staged
        if staged.rows:
            job.door.execute(attach_partitions(job.database, job.names.new, [staged.table]))
            self._validate("true", final=False)
        return Outcome(inserted=staged.rows)

    def _change(self, target: TargetTable) -> Outcome:
        job, mode = self.job, MODES[self.job.config.mode]
        compared = mode.compared(compare_with(job, target, self.staged), self.staged)
        changes = find_changes(job, without_equal_partitions(job, compared, self.staged, self.frame), self.staged)
        expected = self.frame.expected
        if expected is not None and self.staged.rows:
            found = stored_checksums(job, self.staged.table, final=False)
            require_equal(job, expected, found, "what was staged in ClickHouse")
        outcome = changes.outcome
        if changes.comparison.whole or changes.comparison.gone:
            self._refuse_too_many_vanished(changes)
        if not (outcome.inserted or outcome.updated or outcome.deleted or job.plan.evolves):
            return outcome
        self._clone()
        mode.apply(job, self.staged, target, changes)
        comparison, skipped = changes.comparison, changes.skipped_kinds
        if self.staged.rows:
            self._validate(
                "true" if comparison.whole and not comparison.marks else mode.scope(comparison),
                final=target.shape.replaces,
                without=key_in_changes(comparison, job.names.changes, skipped) if skipped else "",
            )
        self._exchange(target, outcome)
        return outcome

    def _clone(self) -> None:
        job = self.job
        job.door.execute(clone_table(job.database, job.names.new, job.config.target_name))
        for statement in job.plan.alterations(job.database, job.names.new):
            job.door.execute(statement)

    def _refuse_too_many_vanished(self, changes: Changes) -> None:
        """A stored row that its TTL lets go has not vanished from the source."""
        job, outcome = self.job, changes.outcome
        vanished = outcome.deleted
        if vanished and not job.plan.added:  # of whose columns the TTL may speak
            leaving = key_in_changes(changes.comparison, job.names.changes, [Change.DELETED])
            vanished -= count_stored_expired(job, job.config.target_name, leaving)
        stored = outcome.updated + outcome.unchanged + outcome.skipped + vanished
        if vanished and not changes.comparison.whole:
            [[stored]] = job.door.query(count_rows(job.database, job.config.target_name, final=job.plan.shape.replaces))
        refuse_too_many_vanished(job.config, vanished, stored, job.qualified_target)

    def _validate(self, in_scope: str, *, final: bool, without: str = "") -> None:
        """What stands in the new table where this load's rows belong are the staged rows: skipped ones aside
        (`without`), and those that the TTL may take while we look."""
        job, expected = self.job, self.frame.expected
        if expected is None:
            return
        if only_the_server_tells(job):
            # its merges would be taken for losses
            staged = stored_checksums(job, self.staged.table, final=False)
            require_equal(job, expected, staged, "what was staged in ClickHouse")
            return
        compared = [f"NOT ({without})"] if without else []
        if lasting := not_about_to_expire(job):
            compared.append(lasting)
        if compared:
            expected = stored_checksums(job, self.staged.table, final=False, where=" AND ".join(compared))
        found = stored_checksums(job, job.names.new, final=final, where=" AND ".join([f"({in_scope})", *compared]))
        require_equal(job, expected, found, "the new content in ClickHouse")

    def _exchange(self, target: TargetTable, outcome: Outcome) -> None:
        job = self.job
        self._comment(target.comment, outcome)
        require_untouched(job)
        job.door.execute(exchange_tables(job.database, job.names.new, job.config.target_name))

    def _comment(self, former: str, outcome: Outcome) -> None:
        job = self.job
        stands = describe(job.door, job.database, job.names.new) if job.config.ttl else None
        ttl = ttl_to_remember(job.door, job.config, stands.shape.ttl) if stands else None
        job.door.execute(set_comment(job.database, job.names.new, add_load(former, self.proof(outcome), ttl)))
