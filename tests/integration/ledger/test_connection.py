from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from pydantic import SecretStr

from etl.config.settings import PostgreSQLSettings
from etl.errors import ConnectionLostError, ContentionError, EtlError, StoreError, TerminalError, TransientError
from etl.ledger import Ledger, NewRun, Run
from etl.model import Destination
from etl.postgresql.pool import MAXIMUM_IDLE, Database
from tests.integration.ledger.conftest import Execute

pytestmark = pytest.mark.stack

OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def test_an_idle_connection_that_the_server_closed_is_not_used(ledger: Ledger, run: Run, execute: Execute) -> None:
    assert ledger.get_run(run.run_id) == run
    assert execute(OTHERS)
    assert ledger.get_run(run.run_id) == run


def test_a_call_is_repeated_when_its_connection_is_lost(
    ledger: Ledger, ledger_settings: PostgreSQLSettings, run: Run, execute: Execute
) -> None:
    """The first attempt waits for a lock, and is killed there."""
    with closing(Database(ledger_settings)) as database, ThreadPoolExecutor(1) as pool:
        with database.transaction("hold") as cursor:
            cursor.execute("SELECT pg_backend_pid() AS pid FROM etl.runs FOR UPDATE")
            own = cursor.fetchone()["pid"]
            beating = pool.submit(ledger.heartbeat, run.run_id)
            while not (
                waiting := execute("SELECT pid FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))", [own])
            ):
                pass
            execute("SELECT pg_terminate_backend(%s)", [waiting[0][0]])
        assert beating.result() is True


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"password": SecretStr("wrong-password")}, StoreError),
        ({"database": "no_such_database"}, StoreError),
        ({"port": 1}, ConnectionLostError),
    ],
)
def test_a_server_that_cannot_be_reached_is_named_without_the_password(
    ledger_settings: PostgreSQLSettings, change: dict[str, object], kind: type[EtlError]
) -> None:
    settings = ledger_settings.model_copy(update=change)
    with closing(Database(settings)) as database, pytest.raises(kind) as refused, database.transaction("look"):
        pytest.fail("got in")
    assert settings.address in refused.value.message
    assert settings.password.get_secret_value() not in str(refused.value)


def test_waiting_for_a_lock_ends(ledger: Ledger, ledger_settings: PostgreSQLSettings, run: Run) -> None:
    with closing(Database(ledger_settings)) as database, database.transaction("hold") as holder:
        holder.execute("LOCK etl.runs")
        with (
            pytest.raises(ContentionError, match="wait in vain"),
            database.transaction("wait in vain", lock_timeout_seconds=0.1) as waiter,
        ):
            waiter.execute("SELECT FROM etl.runs")


def test_a_statement_ends(ledger_settings: PostgreSQLSettings) -> None:
    with (
        closing(Database(ledger_settings)) as database,
        pytest.raises(TransientError, match="sleep"),
        database.transaction("sleep", statement_timeout_seconds=0.1) as cursor,
    ):
        cursor.execute("SELECT pg_sleep(60)")


def test_an_error_does_not_quote_rows(ledger_settings: PostgreSQLSettings) -> None:
    with (
        closing(Database(ledger_settings)) as database,
        pytest.raises(TerminalError) as refused,
        database.transaction("insert") as cursor,
    ):
        cursor.execute("CREATE TEMP TABLE t (id int PRIMARY KEY, name text NOT NULL) ON COMMIT DROP")
        cursor.execute("INSERT INTO t VALUES (4711, NULL)")
    assert "4711" not in str(refused.value)
    assert "null value in column" in str(refused.value)


def test_nothing_is_left_in_the_session(ledger_settings: PostgreSQLSettings) -> None:
    """A pooler gives the server's session to somebody else after each transaction."""
    query = "SELECT name, setting FROM pg_settings WHERE source = 'session' ORDER BY name"
    with closing(Database(ledger_settings)) as database:
        with database.transaction("set") as cursor:
            cursor.execute("SELECT pg_backend_pid() AS pid")
            first = cursor.fetchone()
        with database.transaction("look") as cursor:
            cursor.execute(f"SELECT pg_backend_pid() AS pid; ROLLBACK; {query}")
            left = cursor.fetchall()
        with database.transaction("look") as cursor:
            cursor.execute("SELECT pg_backend_pid() AS pid")
            assert cursor.fetchone() == first
    assert left == []


def test_many_threads_share_a_few_idle_connections(ledger: Ledger, execute: Execute) -> None:
    start = threading.Barrier(12)

    def start_run() -> str:
        start.wait()
        return ledger.start_run(NewRun((Destination.S3,), ("orders",))).run_id

    with ThreadPoolExecutor(12) as pool:
        started = {each.result() for each in [pool.submit(start_run) for _ in range(12)]}
    assert {run.run_id for run in ledger.runs()} == started
    connected = execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert connected[0][0] <= MAXIMUM_IDLE
