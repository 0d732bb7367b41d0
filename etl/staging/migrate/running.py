"""Takes one table through its plan; where the connection or a lock is lost, plans it again from the catalogs."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from etl.errors import ContentionError, EtlError, TransientError
from etl.staging.ledger.queries import statement
from etl.staging.migrate.planning.facts import TableFacts
from etl.staging.migrate.planning.find import find_tables
from etl.staging.migrate.planning.plan import TablePlan, plan_table
from etl.staging.migrate.planning.steps import (
    ArchiveDuplicates,
    ArchiveUnusable,
    BuildIndex,
    ChangeTable,
    DropIndex,
    Fill,
    RegisterLineage,
    Step,
    Validate,
)
from etl.staging.migrate.report import TableReport, TableStatus
from etl.staging.migrate.rows import RowWork
from etl.staging.migrate.session import Session
from etl.statements.quoting import postgresql_name
from etl.statements.staging.migration import drop_index, validate

OnStep = Callable[[str, Step], None]
"""Is told of each step before it is taken: (table, step)."""

_BUILDS = 20
"""How often writers may put a new duplicate into the way of the unique index."""

log = structlog.get_logger(__name__)


class TableMigration:
    def __init__(self, session: Session, table: str, on_step: OnStep, check: Callable[[], None]) -> None:
        self._session = session
        self._table = table
        self._on_step = on_step
        self._check = check
        self._archived = self._quarantined = self._steps = 0
        self._before: int | None = None
        self._notes: tuple[str, ...] = ()

    def run(self) -> TableReport:
        """Never raises for what happens to this table alone: the others go on."""
        began = time.monotonic()
        try:
            status, reason, kept = self._migrate()
        except EtlError as error:
            log.error("migrate_failed", table=self._table, error=error.message)
            status, reason, kept = TableStatus.FAILED, error.message, self._left()
        return TableReport(
            table=self._table,
            status=status,
            reason=reason,
            notes=self._notes,
            steps_done=self._steps,
            rows_before=self._before or 0,
            rows_kept=kept,
            rows_archived=self._archived,
            rows_quarantined=self._quarantined,
            seconds=time.monotonic() - began,
        )

    def _migrate(self) -> tuple[TableStatus, str | None, int]:
        attempts = self._session.settings.attempts
        for attempt in range(1, attempts + 1):
            try:
                return self._attempt()
            except ContentionError:
                raise  # has been tried often enough where it happened
            except TransientError as error:
                if attempt == attempts:
                    raise
                log.warning("migrate_again", table=self._table, attempt=attempt, error=error.message)
                self._reconnect()
        raise AssertionError("the last attempt returns or raises")

    def _attempt(self) -> tuple[TableStatus, str | None, int]:
        self._check()
        facts = self._facts()
        if facts is None:
            return TableStatus.SKIPPED, "it has been dropped or renamed meanwhile", 0
        plan = plan_table(facts, self._session.settings)
        if plan.skipped:
            return TableStatus.SKIPPED, plan.skipped, 0
        if not plan.steps:
            return (TableStatus.MIGRATED if self._steps else TableStatus.UNCHANGED), None, self._kept()
        self._take(plan, facts)
        return TableStatus.MIGRATED, None, self._kept()

    def _kept(self) -> int:
        return self._work(silences_triggers=False).count() if self._before is not None else 0

    def _left(self) -> int:
        """After a failure; the server may be gone."""
        with suppress(EtlError):
            return self._kept()
        return (self._before or 0) - self._archived - self._quarantined

    def _take(self, plan: TablePlan, facts: TableFacts) -> None:
        self._notes = self._notes or plan.notes
        # foreign keys of children are checked by triggers too: those must fire
        work = self._work(silences_triggers=facts.may_silence_triggers and not facts.children)
        if self._before is None:
            self._before = work.count()
        for step in plan.steps:
            self._check()
            self._on_step(self._table, step)
            began = time.monotonic()
            self._do(step, work)
            self._steps += 1
            log.info("migrate_step", table=self._table, step=step.what, seconds=round(time.monotonic() - began, 3))

    def _do(self, step: Step, work: RowWork) -> None:
        match step:
            case ChangeTable():
                self._session.change(self._table, step.what, step.statements)
            case Validate():
                self._session.change(self._table, step.what, [validate(self._table, step.constraint)])
            case DropIndex():
                self._session.drop_index(self._table, step.name, drop_index(step.name))
            case ArchiveUnusable():
                self._quarantined += work.archive_unusable(step.rows)
            case ArchiveDuplicates():
                self._archived += work.archive_duplicates(step.rows)
            case Fill():
                work.fill(step.values)
            case RegisterLineage():
                work.register_lineage()
            case BuildIndex():
                self._build(step, work)

    def _build(self, step: BuildIndex, work: RowWork) -> None:
        index = step.index
        for _ in range(_BUILDS):
            self._drop_if_invalid(index.name)
            if index.is_unique:
                self._archived += work.archive_duplicates(step.rows)
            if self._session.build(self._table, index.name, index.create(concurrently=True)):
                return
            # while it stands, the broken index refuses duplicates but finds none
            self._drop_if_invalid(index.name)
        raise ContentionError(
            f"{self._table}: writers put new duplicates of source_id into the way of {index.name} {_BUILDS} times; "
            "let them write each source_id once, and migrate again"
        )

    def _drop_if_invalid(self, index: str) -> None:
        name = postgresql_name(self._session.settings.schema, index)
        with self._session.transaction(f"{self._table}: look at {index}") as cursor:
            cursor.execute(statement("legacy_index_is_valid"), {"index": name})
            row = cursor.fetchone()
        if row is not None and not row["is_valid"]:
            self._session.drop_index(self._table, index, drop_index(index))

    def _facts(self) -> TableFacts | None:
        with self._session.transaction(f"{self._table}: read the catalogs") as cursor:
            found = find_tables(cursor, self._session.settings, self._table)
        return found[0] if found else None

    def _work(self, *, silences_triggers: bool) -> RowWork:
        return RowWork(self._session, self._table, silences_triggers=silences_triggers, check=self._check)

    def _reconnect(self) -> None:
        for pause in self._session.pauses():
            time.sleep(pause)
            try:
                self._session.reopen()
            except TransientError:
                continue
            return
        self._session.reopen()
