"""Workers as processes: ended in order, killed, stopped, cut off; what becomes of their jobs and their runs."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.queue.reaping import reap
from tests.databases import Execute
from tests.integration.ingestion.cutting_proxy import cutting_proxy
from tests.integration.orchestrator.conftest import SCHEMA
from tests.integration.orchestrator.queue.queued import active_locks, ask, event, events, run_row
from tests.integration.orchestrator.work.working import (
    add_script,
    asked,
    becomes,
    eventually,
    lives,
    output,
    pids_told,
    status,
    worker_process,
    working,
)
from tests.pgbouncer import pgbouncer

STUBBORN_TREE = """
trap '' TERM
sh -c 'trap "" TERM; echo grandchild $$; sleep 1000 & wait' &
echo parent $$
while :; do sleep 0.1; done
"""
LEASE_SECONDS = 3.0


def test_of_a_killed_worker_no_process_is_left_and_its_run_is_tried_again(
    database: OrchestratorDatabase, execute: Execute
) -> None:
    add_script(execute, "a", STUBBORN_TREE, retries=1)
    run_id = asked(database, "a")
    with worker_process(database.settings, LEASE_SECONDS) as worker:
        pids = pids_told(execute, run_id, 2)
        worker.kill()
        assert eventually(lambda: not any(map(lives, pids.values())))
    assert eventually(lambda: reap(database))
    assert status(execute, run_id) == "queued"
    assert active_locks(execute) == 0


def test_a_stopped_worker_loses_its_job_and_changes_nothing_when_it_comes_back(
    database: OrchestratorDatabase, execute: Execute
) -> None:
    add_script(execute, "a", STUBBORN_TREE, retries=1)
    run_id = asked(database, "a")
    with worker_process(database.settings, LEASE_SECONDS) as worker:
        pids = pids_told(execute, run_id, 2)
        worker.send_signal(signal.SIGSTOP)
        # its guardian is another process, and has a clock
        assert eventually(lambda: not any(map(lives, pids.values())))
        assert eventually(lambda: reap(database))
        execute("UPDATE dw_etl_runs SET ready_at = now() + interval '1 hour'")
        before, written = run_row(execute, run_id), output(execute, run_id)
        worker.send_signal(signal.SIGCONT)
        assert eventually(lambda: events(execute, run_id)[-1] == "fenced")
    assert run_row(execute, run_id) == before
    assert output(execute, run_id) == written
    assert event(execute, run_id, "terminated")["details"]["why"] == "lease"


def test_a_worker_that_drains_ends_what_runs_and_begins_nothing(
    database: OrchestratorDatabase, execute: Execute, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    add_script(execute, "a", f"echo parent $$; while [ ! -e {gate} ]; do sleep 0.05; done")
    add_script(execute, "b", "true")
    first = asked(database, "a")
    with worker_process(database.settings) as worker:
        pids_told(execute, first, 1)
        worker.send_signal(signal.SIGINT)
        time.sleep(1)  # it looks for signals ten times a second
        second = asked(database, "b")
        assert worker.poll() is None
        gate.touch()
        assert worker.wait(timeout=60) == 0
    assert status(execute, first) == "success"
    assert status(execute, second) == "queued"
    assert execute("SELECT count(*) FROM dw_etl_processes WHERE ended_at IS NOT NULL") == [(1,)]


@pytest.mark.parametrize(
    "numbers", [[signal.SIGTERM], pytest.param([signal.SIGINT, signal.SIGINT], marks=pytest.mark.slow)]
)
def test_a_worker_that_is_told_to_end_hands_its_runs_back(
    database: OrchestratorDatabase, execute: Execute, numbers: list[signal.Signals]
) -> None:
    add_script(execute, "a", "echo parent $$; exec sleep 1000", retries=0)
    run_id = asked(database, "a")
    with worker_process(database.settings) as worker:
        pids = pids_told(execute, run_id, 1)
        for number in numbers:
            worker.send_signal(number)
            time.sleep(0.3)
        worker.wait(timeout=60)
    assert not lives(pids["parent"])
    assert events(execute, run_id)[-2:] == ["terminated", "handed_back"]
    row = run_row(execute, run_id)
    assert (row["status"], row["attempts"]) == ("queued", 0)
    assert active_locks(execute) == 0


@pytest.mark.slow
def test_a_job_that_is_told_together_with_its_worker_is_handed_back(
    database: OrchestratorDatabase, execute: Execute
) -> None:
    """As systemd tells all processes of a service at once."""
    add_script(execute, "a", "trap 'sleep 0.5; exit 143' TERM; echo parent $$; while :; do sleep 0.05; done")
    run_id = asked(database, "a")
    with worker_process(database.settings) as worker:
        pids = pids_told(execute, run_id, 1)
        worker.send_signal(signal.SIGTERM)
        os.kill(pids["parent"], signal.SIGTERM)
        worker.wait(timeout=60)
    assert events(execute, run_id)[-1] == "handed_back"
    assert run_row(execute, run_id)["attempts"] == 0


@pytest.mark.slow
def test_output_of_an_attempt_that_was_handed_back_is_kept(database: OrchestratorDatabase, execute: Execute) -> None:
    """The next attempt has its number."""
    add_script(execute, "a", "echo parent $$; exec sleep 1000")
    run_id = asked(database, "a")
    with working(database):
        first = pids_told(execute, run_id, 1)["parent"]
    with working(database):
        assert eventually(lambda: len(output(execute, run_id).splitlines()) == 2)
    assert output(execute, run_id).startswith(f"parent {first}\n")


@pytest.mark.slow
def test_a_server_out_of_reach_neither_ends_a_job_nor_loses_its_end(
    database: OrchestratorDatabase, execute: Execute, tmp_path: Path
) -> None:
    gate, is_away = tmp_path / "gate", threading.Event()
    add_script(execute, "a", f"echo parent $$; while [ ! -e {gate} ]; do sleep 0.05; done; echo through")
    run_id = asked(database, "a")
    with behind_a_cut(database.settings, is_away) as reached, working(reached):
        pids = pids_told(execute, run_id, 1)
        is_away.set()
        gate.touch()
        assert eventually(lambda: not lives(pids["parent"]))
        time.sleep(1.5)  # so that it has tried in vain
        is_away.clear()
        assert becomes(execute, run_id, "success")
    assert output(execute, run_id).splitlines()[-1] == "through"
    assert events(execute, run_id)[-3:] == ["claimed", "started", "succeeded"]


def test_a_worker_out_of_reach_ends_its_jobs_with_their_leases(
    database: OrchestratorDatabase, execute: Execute
) -> None:
    is_away = threading.Event()
    add_script(execute, "a", STUBBORN_TREE, retries=1)
    run_id = asked(database, "a")
    with behind_a_cut(database.settings, is_away) as reached, working(reached, lease_seconds=LEASE_SECONDS):
        pids = pids_told(execute, run_id, 2)
        is_away.set()
        assert eventually(lambda: reap(database))
        assert not any(map(lives, pids.values()))  # before anybody else could begin
        execute("UPDATE dw_etl_runs SET ready_at = now() + interval '1 hour'")
        is_away.clear()
        assert eventually(lambda: events(execute, run_id)[-1] == "fenced")
    assert status(execute, run_id) == "queued"


@contextmanager
def behind_a_cut(settings: PostgreSQLSettings, is_away: threading.Event) -> Iterator[OrchestratorDatabase]:
    """The same database by a way that is cut while `is_away`."""
    with (
        cutting_proxy(settings, lambda _: is_away.is_set()) as reached,
        closing(OrchestratorDatabase(reached, SCHEMA)) as database,
    ):
        yield database


@pytest.mark.slow
def test_workers_run_side_by_side_and_no_run_twice(database: OrchestratorDatabase, execute: Execute) -> None:
    slugs = [f"job-{number}" for number in range(24)]
    for slug in slugs:
        add_script(execute, slug, "echo ran")
    runs = ask(database, *slugs)
    with working(database, slots=4), working(database, slots=4), working(database, slots=4):
        for made in runs.values():
            assert becomes(execute, made.run_id, "success")
    assert execute("SELECT count(*) FROM dw_etl_run_events WHERE event_type = 'started'") == [(24,)]
    assert execute("SELECT count(*) FROM dw_etl_run_output WHERE text = E'ran\\n'") == [(24,)]


@pytest.mark.slow
def test_a_worker_behind_pgbouncer_works(database: OrchestratorDatabase, execute: Execute, tmp_path: Path) -> None:
    add_script(execute, "a", "echo ran")
    with pgbouncer(database.settings, tmp_path) as pooled, closing(OrchestratorDatabase(pooled, SCHEMA)) as behind:
        run_id = asked(database, "a")
        with working(behind):
            assert becomes(execute, run_id, "success")
    assert output(execute, run_id) == "ran\n"
