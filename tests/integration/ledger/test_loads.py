from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, replace
from typing import Any

import psycopg2
import pytest

from etl.config.settings import PostgreSQLSettings
from etl.errors import LockedError, ReconciliationError, SourceError, TerminalError, ValidationError
from etl.ledger import Ledger, LoadRecord, LoadState, Run, Watermark
from etl.model import ColumnDefinition, Destination, LoadResult, RunStatus, WriteMode
from etl.postgresql.connection import connect
from tests.integration.ledger.conftest import Execute, make_dead, plan, result, start_run

pytestmark = pytest.mark.stack

CUSTOMERS = ("customers", Destination.POSTGRESQL)


def load_of(ledger: Ledger, run: Run) -> LoadRecord:
    record = ledger.load(run.run_id, *CUSTOMERS)
    assert record is not None
    return record


def fail(ledger: Ledger, run: Run, error: BaseException) -> bool:
    """Raised first, so that there is a stack to be kept."""
    try:
        raise error
    except type(error) as raised:
        return ledger.fail_load(run.run_id, *CUSTOMERS, raised)


def test_a_load_from_plan_to_success(ledger: Ledger, run: Run) -> None:
    ledger.plan_loads(run.run_id, [CUSTOMERS, ("orders", Destination.S3)])
    found: dict[str, Any] = {"files_read": 3, "files_skipped": ("in/_a.csv: hidden",), "notes": ("planned",)}
    found |= {"next_columns": (ColumnDefinition("id", "bigint", nullable=False),), "rows_trimmed": 4}
    ledger.begin_load(
        run.run_id,
        plan(configuration={"key": ["id"]}, next_tail="t1", next_snapshot="7/1 5:6:5", config_hash="c1", **found),
    )
    running = load_of(ledger, run)
    ledger.complete_load(run.run_id, result(notes=("found",)))

    record = load_of(ledger, run)
    assert asdict(record) == {
        "run_id": run.run_id,
        "table_name": "customers",
        "destination": Destination.POSTGRESQL,
        "status": LoadState.SUCCESS,
        "target": "public.customers",
        "mode": WriteMode.UPSERT,
        "configuration": {"key": ["id"]},
        "rows_read": 10,
        "rows_inserted": 2,
        "rows_updated": 1,
        "rows_unchanged": 1,
        "rows_skipped": 2,  # the loader's and the filtered one
        "rows_rejected": 2,  # the loader's and the transform's
        "rows_deduplicated": 2,
        "rows_filtered": 1,
        "rows_deleted": 0,
        "bytes_written": 600,
        "seconds": 0.5,
        "next_watermark": "2026-11-20T00:00:00+00:00",
        "next_fingerprint": None,
        "next_tail": "t1",
        "config_hash": "c1",
        "skipped_reason": None,
        "error_class": None,
        "error_message": None,
        "stack_trace": None,
        "started_at": running.started_at,
        "finished_at": record.finished_at,
        "files_read": 3,
        "files_skipped": ("in/_a.csv: hidden",),
        "notes": ("planned", "found"),
        "next_columns": (asdict(ColumnDefinition("id", "bigint", nullable=False)),),
        "rows_trimmed": 4,
        "next_snapshot": "7/1 5:6:5",
    }
    assert (running.status, running.finished_at) == (LoadState.RUNNING, None)
    assert record.finished_at is not None
    mark = Watermark(
        table_name="customers",
        destination=Destination.POSTGRESQL,
        mark="2026-11-20T00:00:00+00:00",
        fingerprint=None,
        tail="t1",
        config_hash="c1",
        target="public.customers",
        run_id=run.run_id,
        updated_at=record.finished_at,
        columns=(ColumnDefinition("id", "bigint", nullable=False),),
        snapshot="7/1 5:6:5",
    )
    assert ledger.watermarks() == {CUSTOMERS: mark}
    assert ledger.watermark(*CUSTOMERS) == mark
    assert ledger.watermark("customers", Destination.S3) is None
    assert [(load.table_name, load.status) for load in ledger.loads(run.run_id)] == [
        ("customers", LoadState.SUCCESS),
        ("orders", LoadState.PENDING),
    ]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (result(rows_inserted=0, rows_updated=0, rows_unchanged=4), LoadState.UNCHANGED),
        (result(rows_inserted=0, rows_updated=0, rows_unchanged=4, rows_deleted=1), LoadState.SUCCESS),
        (
            result(rows_inserted=0, rows_updated=0, rows_unchanged=0, rows_skipped=5, skipped_reason="target exists"),
            LoadState.SKIPPED,
        ),
    ],
)
def test_the_status_says_what_came_of_it(ledger: Ledger, run: Run, outcome: LoadResult, status: LoadState) -> None:
    ledger.begin_load(run.run_id, plan())
    ledger.complete_load(run.run_id, outcome)
    assert load_of(ledger, run).status is status


