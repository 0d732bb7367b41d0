"""An orchestrator's attempt that was given up starts, begins and completes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from structlog.testing import capture_logs

from etl.config.settings import PostgreSQLSettings
from etl.errors import FencedError
from etl.fencing import Fence
from etl.ledger import Ledger, Run
from etl.model import Destination
from etl.postgresql.connection import connect, transaction
from tests.databases import PATIENCE_SECONDS
from tests.fences import give_up, install_orchestrator, new_attempt, renew
from tests.integration.ledger.conftest import Execute, plan, result, start_run

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module", autouse=True)
def orchestrator(ledger_settings: PostgreSQLSettings) -> None:
    install_orchestrator(ledger_settings)


@pytest.fixture
def fence(execute: Execute) -> Fence:
    return new_attempt(execute)


@pytest.fixture
def fenced(ledger_settings: PostgreSQLSettings, ledger: Ledger, fence: Fence) -> Iterator[Ledger]:
    with closing(Ledger(ledger_settings.of_attempt(fence))) as fenced:
        yield fenced


@pytest.fixture
def begun(fenced: Ledger, execute: Execute) -> Run:
    execute("CREATE TABLE IF NOT EXISTS published (id bigint); TRUNCATE published")
    run = start_run(fenced)
    fenced.begin_load(run.run_id, plan())
    return run


def load_of(ledger: Ledger, run: Run) -> str:
    record = ledger.load(run.run_id, "customers", Destination.POSTGRESQL)
    assert record is not None
    return str(record.status)


def test_a_held_attempt_is_stored_with_its_token(fenced: Ledger, begun: Run, fence: Fence) -> None:
    fenced.complete_load(begun.run_id, result())

    stored = fenced.get_run(begun.run_id)
    assert stored is not None and stored.fencing_token == fence.token
    assert load_of(fenced, begun) == "success"


def test_without_an_orchestrator_nothing_is_asked(ledger: Ledger, run: Run) -> None:
    ledger.begin_load(run.run_id, plan())
    ledger.complete_load(run.run_id, result())

    assert run.fencing_token is None
    assert load_of(ledger, run) == "success"


def test_rows_and_ledger_commit_together_while_the_attempt_is_held(
    ledger_settings: PostgreSQLSettings, fenced: Ledger, begun: Run, execute: Execute
) -> None:
    with closing(connect(ledger_settings)) as held, transaction(held) as cursor:
        cursor.execute("INSERT INTO published VALUES (1)")
        fenced.complete_load(begun.run_id, result(), cursor)

    assert execute("SELECT * FROM published") == [(1,)]
    assert load_of(fenced, begun) == "success"


@pytest.mark.parametrize("ending", ["expired", "released"])
def test_an_attempt_that_was_given_up_publishes_nothing(
    ledger_settings: PostgreSQLSettings, fenced: Ledger, begun: Run, execute: Execute, fence: Fence, ending: str
) -> None:
    execute(
        "UPDATE orchestrator.dw_etl_job_locks SET status = %s, released_at = now() WHERE fencing_token = %s",
        [ending, fence.token],
    )

    with (
        closing(connect(ledger_settings)) as held,
        pytest.raises(FencedError) as refused,
        transaction(held) as cursor,
    ):
        cursor.execute("INSERT INTO published VALUES (1)")
        fenced.complete_load(begun.run_id, result(), cursor)

    assert f"attempt {fence.token} of the orchestrator's run {fence.run_id}" in refused.value.message
    assert "nothing of this transaction was stored" in refused.value.message
    assert execute("SELECT * FROM published") == []
    assert load_of(fenced, begun) == "running"
    assert fenced.watermark("customers", Destination.POSTGRESQL) is None


def test_an_attempt_that_was_given_up_starts_and_begins_nothing(
    fenced: Ledger, begun: Run, execute: Execute, fence: Fence
) -> None:
    assert give_up(execute, fence)

    with pytest.raises(FencedError, match="cannot start"):
        start_run(fenced)
    with pytest.raises(FencedError, match="orders into postgresql cannot begin"):
        fenced.begin_load(begun.run_id, plan(table_name="orders"))
    with pytest.raises(FencedError, match="customers into postgresql cannot be completed"):
        fenced.complete_load(begun.run_id, result())

    assert fenced.runs() == [begun]
    assert fenced.load(begun.run_id, "orders", Destination.POSTGRESQL) is None


def test_nobody_takes_over_while_a_publication_is_under_way(
    ledger_settings: PostgreSQLSettings, fenced: Ledger, begun: Run, execute: Execute, fence: Fence
) -> None:
    with closing(connect(ledger_settings)) as held, transaction(held) as cursor:
        fenced.complete_load(begun.run_id, result(), cursor)
        assert not give_up(execute, fence)
        assert renew(execute, fence)

    assert give_up(execute, fence)
    assert load_of(fenced, begun) == "success"


def test_who_stands_still_with_the_fence_held_is_cut_off_after_a_while(
    ledger_settings: PostgreSQLSettings, fenced: Ledger
) -> None:
    with closing(connect(ledger_settings)) as held:
        with transaction(held) as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            fenced.hold_fence(cursor)
            cursor.execute("SHOW idle_in_transaction_session_timeout")
            assert cursor.fetchone() == {"idle_in_transaction_session_timeout": "30s"}
        with transaction(held) as cursor:
            cursor.execute("SHOW idle_in_transaction_session_timeout")
            assert cursor.fetchone() == {"idle_in_transaction_session_timeout": "0"}


@pytest.mark.slow
def test_nobody_is_kept_from_a_run_by_who_stands_still(
    ledger_settings: PostgreSQLSettings, fenced: Ledger, execute: Execute, fence: Fence
) -> None:
    with closing(connect(ledger_settings)) as held, held.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS published (id bigint); TRUNCATE published")
        held.commit()
        cursor.execute("INSERT INTO published VALUES (1)")
        fenced.hold_fence(cursor)
        assert not give_up(execute, fence)
        end = time.monotonic() + PATIENCE_SECONDS
        while not give_up(execute, fence):
            assert time.monotonic() < end
            time.sleep(0.2)
        with pytest.raises(psycopg2.Error):
            held.commit()

    assert execute("SELECT * FROM published") == []


def test_rows_without_a_load_ask_too(
    ledger_settings: PostgreSQLSettings, fenced: Ledger, execute: Execute, fence: Fence
) -> None:
    with closing(connect(ledger_settings)) as held, transaction(held) as cursor:
        fenced.hold_fence(cursor)
        assert not give_up(execute, fence)
    assert give_up(execute, fence)

    with (
        closing(connect(ledger_settings)) as held,
        pytest.raises(FencedError, match="rows cannot be published"),
        transaction(held) as cursor,
    ):
        fenced.hold_fence(cursor)


def test_a_database_without_the_orchestrator_is_told_of_once(
    ledger_settings: PostgreSQLSettings, ledger: Ledger
) -> None:
    elsewhere = Fence("no_orchestrator_here", 3, 4)
    with closing(Ledger(ledger_settings.of_attempt(elsewhere))) as unfenced, capture_logs() as told:
        run = start_run(unfenced)
        unfenced.begin_load(run.run_id, plan())
        unfenced.complete_load(run.run_id, result())

    warnings: list[Any] = [entry for entry in told if entry["event"] == "fence cannot be asked"]
    assert [(entry["run"], entry["token"]) for entry in warnings] == [(3, 4)]
    assert run.fencing_token == 4
    assert load_of(ledger, run) == "success"
