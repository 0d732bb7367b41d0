"""The ledger: what happened to a run, table and destination. One short transaction a call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import structlog
from psycopg2.extras import RealDictCursor

from etl.alerts.findings import Standing
from etl.alerts.outbox import CursorOutbox
from etl.config.settings import PostgreSQLSettings
from etl.errors import EtlError, LockedError, NotYetError, StoreError
from etl.interruption import INTERRUPTED, require_uninterrupted
from etl.ledger import history, leases, loads, maintenance, migrations, rejects, runs
from etl.ledger.heartbeat import Heartbeat
from etl.ledger.history import LoadTrend, RunSummary
from etl.ledger.values import (
    FrozenWindow,
    LoadPlan,
    LoadRecord,
    MaintenanceRecord,
    NewRun,
    Reject,
    RejectedExtent,
    RejectedRule,
    RejectFilter,
    RejectRecord,
    Run,
    Watermark,
)
from etl.model import Destination, LoadResult, Maintenance, MaintenanceResult, RunStatus
from etl.postgresql.door import door, sqlstate
from etl.postgresql.fence import Gate
from etl.postgresql.pool import Database
from etl.postgresql.sqlstates import UNIQUE_VIOLATION
from etl.redaction import redact_value
from etl.retrying import retrying

Answer = TypeVar("Answer")

RETRIES = 4
LEASE_POLL_SECONDS = 0.5
EVERY_REJECT = RejectFilter()

log = structlog.get_logger(__name__)


class Ledger:
    """Used by many threads at once. Calls are repeated on transient errors: each leaves the same state done twice.

    `secrets` are masked in whatever is stored, beside the ledger's own password. Of an orchestrator's attempt, a run
    is started and a load begun and completed only while it holds its fence: FencedError, and nothing is stored.
    """

    def __init__(
        self, settings: PostgreSQLSettings, *, secrets: Iterable[str] = (), retry_for_seconds: float = 0
    ) -> None:
        self._retry_for_seconds = retry_for_seconds
        self._database = Database(settings)
        self._gate = Gate(settings)
        self._secrets = frozenset({*secrets, settings.password.get_secret_value()})

    def close(self) -> None:
        self._database.close()

    def migrate(self) -> list[str]:
        """Brings the schema up to date; returns the names of what was applied. Safe when two runs start at once."""
        return migrations.migrate(self._database, migrations.read_migrations())

    def exists(self) -> bool:
        """Whether there is a ledger to read; a rehearsal does not create one."""
        return self._call("exists", migrations.exist)

    # --- runs ---

    def start_run(self, run: NewRun, run_id: str | None = None) -> Run:
        """NotYetError while another run of its idempotency key is under way."""
        run_id, options = run_id or runs.new_run_id(), redact_value(run.options, self._secrets)

        def insert(cursor: Any) -> Run:
            self._gate.require(cursor, f"run {run_id} cannot start")
            return runs.insert_run(cursor, run_id, run, options, self._gate.token)

        try:
            return self._call("start_run", insert)
        except StoreError as error:
            if sqlstate(error) != UNIQUE_VIOLATION:
                raise
            raise NotYetError(
                f"another run of idempotency key {run.idempotency_key!r} has just begun; wait until it has finished"
            ) from error

    def heartbeat(self, run_id: str) -> bool:
        """Renews the run and its leases; False where the run has ended or was declared dead."""
        return self._call("heartbeat", lambda cursor: runs.beat(cursor, run_id))

    def keep_alive(self, run_id: str) -> Heartbeat:
        """`with ledger.keep_alive(run_id) as heartbeat:` — check `heartbeat.lost` between tables."""
        return Heartbeat(self._database.settings, run_id)

    def finish_run(self, run_id: str, status: RunStatus) -> bool:
        """False where it had been declared dead before: it stays failed."""
        return self._call("finish_run", lambda cursor: runs.finish(cursor, run_id, status))

    @contextmanager
    def own_run(self, run: NewRun, run_id: str | None = None) -> Iterator[Run]:
        """A run kept alive for the block: `success` where it ends, `failed` where it raises. For commands that hold
        leases as a job does but load nothing themselves."""
        started, status = self.start_run(run, run_id), RunStatus.FAILED
        try:
            with self.keep_alive(started.run_id):
                yield started
            status = RunStatus.SUCCESS
        finally:
            self.finish_run(started.run_id, status)

    def get_run(self, run_id: str) -> Run | None:
        return self._call("run", lambda cursor: runs.find_run(cursor, run_id))

    def run_of_key(self, idempotency_key: str) -> Run | None:
        """The latest run that was asked for by this name."""
        return self._call("run_of_key", lambda cursor: runs.find_run_of_key(cursor, idempotency_key))

    def runs(self, limit: int = 20) -> list[Run]:
        """The latest first."""
        return self._call("runs", lambda cursor: runs.list_runs(cursor, limit))

    def run_summaries(self, limit: int = 20) -> list[RunSummary]:
        """The latest first, each with the sums of its loads."""
        return self._call("run_summaries", lambda cursor: history.summaries(cursor, limit))

    def load_trends(self, runs: int = 20, limit: int = 20) -> list[LoadTrend]:
        """Over so many of the last runs, the slowest tables first."""
        return self._call("load_trends", lambda cursor: history.trends(cursor, runs, limit))

    def load_paces(self, run_id: str) -> dict[tuple[str, str], float]:
        """The usual rows a second of this run's loads, by table and destination; the small ones are left out."""
        return self._call("load_paces", lambda cursor: history.paces(cursor, run_id))

    def standings(self) -> list[Standing]:
        """Of every table and destination that was ever loaded."""
        return self._call("standings", history.standings)

    def outbox(self) -> CursorOutbox:
        """What people are told of."""
        return CursorOutbox("etl.alerts", self._database.transaction)

    def live_runs(self) -> frozenset[str]:
        return self._call("live_runs", runs.find_live_runs)

    def mark_dead_runs(self) -> list[str]:
        """Fails the runs whose heartbeat stopped, with their running loads, and frees their leases."""
        return self._call("mark_dead_runs", runs.mark_dead)

    def freeze_table(self, run_id: str, table_name: str, window: FrozenWindow) -> None:
        """Once a run and table; a later call changes nothing."""
        self._call("freeze_table", lambda cursor: runs.freeze(cursor, run_id, table_name, window))

    def frozen_tables(self, run_id: str) -> dict[str, FrozenWindow]:
        return self._call("frozen_tables", lambda cursor: runs.find_frozen(cursor, run_id))

    # --- loads ---

    def plan_loads(self, run_id: str, planned: Iterable[tuple[str, Destination]]) -> None:
        """Writes down what the run means to do: `pending` until begun."""
        pairs = list(planned)

        def insert_all(cursor: Any) -> None:
            for table_name, destination in pairs:
                loads.plan(cursor, run_id, table_name, destination)

        self._call("plan_loads", insert_all)

    def begin_load(self, run_id: str, plan: LoadPlan) -> None:
        configuration = redact_value(plan.configuration, self._secrets)

        def begin(cursor: Any) -> None:
            self._gate.require(cursor, f"{plan.table_name} into {plan.destination} cannot begin")
            loads.begin(cursor, run_id, plan, configuration)

        self._call("begin_load", begin)

    def complete_load(self, run_id: str, result: LoadResult, cursor: Any = None) -> None:
        """Status, counts and watermark in one statement; refuses counts that do not add up, and a lost lease.

        With `cursor` it is part of that cursor's transaction (of the ledger's own database), which commits or not.
        """
        if cursor is None:
            self._call("complete_load", lambda own: self._complete(own, run_id, result))
            return
        with (
            door(self._database.settings, "complete_load"),
            # the caller's cursor may give tuples; one of ours on its connection is in the same transaction
            cursor.connection.cursor(cursor_factory=RealDictCursor) as own,
        ):
            self._complete(own, run_id, result)

    def hold_fence(self, cursor: Any) -> None:
        """For rows that are published without a load: asks in the transaction of that cursor, in the ledger's own
        database."""
        with door(self._database.settings, "hold the fence"):
            self._gate.require(cursor, "rows cannot be published")

    def _complete(self, cursor: Any, run_id: str, result: LoadResult) -> None:
        """The fence first: until this transaction has ended nobody else is given the run."""
        self._gate.require(cursor, f"{result.table_name} into {result.destination} cannot be completed")
        loads.complete(cursor, run_id, result)

    def fail_load(self, run_id: str, table_name: str, destination: Destination, error: BaseException) -> bool:
        """False where the load was published already: it stays so. A ValidationError overrules that, and takes the
        watermark back, so that the next run reads the table from its beginning."""
        failure = loads.describe_failure(error, self._secrets)
        return self._call("fail_load", lambda cursor: loads.fail(cursor, run_id, table_name, destination, failure))

    def loads(self, run_id: str) -> list[LoadRecord]:
        return self._call("loads", lambda cursor: loads.list_loads(cursor, run_id))

    def load(self, run_id: str, table_name: str, destination: Destination) -> LoadRecord | None:
        return self._call("load", lambda cursor: loads.find_load(cursor, run_id, table_name, destination))

    def watermark(self, table_name: str, destination: Destination) -> Watermark | None:
        return self._call("watermark", lambda cursor: loads.find_watermark(cursor, table_name, destination))

    def watermarks(self) -> dict[tuple[str, Destination], Watermark]:
        found = self._call("watermarks", loads.list_watermarks)
        return {(watermark.table_name, watermark.destination): watermark for watermark in found}

    # --- maintenance ---

    def is_maintenance_due(self, table_name: str, destination: Destination, target: str, schedule: Maintenance) -> bool:
        where = maintenance.place(table_name, destination, target)
        return self._call("maintenance_due", lambda cursor: maintenance.is_due(cursor, where, schedule))

    def begin_maintenance(
        self, run_id: str, table_name: str, destination: Destination, target: str, schedule: Maintenance
    ) -> bool:
        """Under the lease; False where it is not due: another run may have done it meanwhile."""
        where = maintenance.place(table_name, destination, target)

        def begin(cursor: Any) -> bool:
            if not maintenance.is_due(cursor, where, schedule):
                return False
            self._gate.require(cursor, f"upkeep of {table_name} in {destination} cannot begin")
            maintenance.begin(cursor, run_id, where)
            return True

        return self._call("begin_maintenance", begin)

    def complete_maintenance(self, run_id: str, result: MaintenanceResult) -> None:
        self._call("complete_maintenance", lambda cursor: maintenance.complete(cursor, run_id, result))

    def fail_maintenance(
        self, run_id: str, table_name: str, destination: Destination, target: str, error: BaseException
    ) -> None:
        where = maintenance.place(table_name, destination, target)
        failure = loads.describe_failure(error, self._secrets)
        self._call("fail_maintenance", lambda cursor: maintenance.fail(cursor, run_id, where, failure))

    def maintenance(self, run_id: str) -> list[MaintenanceRecord]:
        return self._call("maintenance", lambda cursor: maintenance.of_run(cursor, run_id))

    # --- leases ---

    @contextmanager
    def lease(
        self, run_id: str, table_name: str, destination: Destination, timeout_seconds: float = 30
    ) -> Iterator[None]:
        """Holds the right to load this table into this destination; LockedError names the run that has it."""
        self._take_lease(run_id, table_name, destination, timeout_seconds)
        try:
            yield
        finally:
            self._release_lease(run_id, table_name, destination)

    def _take_lease(self, run_id: str, table_name: str, destination: Destination, timeout_seconds: float) -> None:
        give_up_at, has_said = time.monotonic() + timeout_seconds, False
        while not self._call("take_lease", lambda cursor: leases.take(cursor, run_id, table_name, destination)):
            holder = self._call("lease", lambda cursor: leases.find_holder(cursor, table_name, destination))
            if holder and time.monotonic() >= give_up_at:
                raise LockedError(
                    f"{table_name} into {destination}: waited {timeout_seconds:g} s for {holder}; "
                    "wait longer, or begin again when that run has finished",
                    table=table_name,
                    destination=str(destination),
                )
            if holder and not has_said:
                facts = {"run_id": run_id, "table": table_name, "destination": str(destination)}
                log.info("waiting for lease", holder=holder.run_id, held_since=holder.since.isoformat(), **facts)
                has_said = True
            INTERRUPTED.wait(min(LEASE_POLL_SECONDS, max(0.05, give_up_at - time.monotonic())))
            require_uninterrupted()

    def _release_lease(self, run_id: str, table_name: str, destination: Destination) -> None:
        try:
            self._call("release_lease", lambda cursor: leases.release(cursor, run_id, table_name, destination))
        except EtlError as error:
            # the load's own outcome counts; the lease ends with the run
            log.warning("lease not released", run_id=run_id, table=table_name, error=str(error))

    # --- rejects ---

    def add_rejects(self, run_id: str, table_name: str, destination: Destination | None, rows: Iterable[Reject]) -> int:
        """All or none, streamed by COPY; not repeated on errors, since `rows` may be read only once."""
        with self._database.transaction("copy_rejects", statement_timeout_seconds=3600) as cursor:
            return rejects.copy_rejects(cursor, run_id, table_name, destination, rows)

    def rejects(self, chosen: RejectFilter = EVERY_REJECT, limit: int = 100) -> list[RejectRecord]:
        """The latest first."""
        return self._call("rejects", lambda cursor: rejects.list_rejects(cursor, chosen, limit))

    def count_rejects(self, chosen: RejectFilter = EVERY_REJECT) -> int:
        return self._call("count_rejects", lambda cursor: rejects.count_rejects(cursor, chosen))

    def reject(self, reject_id: int) -> RejectRecord | None:
        return self._call("reject", lambda cursor: rejects.find_reject(cursor, reject_id))

    def waiting_tables(self) -> list[str]:
        """Tables with orphans to be replayed."""
        return self._call("waiting_tables", rejects.find_waiting_tables)

    def rejected_rules(self) -> list[tuple[str, int]]:
        """Each rule that rejected rows broke, with how many; the most frequent first."""
        return self._call("rejected_rules", rejects.find_rejected_rules)

    def rejected_by_rule(self, run_id: str) -> list[RejectedRule]:
        """Of one run: rows left out and orphans that wait."""
        return self._call("rejected_by_rule", lambda cursor: rejects.find_rejected_by_rule(cursor, run_id))

    def rejected_tables(self, rule: str) -> list[str]:
        return self._call("rejected_tables", lambda cursor: rejects.find_rejected_tables(cursor, rule))

    def rejected_extents(self, table_name: str, rule: str, column: str, renamed: str) -> list[RejectedExtent]:
        """Where the rows stand, by the mark in `column` of the source, which may be `renamed` on its way."""
        return self._call(
            "rejected_extents", lambda cursor: rejects.find_extents(cursor, table_name, rule, column, renamed)
        )

    def resolve_rejected(self, run_id: str, table_name: str, rule: str, extent: RejectedExtent) -> None:
        """Of rows that this run has read again: newer entries stand for those that were rejected again."""
        self._call("resolve_rejected", lambda cursor: rejects.resolve(cursor, run_id, table_name, rule, extent))

    def _call(self, name: str, work: Callable[[Any], Answer]) -> Answer:
        answer: Answer = retrying(RETRIES, self._retry_for_seconds, "ledger asked again", call=name)(
            self._call_once, name, work
        )
        return answer

    def _call_once(self, name: str, work: Callable[[Any], Answer]) -> Answer:
        with self._database.transaction(name) as cursor:
            return work(cursor)
