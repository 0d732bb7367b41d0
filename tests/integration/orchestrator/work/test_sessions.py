"""What an attempt does in PostgreSQL is ended there, and nothing else."""

from __future__ import annotations

import secrets
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from structlog.testing import capture_logs

from etl.config.settings import PostgreSQLSettings, Settings
from etl.fencing import Fence
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.work.sessions import cancel_sessions
from etl.postgresql.connection import connect
from tests.databases import PATIENCE_SECONDS, Execute
from tests.integration.orchestrator.work.working import add_command, asked, becomes, working
from tests.patience import eventually

pytestmark = pytest.mark.stack

FENCE = Fence("orchestrator", 17, 42)


class Sleeping:
    """A session that does nothing for a long time, until somebody ends that."""

    def __init__(self, settings: PostgreSQLSettings) -> None:
        self.error: psycopg2.Error | None = None
        self._held = connect(settings)
        self.pid = self._held.info.backend_pid
        self._thread = threading.Thread(target=self._sleep, daemon=True)
        self._thread.start()

    def _sleep(self) -> None:
        try:
            with self._held.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(600)")
        except psycopg2.Error as error:
            self.error = error

    def ended(self) -> str:
        """What the server said."""
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()
        return str(self.error)

    @property
    def is_asleep(self) -> bool:
        return self._thread.is_alive()

    @property
    def is_cut_off(self) -> bool:
        return bool(self._held.closed)

    def close(self) -> None:
        if self._thread.is_alive():
            self._held.cancel()
            self._thread.join(PATIENCE_SECONDS)
        self._held.close()


@contextmanager
def sleeping(settings: PostgreSQLSettings, fence: Fence | None, execute: Execute) -> Iterator[Sleeping]:
    with closing(Sleeping(settings.of_attempt(fence).of_run("20261120T210733-ab12cd"))) as session:
        end = time.monotonic() + PATIENCE_SECONDS
        while not execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'", [session.pid]):
            assert time.monotonic() < end
            time.sleep(0.02)
        yield session


@pytest.fixture
def settings(orchestrator_settings: PostgreSQLSettings) -> Settings:
    return Settings(ledger=orchestrator_settings, postgresql=orchestrator_settings)


def test_statements_of_the_attempt_are_cancelled_and_of_no_other(
    settings: Settings, orchestrator_settings: PostgreSQLSettings, execute: Execute
) -> None:
    others = [Fence("orchestrator", 17, 421), Fence("orchestrator", 117, 42), Fence("orchestrator", 17, 4), None]
    with sleeping(orchestrator_settings, FENCE, execute) as ours, closing_all(others, settings, execute) as theirs:
        assert cancel_sessions(settings, FENCE.run_id, FENCE.token) == 1

        assert "canceling statement due to user request" in ours.ended()
        assert [session.is_asleep for session in theirs] == [True] * 4


@contextmanager
def closing_all(fences: list[Fence | None], settings: Settings, execute: Execute) -> Iterator[list[Sleeping]]:
    assert settings.ledger is not None
    if not fences:
        yield []
        return
    with (
        sleeping(settings.ledger, fences[0], execute) as first,
        closing_all(fences[1:], settings, execute) as rest,
    ):
        yield [first, *rest]


def test_sessions_are_terminated_where_that_is_asked_for(
    settings: Settings, orchestrator_settings: PostgreSQLSettings, execute: Execute
) -> None:
    with sleeping(orchestrator_settings, FENCE, execute) as ours:
        assert cancel_sessions(settings, FENCE.run_id, FENCE.token, terminates=True) == 1

        assert ours.ended()
        assert ours.is_cut_off
    assert cancel_sessions(settings, FENCE.run_id, FENCE.token, terminates=True) == 0


def test_a_role_without_the_right_and_a_server_that_is_away_are_told_and_raise_nothing(
    orchestrator_settings: PostgreSQLSettings, execute: Execute
) -> None:
    name, password = f"onlooker_{secrets.token_hex(4)}", secrets.token_hex(8)
    execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
    onlooker = PostgreSQLSettings.model_validate(
        {**orchestrator_settings.model_dump(), "user": name, "password": password}
    )
    away = orchestrator_settings.model_copy(update={"port": 1})
    try:
        with sleeping(orchestrator_settings, FENCE, execute) as ours, capture_logs() as told:
            assert cancel_sessions(Settings(ledger=onlooker, source=away), FENCE.run_id, FENCE.token) == 0

            assert ours.is_asleep
    finally:
        execute(f"DROP ROLE {name}")

    assert {entry["event"] for entry in told} == {"session not ended", "sessions not looked for"}
    assert password not in str(told)


SLEEPS_ON_THE_SERVER = """
import os, signal
from pathlib import Path
from etl.config.staging.jobs import load_staging_configuration
from etl.postgresql.connection import connect
signal.signal(signal.SIGTERM, signal.SIG_IGN)
held = connect(load_staging_configuration(Path(os.environ["TEST_CONFIG"]), os.environ).database)
with held.cursor() as cursor:
    for _ in range(100):
        try:
            cursor.execute("SELECT pg_sleep(600)")
        except Exception:
            held.rollback()
"""


def test_nothing_of_a_cancelled_run_goes_on_in_the_database(
    database: OrchestratorDatabase, execute: Execute, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its process begins the statement anew, and is killed; the server would not notice."""
    server = database.settings
    password = server.password.get_secret_value()
    url = f"postgresql://{server.user}:{password}@{server.host}:{server.port}/{server.database}"
    monkeypatch.setenv("ETL_POSTGRES_URL", url)
    monkeypatch.setenv("TEST_CONFIG", str(tmp_path))
    add_command(execute, "a", [sys.executable, "-c", SLEEPS_ON_THE_SERVER])
    run_id = asked(database, "a")
    pattern = f" run {run_id}/[0-9]+( |$)"

    def sessions() -> list[object]:
        return execute("SELECT pid FROM pg_stat_activity WHERE application_name ~ %s AND query ~ 'pg_sleep'", [pattern])

    with working(database):
        assert eventually(sessions)
        execute(
            "UPDATE dw_etl_runs SET cancel_requested_at = now(), cancelled_by = 'me', reason = 'why not'"
            " WHERE run_id = %s",
            (run_id,),
        )
        assert becomes(execute, run_id, "cancelled")
        assert eventually(lambda: not sessions())