def test_a_load_that_is_skipped_as_a_whole_moves_no_watermark(ledger: Ledger, run: Run) -> None:
    """The destination holds no row more: another mode must find them still to be read."""
    skipped = result(rows_inserted=0, rows_updated=0, rows_unchanged=0, rows_skipped=5, skipped_reason="target exists")
    ledger.begin_load(run.run_id, plan())
    ledger.complete_load(run.run_id, skipped)
    assert ledger.watermarks() == {}
    ledger.finish_run(run.run_id, RunStatus.SUCCESS)
    first, second = start_run(ledger), start_run(ledger)
    ledger.begin_load(first.run_id, plan(next_watermark="1"))
    ledger.complete_load(first.run_id, result())
    before = ledger.watermarks()
    ledger.begin_load(second.run_id, plan(next_watermark="2"))
    ledger.complete_load(second.run_id, skipped)
    assert ledger.watermarks() == before


def test_counts_that_do_not_add_up_are_refused_and_nothing_moves(ledger: Ledger, run: Run) -> None:
    ledger.begin_load(run.run_id, plan())
    with pytest.raises(ReconciliationError, match=r"expected 10 rows read, found 9 accounted for \(inserted 1,"):
        ledger.complete_load(run.run_id, result(rows_inserted=1))
    assert load_of(ledger, run).status is LoadState.RUNNING
    assert ledger.watermarks() == {}


def test_completing_twice_is_completing_once(ledger: Ledger, run: Run) -> None:
    ledger.begin_load(run.run_id, plan())
    ledger.complete_load(run.run_id, result())
    done = load_of(ledger, run)
    ledger.complete_load(run.run_id, result())
    assert load_of(ledger, run) == done
    with pytest.raises(LockedError, match="published with other counts"):
        ledger.complete_load(run.run_id, result(rows_inserted=1, rows_updated=2))


def test_a_load_that_was_never_begun_cannot_be_completed(ledger: Ledger, run: Run) -> None:
    with pytest.raises(TerminalError, match="call begin_load first"):
        ledger.complete_load(run.run_id, result())


@pytest.mark.parametrize("cursor_factory", [None, psycopg2.extensions.cursor])
def test_success_commits_or_falls_with_the_callers_transaction(
    ledger: Ledger, ledger_settings: PostgreSQLSettings, run: Run, execute: Execute, cursor_factory: Any
) -> None:
    ledger.begin_load(run.run_id, plan())
    execute("CREATE TABLE etl.target (id int)")
    with closing(connect(ledger_settings)) as connection:
        for commits in (False, True):
            with connection.cursor(cursor_factory=cursor_factory) as cursor:
                cursor.execute("INSERT INTO etl.target VALUES (1)")
                ledger.complete_load(run.run_id, result(), cursor)
            assert load_of(ledger, run).status is LoadState.RUNNING
            assert ledger.watermarks() == {}
            _ = connection.commit() if commits else connection.rollback()

    assert load_of(ledger, run).status is LoadState.SUCCESS
    assert list(ledger.watermarks()) == [CUSTOMERS]
    assert execute("SELECT count(*) FROM etl.target") == [(1,)]


