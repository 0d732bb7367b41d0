from __future__ import annotations

import re
from dataclasses import replace

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.errors import NotYetError
from etl.ledger import FrozenWindow, Ledger, LoadState, NewRun, Run
from etl.model import Destination, RunStatus
from tests.integration.ledger.conftest import Execute, make_dead, plan, start_run

pytestmark = pytest.mark.stack


def test_a_run_is_found_as_it_was_started(ledger: Ledger) -> None:
    first = start_run(ledger)
    second = ledger.start_run(NewRun((Destination.CLICKHOUSE,), ("orders",), {"since": None}, first.run_id))

    assert re.fullmatch(r"\d{8}T\d{6}-[0-9a-f]{6}", first.run_id)
    assert second.run_number > first.run_number
    assert second == Run(
        run_id=second.run_id,
        run_number=second.run_number,
        status=RunStatus.RUNNING,
        destinations=(Destination.CLICKHOUSE,),
        tables=("orders",),
        options={"since": None},
        resumed_from=first.run_id,
        failure=None,
        started_at=second.started_at,
        heartbeat_at=second.heartbeat_at,
        finished_at=None,
    )
    assert ledger.get_run(second.run_id) == second
    assert ledger.runs() == [second, first]
    assert ledger.runs(limit=1) == [second]
    assert ledger.get_run("no-such-run") is None


NIGHT = NewRun((Destination.S3,), ("orders",), idempotency_key="night")


def test_the_latest_run_of_a_key_is_found(ledger: Ledger) -> None:
    assert ledger.run_of_key("night") is None
    for _ in range(2):
        latest = ledger.start_run(NIGHT)
        ledger.finish_run(latest.run_id, RunStatus.FAILED)
    start_run(ledger)
    found = ledger.run_of_key("night")
    assert found is not None and (found.run_id, found.idempotency_key) == (latest.run_id, "night")


def test_one_run_of_a_key_at_a_time(ledger: Ledger) -> None:
    first = ledger.start_run(NIGHT)
    assert ledger.start_run(NIGHT, first.run_id).run_id == first.run_id, "a start whose answer was lost"
    with pytest.raises(NotYetError, match=r"^another run of idempotency key 'night' has just begun; wait until it has"):
        ledger.start_run(NIGHT)
    ledger.finish_run(first.run_id, RunStatus.PARTIAL)
    assert ledger.start_run(NIGHT).run_id != first.run_id


def test_secrets_never_reach_the_ledger(ledger_settings: PostgreSQLSettings, ledger: Ledger) -> None:
    own = ledger_settings.password.get_secret_value()
    with_secret = Ledger(ledger_settings, secrets=["s3-key-of-ours"])
    run = with_secret.start_run(
        NewRun(
            (Destination.S3,),
            ("orders",),
            {
                "ledger": f"postgresql://etl:{own}@db/etl",
                "s3": {"endpoint": "http://s3", "secret_key": "abc", "note": "uses s3-key-of-ours"},
                "words": [own],
            },
        )
    )
    with_secret.close()

    assert run.options == {
        "ledger": "postgresql://etl:***@db/etl",
        "s3": {"endpoint": "http://s3", "secret_key": "***", "note": "uses ***"},
        "words": ["***"],
    }


def test_a_finished_run_keeps_its_status(ledger: Ledger, run: Run) -> None:
    assert ledger.finish_run(run.run_id, RunStatus.PARTIAL)
    assert not ledger.finish_run(run.run_id, RunStatus.SUCCESS)

    finished = ledger.get_run(run.run_id)
    assert finished is not None and finished.finished_at is not None
    assert (finished.status, finished.failure) == (RunStatus.PARTIAL, None)
    assert not ledger.heartbeat(run.run_id)


def test_only_runs_with_a_heartbeat_live(ledger: Ledger, execute: Execute) -> None:
    alive, dead, finished = (start_run(ledger) for _ in range(3))
    make_dead(execute, dead)
    ledger.finish_run(finished.run_id, RunStatus.SUCCESS)

    assert ledger.live_runs() == {alive.run_id}
    assert ledger.heartbeat(dead.run_id)
    assert ledger.live_runs() == {alive.run_id, dead.run_id}


def test_a_dead_run_fails_with_its_running_loads_and_frees_its_leases(ledger: Ledger, execute: Execute) -> None:
    alive, dead = start_run(ledger), start_run(ledger)
    ledger.plan_loads(dead.run_id, [("customers", Destination.POSTGRESQL), ("orders", Destination.S3)])
    with ledger.lease(dead.run_id, "customers", Destination.POSTGRESQL):
        ledger.begin_load(dead.run_id, plan())
        ledger.begin_load(alive.run_id, plan(table_name="orders"))
        make_dead(execute, dead)

        assert ledger.mark_dead_runs() == [dead.run_id]
        assert ledger.mark_dead_runs() == []
        assert execute("SELECT count(*) FROM etl.leases") == [(0,)]

    marked = ledger.get_run(dead.run_id)
    assert marked is not None and (marked.status, marked.failure) == (RunStatus.FAILED, "interrupted")
    assert [(load.table_name, load.status, load.error_class) for load in ledger.loads(dead.run_id)] == [
        ("customers", LoadState.FAILED, "Interrupted"),
        ("orders", LoadState.PENDING, None),
    ]
    assert [load.status for load in ledger.loads(alive.run_id)] == [LoadState.RUNNING]
    assert not ledger.heartbeat(dead.run_id)
    assert not ledger.finish_run(dead.run_id, RunStatus.SUCCESS)


def test_a_window_is_frozen_once(ledger: Ledger, run: Run) -> None:
    window = FrozenWindow(lower=None, upper="2026-11-20", fingerprint="f00", rows=7)
    ledger.freeze_table(run.run_id, "customers", window)
    ledger.freeze_table(run.run_id, "customers", replace(window, upper="2026-11-21"))
    ledger.freeze_table(run.run_id, "orders", FrozenWindow("1", "2", None, None))

    assert ledger.frozen_tables(run.run_id) == {"customers": window, "orders": FrozenWindow("1", "2", None, None)}
    assert ledger.frozen_tables("no-such-run") == {}
