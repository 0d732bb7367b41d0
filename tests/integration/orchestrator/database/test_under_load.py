"""A live database is migrated: whoever writes goes on, and whatever ends the migration, the next one finishes it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg2
import pytest

from bench.orchestrator_history import FILL_JOBS, FILL_RUNS
from etl.config.settings import PostgreSQLSettings
from etl.ledger.migrations import read_migrations
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.installation import install, migrate, plan_migration
from etl.orchestrator.database.queries import SQL_DIRECTORY
from etl.postgresql.connection import connect
from tests.databases import Execute, database_of_its_own, statements_of

if TYPE_CHECKING:
    from tests.conftest import RunningStack

pytestmark = pytest.mark.stack

SCHEMA = "orchestrator"
TABLES = read_migrations(SQL_DIRECTORY / "migrations")[0].text
LONGEST_WAIT = "5s"


@pytest.fixture
def live(stack: RunningStack) -> Iterator[PostgreSQLSettings]:
    """A database whose tables stand without indexes and foreign keys."""
    with database_of_its_own(stack.settings.postgresql, "orchestrator_live") as settings:
        with statements_of(settings) as execute:
            execute(f"CREATE SCHEMA {SCHEMA}; SET search_path = {SCHEMA}")
            execute(TABLES)
            execute(FILL_JOBS, {})
        yield settings


@pytest.fixture
def execute(live: PostgreSQLSettings) -> Iterator[Execute]:
    with statements_of(live) as execute:
        execute(f"SET search_path = {SCHEMA}")
        yield execute


@pytest.fixture
def database(live: PostgreSQLSettings) -> Iterator[OrchestratorDatabase]:
    with closing(OrchestratorDatabase(live, SCHEMA)) as database:
        yield database


class EndedError(Exception):
    """As if the process had been ended here."""


def test_whatever_step_it_ends_after_the_next_one_goes_on(database: OrchestratorDatabase, execute: Execute) -> None:
    execute("ALTER TABLE dw_etl_runs DROP COLUMN metrics, ALTER COLUMN cycle_id DROP NOT NULL")
    execute("ALTER TABLE dw_etl_runs DROP CONSTRAINT dw_etl_runs_status_check")
    execute(FILL_RUNS, {"first": 1, "last": 5, "newest": 5})
    execute("UPDATE dw_etl_runs SET cycle_id = NULL WHERE run_id % 3 = 0")
    ended = 0
    while True:
        left = [11 + ended % 3]

        def end(_: str, left: list[int] = left) -> None:
            left[0] -= 1
            if not left[0]:
                raise EndedError

        try:
            migrate(database, tell=end)
            break
        except EndedError:
            ended += 1
    assert ended >= 3
    assert plan_migration(database).is_empty
    assert execute("SELECT count(*) FROM dw_etl_runs WHERE cycle_id IS NULL") == [(0,)]


@dataclass
class Writer(threading.Thread):
    """Makes runs and ends them, as workers do; gives up where a lock is not to be had in time."""

    settings: PostgreSQLSettings
    number: int
    stop: threading.Event
    made: int = 0
    failures: list[BaseException] = field(default_factory=list)

    def __hash__(self) -> int:
        return id(self)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def run(self) -> None:
        try:
            with closing(connect(self.settings)) as held, held.cursor() as cursor:
                cursor.execute(f"SET search_path = {SCHEMA}; SET lock_timeout = '{LONGEST_WAIT}'")
                held.commit()
                while not self.stop.is_set():
                    self._write(cursor)
                    held.commit()
                    self.made += 1
                    time.sleep(0.005)
        except BaseException as error:  # noqa: BLE001 - told by the test
            self.failures.append(error)

    def _write(self, cursor: Any) -> None:
        job = self.made % 72 + 1
        cursor.execute(
            "INSERT INTO dw_etl_runs (job_id, cycle_id, trigger, scheduled_at, parameter_fingerprint, ready_at)"
            " VALUES (%s, %s, 'manual', now(), 'f', now()) RETURNING run_id",
            (job, f"manual-{self.number}-{self.made}"),
        )
        run_id = cursor.fetchone()["run_id"]
        cursor.execute("INSERT INTO dw_etl_run_events (run_id, event_type) VALUES (%s, 'requested')", (run_id,))
        cursor.execute(
            "INSERT INTO dw_etl_job_locks (job_id, run_id, concurrency_key, worker_id, attempt, expires_at)"
            " VALUES (%s, %s, %s, 'w', 1, now() + interval '30 s') RETURNING fencing_token",
            (job, run_id, f"{self.number}"),
        )
        token = cursor.fetchone()["fencing_token"]
        cursor.execute(
            "UPDATE dw_etl_runs SET status = 'running', started_at = now(), fencing_token = %s, worker_id = 'w'"
            " WHERE run_id = %s",
            (token, run_id),
        )
        cursor.execute(
            "UPDATE dw_etl_job_locks SET status = 'released', released_at = now() WHERE fencing_token = %s", (token,)
        )
        cursor.execute("UPDATE dw_etl_runs SET status = 'success', ended_at = now() WHERE run_id = %s", (run_id,))


@pytest.mark.slow
def test_writers_go_on_while_it_migrates(
    live: PostgreSQLSettings, database: OrchestratorDatabase, execute: Execute
) -> None:
    execute(FILL_RUNS, {"first": 1, "last": 2800, "newest": 2800})
    # primary keys are what writers of such a system find their rows by
    execute("ANALYZE")
    stop = threading.Event()
    writers = [Writer(live, number, stop) for number in range(3)]
    for writer in writers:
        writer.start()
    try:
        install(database)
    finally:
        stop.set()
        for writer in writers:
            writer.join(60)

    assert [writer.failures for writer in writers] == [[], [], []]
    assert all(writer.made for writer in writers)
    assert plan_migration(database).is_empty
    made = sum(writer.made for writer in writers)
    assert execute("SELECT count(*) FROM dw_etl_runs") == [(2800 * 72 + made,)]
    assert execute("SELECT count(*) FROM dw_etl_run_events") == [(made,)]


@pytest.mark.slow
def test_killed_at_any_moment_the_next_one_finishes(
    live: PostgreSQLSettings, database: OrchestratorDatabase, execute: Execute, tmp_path: Path
) -> None:
    execute(FILL_RUNS, {"first": 1, "last": 700, "newest": 700})
    password = quote(live.password.get_secret_value(), safe="")
    url = f"postgresql://{live.user}:{password}@{live.host}:{live.port}/{live.database}"
    environment = {**os.environ, "ETL_ORCHESTRATOR_POSTGRES_URL": url}
    command = [sys.executable, "-m", "etl", "orchestrator", "migrate", "--config-dir", str(tmp_path)]
    chance = random.Random(11)
    killed = 0
    for _ in range(60):
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
            try:
                _, said = process.communicate(timeout=chance.uniform(0.5, 4.0))
            except subprocess.TimeoutExpired:
                process.kill()
                killed += 1
                continue
        assert process.returncode == 0, said.decode()
        break
    install(database)
    assert killed
    assert plan_migration(database).is_empty
    assert execute("SELECT count(*) FROM dw_etl_runs") == [(700 * 72,)]


def test_a_lost_lease_ends_it(live: PostgreSQLSettings, database: OrchestratorDatabase, execute: Execute) -> None:
    """Whoever lost the lock that keeps others out changes nothing more."""
    is_lost = []

    def lose(_: str) -> None:
        if not is_lost:
            is_lost.append(
                execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON oid = database"
                    " WHERE locktype = 'advisory' AND datname = current_database()"
                )
            )

    with pytest.raises(Exception, match="hold the migration's lock") as caught:
        migrate(database, tell=lose)
    assert isinstance(caught.value.__cause__, psycopg2.Error)
    assert is_lost == [[(True,)]]
    install(database)
    assert plan_migration(database).is_empty