def test_a_refusal_reaches_the_callers_transaction(
    ledger: Ledger, ledger_settings: PostgreSQLSettings, run: Run
) -> None:
    ledger.begin_load(run.run_id, plan())
    with closing(connect(ledger_settings)) as connection, connection.cursor() as cursor:
        with pytest.raises(ReconciliationError):
            ledger.complete_load(run.run_id, result(rows_inserted=0), cursor)
        connection.rollback()


def test_a_run_that_lost_its_lease_cannot_complete(ledger: Ledger, run: Run, execute: Execute) -> None:
    other = start_run(ledger)
    with ledger.lease(run.run_id, *CUSTOMERS):
        ledger.begin_load(run.run_id, plan())
        execute("UPDATE etl.leases SET expires_at = now() - interval '1 second'")
        with ledger.lease(other.run_id, *CUSTOMERS):
            with pytest.raises(LockedError, match=f"run {other.run_id} is loading it"):
                ledger.complete_load(run.run_id, result())
            assert ledger.watermarks() == {}


def test_a_run_declared_dead_can_neither_complete_nor_begin(ledger: Ledger, run: Run, execute: Execute) -> None:
    ledger.begin_load(run.run_id, plan())
    make_dead(execute, run)
    ledger.mark_dead_runs()
    with pytest.raises(LockedError, match="without finishing this load"):
        ledger.complete_load(run.run_id, result())
    with pytest.raises(TerminalError, match="declared dead"):
        ledger.begin_load(run.run_id, plan())


def test_one_running_load_per_table_and_destination(ledger: Ledger, run: Run, execute: Execute) -> None:
    other = start_run(ledger)
    ledger.begin_load(run.run_id, plan())
    with pytest.raises(LockedError, match=f"run {run.run_id} is loading it"):
        ledger.begin_load(other.run_id, plan())

    make_dead(execute, run)
    ledger.begin_load(other.run_id, plan())
    assert (load_of(ledger, run).status, load_of(ledger, run).error_class) == (LoadState.FAILED, "Interrupted")
    assert load_of(ledger, other).status is LoadState.RUNNING


def test_the_holder_of_the_lease_ends_what_the_former_holder_left_running(ledger: Ledger, run: Run) -> None:
    other = start_run(ledger)
    ledger.begin_load(run.run_id, plan())
    with ledger.lease(other.run_id, *CUSTOMERS):
        ledger.begin_load(other.run_id, plan())
    assert load_of(ledger, run).status is LoadState.FAILED


def test_a_failed_load_may_begin_again_in_its_run_and_a_published_one_may_not(ledger: Ledger, run: Run) -> None:
    ledger.begin_load(run.run_id, plan())
    fail(ledger, run, SourceError("gone"))
    ledger.begin_load(run.run_id, plan(rows_read=11))
    again = load_of(ledger, run)
    assert (again.status, again.rows_read, again.error_class, again.stack_trace) == (LoadState.RUNNING, 11, None, None)

    ledger.complete_load(run.run_id, result(rows_in=7, rows_inserted=3))
    with pytest.raises(TerminalError, match="published already"):
        ledger.begin_load(run.run_id, plan())


def test_a_backfill_leaves_the_watermark_alone(ledger: Ledger, run: Run) -> None:
    ledger.begin_load(run.run_id, plan())
    ledger.complete_load(run.run_id, result())
    before = ledger.watermarks()
    ledger.finish_run(run.run_id, RunStatus.SUCCESS)

    backfill = start_run(ledger)
    ledger.begin_load(backfill.run_id, plan(next_watermark=None))
    ledger.complete_load(backfill.run_id, result())
    assert ledger.watermarks() == before


