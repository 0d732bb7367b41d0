"""When a target's upkeep is due, by what the ledger knows of it."""

from __future__ import annotations

from datetime import date

import pytest

from etl.errors import LockedError, StoreError
from etl.ledger import Ledger, LoadPlan, Run
from etl.model import Destination, LoadResult, Maintenance, MaintenanceResult, RunStatus, WriteMode
from tests.databases import Execute
from tests.integration.ledger.conftest import start_run

pytestmark = pytest.mark.stack

S3, TARGET = Destination.S3, "s3a://lake/orders"
WHERE = ("orders", S3, TARGET)
DONE = MaintenanceResult("orders", S3, TARGET, date(2026, 11, 1), 2, 17, 3, 1.5)


def load(ledger: Ledger, run: Run) -> None:
    ledger.begin_load(run.run_id, LoadPlan("orders", S3, TARGET, WriteMode.APPEND))
    ledger.complete_load(run.run_id, LoadResult("orders", S3, TARGET, WriteMode.APPEND, 0))


def pass_days(execute: Execute, days: int) -> None:
    for table in ("loads", "maintenance"):
        execute(
            f"UPDATE etl.{table} SET started_at = started_at - interval '{days} days', "
            f"finished_at = finished_at - interval '{days} days'"
        )


def test_weekly_counts_days_from_the_last_success_or_the_first_load(ledger: Ledger, run: Run, execute: Execute) -> None:
    assert not ledger.is_maintenance_due(*WHERE, Maintenance.WEEKLY), "never loaded"
    load(ledger, run)
    pass_days(execute, 6)
    assert not ledger.begin_maintenance(run.run_id, *WHERE, Maintenance.WEEKLY)
    pass_days(execute, 1)
    assert not ledger.is_maintenance_due("orders", S3, "s3a://lake/elsewhere", Maintenance.WEEKLY)
    assert ledger.begin_maintenance(run.run_id, *WHERE, Maintenance.WEEKLY)
    assert ledger.is_maintenance_due(*WHERE, Maintenance.WEEKLY), "begun is not done"
    ledger.fail_maintenance(run.run_id, *WHERE, StoreError("no"))
    assert ledger.begin_maintenance(run.run_id, *WHERE, Maintenance.WEEKLY), "nor is failed"
    ledger.complete_maintenance(run.run_id, DONE)
    assert not ledger.is_maintenance_due(*WHERE, Maintenance.WEEKLY)
    pass_days(execute, 7)
    assert ledger.is_maintenance_due(*WHERE, Maintenance.WEEKLY)

    [record] = ledger.maintenance(run.run_id)
    assert (record.status, record.deleted_before, record.days_deleted, record.rows_deleted, record.files_joined) == (
        "success",
        date(2026, 11, 1),
        2,
        17,
        3,
    )
    ledger.fail_maintenance(run.run_id, *WHERE, StoreError("too late"))
    assert [each.status for each in ledger.maintenance(run.run_id)] == ["success"]


def test_after_a_run_it_is_due_once_a_load(ledger: Ledger, run: Run) -> None:
    load(ledger, run)
    other = start_run(ledger)
    assert ledger.begin_maintenance(run.run_id, *WHERE, Maintenance.AFTER_RUN)
    ledger.complete_maintenance(run.run_id, DONE)
    assert not ledger.begin_maintenance(other.run_id, *WHERE, Maintenance.AFTER_RUN), "the other run has done it"
    load(ledger, other)
    assert ledger.begin_maintenance(other.run_id, *WHERE, Maintenance.AFTER_RUN)


def test_a_dead_run_begins_none_and_what_it_had_begun_has_failed(ledger: Ledger, run: Run, execute: Execute) -> None:
    load(ledger, run)
    assert ledger.begin_maintenance(run.run_id, *WHERE, Maintenance.AFTER_RUN)
    execute("UPDATE etl.runs SET heartbeat_at = now() - interval '2 minutes'")
    assert ledger.mark_dead_runs() == [run.run_id]
    assert [(each.status, each.error_class) for each in ledger.maintenance(run.run_id)] == [("failed", "Interrupted")]
    with pytest.raises(LockedError, match="ended or was declared dead"):
        ledger.begin_maintenance(run.run_id, *WHERE, Maintenance.AFTER_RUN)
    following = start_run(ledger)
    assert ledger.begin_maintenance(following.run_id, *WHERE, Maintenance.AFTER_RUN)
    ledger.finish_run(following.run_id, RunStatus.SUCCESS)
