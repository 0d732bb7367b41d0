"""Minutes in which schedulers and workers are killed and stopped at random, and PostgreSQL with them; then all is
well."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from psycopg2.extras import Json

from etl.errors import EtlError
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.installation import install
from tests.databases import Execute, statements_of
from tests.integration.orchestrator.chaos import Flock, OwnPostgreSQL, orchestrator, own_postgresql
from tests.integration.orchestrator.conftest import SCHEMA
from tests.integration.orchestrator.queue.queued import add_job, ask
from tests.integration.orchestrator.work.working import PATIENCE_SECONDS
from tests.stacks import own_data_dir

SCHEDULERS, WORKERS, SLOTS = 3, 4, 3
CHAOS_SECONDS = 180
LONGEST_STOP_SECONDS = 45
"""Longer than a lease, which is 30."""
RECOVERY_SECONDS = 300
JOBS = 8

WORK = """
exec 9>>{folder}/{key}.lock
flock -n 9 || {{ echo {slug} >> {folder}/two-at-once; exit 2; }}
sleep {seconds}
echo "$ETL_ORCHESTRATOR_RUN_ID" >> {folder}/done
"""

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(CHAOS_SECONDS + 3 * RECOVERY_SECONDS)]


@pytest.fixture
def server() -> Iterator[OwnPostgreSQL]:
    with own_postgresql(own_data_dir("chaos")) as server:
        with closing(OrchestratorDatabase(server.settings, SCHEMA)) as database:
            install(database)
        yield server


def test_after_the_chaos_every_tick_has_one_run_and_every_run_its_end(server: OwnPostgreSQL, tmp_path: Path) -> None:
    dice = random.Random(os.environ.get("PYTEST_CHAOS_SEED", "11"))
    flock = Flock(
        [orchestrator("scheduler")] * SCHEDULERS + [orchestrator("worker", "--slots", str(SLOTS))] * WORKERS,
        {**os.environ, "ETL_ORCHESTRATOR_POSTGRES_URL": server.url},
        dice,
        tmp_path / "log",
    )
    with statements_of(server.settings) as execute:
        execute("SET search_path = orchestrator")
        add_jobs(execute, tmp_path, dice)
    try:
        flock.start()
        cycles = disturb(server, flock, dice)
        flock.heal()
        wait_for_the_end(server, flock)
    finally:
        flock.end()
    with statements_of(server.settings) as execute:
        execute("SET search_path = orchestrator")
        assert not (tmp_path / "two-at-once").exists(), (tmp_path / "two-at-once").read_text()
        judge(execute, cycles)
        assert set(map(int, (tmp_path / "done").read_text().split())) == {
            run_id for (run_id,) in execute("SELECT run_id FROM dw_etl_runs WHERE status = 'success'")
        }


def add_jobs(execute: Execute, folder: Path, dice: random.Random) -> None:
    """A chain and its branches, two of one key; one of them ticks each minute, and the rest with it."""
    for number in range(JOBS):
        slug, key = f"job-{number}", f"key-{number // 2 if number > 5 else number}"
        script = WORK.format(folder=folder, key=key, slug=slug, seconds=round(dice.uniform(0.1, 6), 1))
        add_job(
            execute,
            slug,
            [f"job-{(number - 1) // 2}"] if number else (),
            command=Json({"argv": ["sh", "-c", script]}),
            concurrency_key=key,
            retries=100,
            backoff_seconds=0.1,
            backoff_limit_seconds=1,
            grace_seconds=1,
        )
    execute(
        "INSERT INTO dw_etl_schedules (job_id, cron, catch_up, next_run_at)"
        " SELECT job_id, '* * * * *', 'all', date_trunc('minute', now()) + interval '1 minute'"
        " FROM dw_etl_jobs WHERE slug = 'job-0'"
    )


def disturb(server: OwnPostgreSQL, flock: Flock, dice: random.Random) -> int:
    """How many cycles were asked for meanwhile, beside those that are due."""
    end, cycles = time.monotonic() + CHAOS_SECONDS, 0
    restarts = [time.monotonic() + CHAOS_SECONDS * share for share in (0.3, 0.6)]
    with closing(OrchestratorDatabase(server.settings, SCHEMA)) as database:
        while time.monotonic() < end:
            time.sleep(dice.uniform(2, 6))
            flock.tend()
            flock.wound(LONGEST_STOP_SECONDS)
            if restarts and time.monotonic() > restarts[0]:
                restarts.pop(0)
                server.stop(signal.SIGQUIT if restarts else signal.SIGINT)
                time.sleep(dice.uniform(0, 10))
                server.start()
            if dice.random() < 0.5:
                with suppress(EtlError):
                    ask(database, *[f"job-{number}" for number in range(JOBS)], cycle_id=f"manual-{cycles}")
                    cycles += 1
    return cycles


def wait_for_the_end(server: OwnPostgreSQL, flock: Flock) -> None:
    """Of all that was asked for until now; the schedule makes no more."""
    with statements_of(server.settings) as execute:
        execute("SET search_path = orchestrator")
        end = time.monotonic() + PATIENCE_SECONDS
        while execute("SELECT FROM dw_etl_schedules WHERE next_run_at <= clock_timestamp()"):
            assert time.monotonic() < end, "ticks are not made"
            time.sleep(0.2)
        execute("UPDATE dw_etl_schedules SET is_active = false")
        end = time.monotonic() + RECOVERY_SECONDS
        while open_runs := execute("SELECT run_id, status FROM dw_etl_runs WHERE ended_at IS NULL"):
            assert time.monotonic() < end, open_runs
            flock.tend()
            time.sleep(0.5)


def judge(execute: Execute, cycles: int) -> None:
    assert execute("SELECT status, count(*) FROM dw_etl_runs WHERE status <> 'success' GROUP BY 1") == []
    assert execute("SELECT count(*) FROM dw_etl_job_locks WHERE status = 'active'") == [(0,)]
    asked = execute("SELECT count(DISTINCT cycle_id), count(*) FROM dw_etl_runs WHERE trigger = 'manual'")
    assert asked == [(cycles, cycles * JOBS)]
    # from the first tick to the last, each minute once
    ticks = execute(
        "SELECT slug, count(*), count(DISTINCT scheduled_at),"
        " (extract(epoch FROM max(scheduled_at) - min(scheduled_at)) / 60)::int + 1"
        " FROM dw_etl_runs JOIN dw_etl_jobs USING (job_id) WHERE trigger = 'schedule' GROUP BY 1 ORDER BY 1"
    )
    assert [slug for slug, *_ in ticks] == [f"job-{number}" for number in range(JOBS)]
    assert all(runs == distinct == minutes >= CHAOS_SECONDS // 60 for _, runs, distinct, minutes in ticks), ticks
    # of one key, no attempt began before the one before it had lost or left it
    assert not execute(
        "SELECT FROM dw_etl_job_locks AS a JOIN dw_etl_job_locks AS b USING (concurrency_key)"
        " WHERE a.fencing_token < b.fencing_token AND b.acquired_at < a.released_at"
    )
    assert not execute(
        "SELECT FROM dw_etl_run_events AS child JOIN dw_etl_run_dependencies AS edge ON edge.run_id = child.run_id"
        " JOIN dw_etl_runs AS parent ON parent.run_id = edge.parent_run_id"
        " WHERE child.event_type = 'started' AND child.ts < parent.ended_at"
    )
    # it was no quiet night
    told = dict(execute("SELECT event_type, count(*) FROM dw_etl_run_events GROUP BY 1"))
    assert told.get("lost", 0) > 0, told