def test_an_older_run_never_drags_the_watermark_back(ledger: Ledger, run: Run) -> None:
    newer = start_run(ledger)
    ledger.begin_load(newer.run_id, plan(next_watermark="2"))
    ledger.complete_load(newer.run_id, result())
    ledger.begin_load(run.run_id, plan(next_watermark="1"))
    ledger.complete_load(run.run_id, result())
    mark = ledger.watermark(*CUSTOMERS)
    assert mark is not None and (mark.mark, mark.run_id) == ("2", newer.run_id)


def test_a_failure_is_kept_with_its_trace_and_without_secrets(
    ledger_settings: PostgreSQLSettings, ledger: Ledger, run: Run
) -> None:
    password = ledger_settings.password.get_secret_value()
    ledger.begin_load(run.run_id, plan())
    assert fail(ledger, run, SourceError(f"no table at postgresql://etl:{password}@db/x\x00 with {password}"))

    record = load_of(ledger, run)
    assert (record.status, record.error_class) == (LoadState.FAILED, "SourceError")
    assert record.error_message == "no table at postgresql://etl:***@db/x\\x00 with ***"
    assert record.stack_trace is not None
    assert "test_loads.py" in record.stack_trace and "in fail" in record.stack_trace
    assert password not in record.stack_trace
    assert ledger.watermarks() == {}


def test_a_load_may_fail_before_it_was_begun(ledger: Ledger, run: Run) -> None:
    ledger.plan_loads(run.run_id, [CUSTOMERS])
    assert fail(ledger, run, SourceError("no such table"))
    record = load_of(ledger, run)
    assert (record.status, record.target, record.mode) == (LoadState.FAILED, None, None)
    assert record.started_at == record.finished_at


def test_what_is_published_does_not_fail_any_more(ledger: Ledger, run: Run) -> None:
    ledger.begin_load(run.run_id, plan())
    ledger.complete_load(run.run_id, result())
    done, marks = ledger.loads(run.run_id), ledger.watermarks()
    assert not fail(ledger, run, ConnectionError("the answer to COMMIT was lost"))
    assert (ledger.loads(run.run_id), ledger.watermarks()) == (done, marks)


def test_validation_overrules_success_and_takes_the_watermark_back(ledger: Ledger, run: Run) -> None:
    ledger.begin_load(run.run_id, plan())
    ledger.complete_load(run.run_id, result())
    assert fail(ledger, run, ValidationError("checksums differ"))
    assert load_of(ledger, run).status is LoadState.FAILED
    assert ledger.watermarks() == {}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE etl.loads SET rows_inserted = rows_inserted + 1",
        "UPDATE etl.loads SET rows_read = -1",
        "UPDATE etl.loads SET status = 'done'",
        "UPDATE etl.loads SET finished_at = NULL",
        "UPDATE etl.loads SET error_class = 'Error'",
        "UPDATE etl.loads SET target = NULL",
        "UPDATE etl.runs SET status = 'success'",
        "DELETE FROM etl.runs",
    ],
)
def test_the_database_itself_refuses_nonsense(ledger: Ledger, run: Run, execute: Execute, statement: str) -> None:
    ledger.begin_load(run.run_id, plan())
    ledger.complete_load(run.run_id, result())
    with pytest.raises(psycopg2.IntegrityError):
        execute(statement)


def test_loads_of_one_run_do_not_touch_another(ledger: Ledger, run: Run) -> None:
    other = start_run(ledger)
    ledger.begin_load(run.run_id, plan())
    ledger.complete_load(run.run_id, result())
    before = load_of(ledger, run)
    ledger.begin_load(other.run_id, replace(plan(), rows_read=12))
    ledger.complete_load(other.run_id, result(rows_in=8, rows_inserted=4))
    assert load_of(ledger, run) == before
    assert load_of(ledger, other).rows_inserted == 4
