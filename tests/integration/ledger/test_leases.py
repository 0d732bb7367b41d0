from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.errors import LockedError
from etl.ledger import Heartbeat, Ledger, Run
from etl.model import Destination, RunStatus
from tests.integration.ledger.conftest import Execute, make_dead, start_run
from tests.patience import until

pytestmark = pytest.mark.stack

ORDERS = ("orders", Destination.CLICKHOUSE)


def holders(execute: Execute) -> list[str]:
    return [run_id for (run_id,) in execute("SELECT run_id FROM etl.leases ORDER BY run_id")]


def test_a_second_run_waits_and_is_told_who_holds_the_lease(ledger: Ledger, run: Run) -> None:
    other = start_run(ledger)
    with (
        ledger.lease(run.run_id, *ORDERS),
        pytest.raises(LockedError, match=f"orders into clickhouse.*run {run.run_id}") as refused,
        ledger.lease(other.run_id, *ORDERS, timeout_seconds=0.2),
    ):
        pytest.fail("two runs held one lease")
    assert (refused.value.table, refused.value.destination) == ORDERS


def test_the_waiting_run_gets_it_when_it_is_released(ledger: Ledger, run: Run, execute: Execute) -> None:
    other, is_held = start_run(ledger), threading.Event()

    def take() -> list[str]:
        is_held.wait()
        with ledger.lease(other.run_id, *ORDERS, timeout_seconds=20):
            return holders(execute)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(take)
        with ledger.lease(run.run_id, *ORDERS):
            is_held.set()
            time.sleep(0.7)
            assert holders(execute) == [run.run_id]
        assert waiting.result() == [other.run_id]
    assert holders(execute) == []


def test_many_runs_hold_it_one_after_the_other(ledger: Ledger) -> None:
    runs = [start_run(ledger) for _ in range(4)]
    guard, holding, seen = threading.Lock(), 0, []

    def take(run: Run) -> None:
        nonlocal holding
        with ledger.lease(run.run_id, *ORDERS, timeout_seconds=30):
            with guard:
                holding += 1
                seen.append(holding)
            time.sleep(0.05)
            with guard:
                holding -= 1

    with ThreadPoolExecutor(4) as pool:
        for taken in [pool.submit(take, run) for run in runs]:
            taken.result()
    assert seen == [1, 1, 1, 1]


def test_other_tables_and_destinations_are_free(ledger: Ledger, run: Run) -> None:
    other = start_run(ledger)
    with (
        ledger.lease(run.run_id, *ORDERS),
        ledger.lease(other.run_id, "orders", Destination.S3, timeout_seconds=0),
        ledger.lease(other.run_id, "customers", Destination.CLICKHOUSE, timeout_seconds=0),
    ):
        pass


def test_an_ended_lease_is_taken_over_and_its_former_holder_leaves_it_alone(
    ledger: Ledger, run: Run, execute: Execute
) -> None:
    other = start_run(ledger)
    with ledger.lease(run.run_id, *ORDERS):
        make_dead(execute, run)
        with ledger.lease(other.run_id, *ORDERS, timeout_seconds=0):
            assert not execute("DELETE FROM etl.leases WHERE run_id = %s RETURNING run_id", [run.run_id])
            ledger._release_lease(run.run_id, *ORDERS)
            assert holders(execute) == [other.run_id]


def test_a_finished_run_holds_nothing(ledger: Ledger, run: Run, execute: Execute) -> None:
    other = start_run(ledger)
    with ledger.lease(run.run_id, *ORDERS):
        ledger.finish_run(run.run_id, RunStatus.SUCCESS)
        with ledger.lease(other.run_id, *ORDERS, timeout_seconds=0):
            assert holders(execute) == [other.run_id]


def test_the_lease_ends_with_the_block_even_when_it_fails(ledger: Ledger, run: Run, execute: Execute) -> None:
    with pytest.raises(ZeroDivisionError), ledger.lease(run.run_id, *ORDERS):
        raise ZeroDivisionError
    assert holders(execute) == []


def test_the_heartbeat_renews_run_and_leases(
    ledger_settings: PostgreSQLSettings, ledger: Ledger, run: Run, execute: Execute
) -> None:
    with ledger.lease(run.run_id, *ORDERS):
        make_dead(execute, run)
        with Heartbeat(ledger_settings, run.run_id, interval_seconds=0.05) as heartbeat:
            until(lambda: ledger.live_runs() == {run.run_id})
            until(lambda: execute("SELECT expires_at > now() FROM etl.leases") == [(True,)])
            assert not heartbeat.lost.is_set()


def test_the_heartbeat_is_lost_when_the_run_is_declared_dead(
    ledger_settings: PostgreSQLSettings, ledger: Ledger, run: Run, execute: Execute
) -> None:
    with Heartbeat(ledger_settings, run.run_id, interval_seconds=0.05) as heartbeat:
        execute("UPDATE etl.runs SET status = 'failed', finished_at = now() WHERE run_id = %s", [run.run_id])
        assert heartbeat.lost.wait(timeout=20)


def test_the_heartbeat_is_lost_when_the_server_stays_away(ledger_settings: PostgreSQLSettings) -> None:
    nowhere = ledger_settings.model_copy(update={"port": 1})
    with Heartbeat(nowhere, "any", interval_seconds=0.05, grace_seconds=0.2) as heartbeat:
        assert heartbeat.lost.wait(timeout=20)


def test_the_heartbeat_survives_a_lost_connection(
    ledger_settings: PostgreSQLSettings, ledger: Ledger, run: Run, execute: Execute
) -> None:
    beats = "SELECT heartbeat_at FROM etl.runs"
    with Heartbeat(ledger_settings, run.run_id, interval_seconds=0.05) as heartbeat:
        until(lambda: execute(beats) != [(run.heartbeat_at,)])
        execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ownlens-etl ledger'"
            " AND pid <> pg_backend_pid() AND datname = current_database()"
        )
        before = execute(beats)
        until(lambda: execute(beats) != before)
        assert not heartbeat.lost.is_set()
