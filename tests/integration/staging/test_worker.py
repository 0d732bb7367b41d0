"""`etl staging worker`: what is queued is begun once, whoever dies, and what cannot begin says why."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg2
import pytest

from etl.config.settings import PostgreSQLSettings
from etl.config.staging.models import JsonFiles, StagingJob
from etl.stack.layout import DATA_DIR_VARIABLE, Layout
from etl.staging.database.database import StagingDatabase
from etl.staging.ledger.ledger import StagingLedger
from etl.staging.ledger.refusals import NothingToRetryError
from etl.staging.ledger.requests import Requests
from etl.staging.ledger.values import NewRun, Request
from etl.staging.work.loads import Load, start_load
from etl.staging.work.queue import Queue
from etl.staging.work.worker import Worker
from tests.databases import statements_of
from tests.integration.staging.conftest import Execute
from tests.integration.staging.test_commands import Run, environment, file, ready, run, url_of
from tests.restarting import own_postgresql, server_of, start

pytestmark = pytest.mark.stack

__all__ = ["environment", "file", "ready", "run"]

JOB = StagingJob(id="events", target_table="stg_events", source=JsonFiles(type="ndjson", path=("x",)), source_id="id")
REQUESTS = "SELECT status, exit_code, refusal FROM etl_run_requests ORDER BY id"
RUNS = "SELECT id, status, failure FROM etl_runs ORDER BY id"
SETBACKS = "SELECT status, exit_code, setbacks, setback, begin_after > now() FROM etl_run_requests ORDER BY id"
ASKED = """
jobs:
  asked:
    target_table: stg_events
    source: {type: query, query: "SELECT 'k' || i AS id, i AS n FROM generate_series(0, 249) AS i ORDER BY i"}
    source_id: id
    batch_size: 100
"""
WORKER_DIED = """
UPDATE etl_workers SET heartbeat_at = now() - interval '1 hour';
UPDATE etl_run_requests SET claimed_at = now() - interval '1 hour' WHERE status = 'claimed'
"""


@pytest.fixture
def requests(staging_settings: PostgreSQLSettings, ready: None) -> Iterator[Requests]:
    with closing(StagingDatabase(staging_settings)) as database:
        yield Requests(database)


@pytest.fixture
def load(requests: Requests) -> Callable[..., int]:
    def load(run_id: str, job: StagingJob = JOB, *, force: bool = False) -> int:
        return requests.request_load(job, run_id, 100, force, f"load {run_id}", "ada").request_id

    return load


@pytest.fixture
def ledger(staging_settings: PostgreSQLSettings, ready: None) -> Iterator[StagingLedger]:
    with closing(StagingDatabase(staging_settings)) as database:
        yield StagingLedger(database)


def work_off(database: StagingDatabase, start: Callable[[Request], Load]) -> None:
    Worker(database, start, 1).run(once=True)


@contextmanager
def working(environment: dict[str, str], folder: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "etl.staging", "worker", "--config-dir", str(folder / "conf"), *options],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(condition: Callable[[], object], seconds: float = 240) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "in vain"
        time.sleep(0.1)


def test_what_is_queued_is_loaded_and_what_it_left_is_retried(
    load: Callable[..., int], requests: Requests, run: Run, execute: Execute, file: Path
) -> None:
    execute("ALTER TABLE stg_events ADD CONSTRAINT no_k150 CHECK (source_id <> 'k150')")
    load("run")
    told = run("status").stdout
    assert "queued, asked for by ada" in told
    assert "run: a load is queued, asked for by ada at " in told
    assert "staging worker` begins what is queued" in told
    assert run("worker", "--once").returncode == 0
    assert execute("SELECT status, batches_succeeded, batches_failed, batch_size, requested_by FROM etl_runs") == [
        ("partial", 2, 1, 100, "ada")
    ]
    ((status, code, output),) = execute("SELECT status, exit_code, output_tail FROM etl_run_requests")
    assert (status, code) == ("done", 1)
    assert "run run: partial" in output
    failed = "SELECT error_code, error_is_permanent, error_stack FROM etl_run_batches WHERE status = 'failed'"
    ((code, is_permanent, stack),) = execute(failed)
    assert (code, is_permanent) == ("23514", True)
    assert "etl/staging/batch/store.py:" in stack
    assert "no_k150" in stack
    assert "k150," not in stack  # DETAIL has the row
    execute("ALTER TABLE stg_events DROP CONSTRAINT no_k150")
    requests.request_retry("run", None, True, "retry", "bob")
    assert run("worker", "--once").returncode == 0
    assert execute(RUNS) == [("run", "success", None)]
    assert execute(REQUESTS)[-1] == ("done", 0, None)
    assert execute("SELECT count(*), min(etl_run_id) FROM stg_events") == [(250, "run")]
    assert execute("SELECT stopped_at IS NOT NULL, loads FROM etl_workers") == [(True, 0)] * 2


def test_permanent_errors_are_left_out_unless_they_are_asked_for(
    load: Callable[..., int], requests: Requests, run: Run, execute: Execute
) -> None:
    execute("ALTER TABLE stg_events ADD CONSTRAINT no_k150 CHECK (source_id <> 'k150')")
    load("run")
    run("worker", "--once")
    execute("UPDATE etl_run_batches SET status = 'failed', committed_at = NULL, error_code = 'not_stored'"
            " WHERE batch_index = 0")  # fmt: skip
    requests.request_retry("run", None, False, "retry", "ada")
    run("worker", "--once")
    assert execute("SELECT status, attempts FROM etl_run_batches ORDER BY batch_index") == [
        ("succeeded", 2), ("failed", 1), ("succeeded", 1),
    ]  # fmt: skip
    assert execute(RUNS) == [("run", "partial", None)]


def test_two_workers_begin_each_run_once(
    load: Callable[..., int], environment: dict[str, str], tmp_path: Path, execute: Execute
) -> None:
    names = [f"run{number}" for number in range(6)]
    for name in names:
        load(name, force=True)
    with working(environment, tmp_path, "--loads", "2"), working(environment, tmp_path, "--loads", "2"):
        wait_for(lambda: execute("SELECT count(*) FROM etl_run_requests WHERE status = 'done'") == [(6,)])
    assert execute(RUNS) == [(name, "success", None) for name in names]
    assert execute("SELECT count(DISTINCT process_id), max(attempts) FROM etl_runs, etl_run_batches") == [(6, 1)]
    assert execute("SELECT count(DISTINCT worker_id) FROM etl_run_requests") == [(2,)]


def test_a_load_outlives_its_worker_and_the_next_worker_closes_its_request(
    load: Callable[..., int],
    environment: dict[str, str],
    tmp_path: Path,
    run: Run,
    execute: Execute,
    staging_settings: PostgreSQLSettings,
) -> None:
    load("run")
    with closing(psycopg2.connect(**staging_settings.connection_parameters)) as blocker:
        blocker.cursor().execute("LOCK TABLE stg_events IN SHARE MODE")
        with working(environment, tmp_path) as worker:
            wait_for(lambda: execute("SELECT 1 FROM etl_run_batches WHERE status = 'running'"))
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
        assert execute(REQUESTS) == [("started", None, None)]
        blocker.rollback()
    wait_for(lambda: execute(RUNS) == [("run", "success", None)])
    execute(WORKER_DIED)
    assert run("worker", "--once").returncode == 0
    assert execute(REQUESTS) == [("done", None, None)]


def test_what_a_worker_had_claimed_when_it_died_is_begun_by_another(
    load: Callable[..., int], requests: Requests, run: Run, execute: Execute
) -> None:
    load("run")
    execute(
        "UPDATE etl_run_requests SET status = 'claimed', worker_id = gen_random_uuid(), claimed_at = now();"
        "INSERT INTO etl_workers (id, host, process_id, maximum_loads)"
        " SELECT worker_id, 'gone', 1, 1 FROM etl_run_requests"
    )
    assert run("worker", "--once").returncode == 0
    assert execute(REQUESTS) == [("claimed", None, None)]  # it may still begin
    execute(WORKER_DIED)
    assert run("worker", "--once").returncode == 0
    assert execute(REQUESTS) == [("done", 0, None)]
    assert execute(RUNS) == [("run", "success", None)]


def test_of_two_processes_that_were_started_for_a_request_one_begins(
    load: Callable[..., int], run: Run, execute: Execute
) -> None:
    request = load("run")
    begin = ("load", "events", "--run-id", "run", "--batch-size", "100", "--request", str(request))
    early = run(*begin)
    assert (early.returncode, f"request {request} to load run run is not to be begun" in early.stderr) == (2, True)
    execute("UPDATE etl_run_requests SET status = 'claimed', worker_id = gen_random_uuid(), claimed_at = now()")
    both: list[int] = []
    threads = [threading.Thread(target=lambda: both.append(run(*begin).returncode)) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(both) == [0, 2]
    assert execute("SELECT max(attempts) FROM etl_run_batches") == [(1,)]


def test_a_start_that_is_refused_is_told_in_words(load: Callable[..., int], run: Run, execute: Execute) -> None:
    load("unknown", JOB.model_copy(update={"id": "elsewhere"}))
    run("worker", "--once")
    (unknown,) = execute(REQUESTS)
    assert (unknown[:2], "unknown job 'elsewhere'" in unknown[2]) == (("refused", 2), True)
    assert execute(RUNS) == [("unknown", "failed", unknown[2])]

    load("missing")
    execute("DROP TABLE stg_events")
    run("worker", "--once")
    status, code, refusal = execute(REQUESTS)[-1]
    assert (status, code, "has no table stg_events" in refusal) == ("refused", 2, True)


def test_what_is_queued_waits_for_the_run_of_its_job_that_is_under_way(
    load: Callable[..., int], ledger: StagingLedger, run: Run, execute: Execute
) -> None:
    load("behind")
    ledger.start_run(NewRun("typed", "events", "stg_events", 100, 1), force=True)
    load("beside", force=True)
    assert run("worker", "--once").returncode == 0
    assert execute("SELECT etl_run_id, status FROM etl_run_requests ORDER BY id") == [
        ("behind", "queued"), ("beside", "done"),
    ]  # fmt: skip
    assert execute("SELECT status FROM etl_runs WHERE id = 'behind'") == [("pending",)]
    ledger.finish_run("typed")
    run("worker", "--once")
    assert execute("SELECT status, requested_by FROM etl_runs WHERE id = 'behind'") == [("success", "ada")]


def test_a_start_that_another_run_came_before_waits(
    load: Callable[..., int],
    ledger: StagingLedger,
    requests: Requests,
    run: Run,
    execute: Execute,
    tmp_path: Path,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    staging_settings: PostgreSQLSettings,
) -> None:
    load("behind")
    monkeypatch.setenv("ETL_STAGING_POSTGRES_URL", environment["ETL_STAGING_POSTGRES_URL"])

    def start_behind(request: Request) -> Load:
        ledger.start_run(NewRun("typed", "events", "stg_events", 100, 1), force=True)
        return start_load(request, tmp_path / "conf")

    with closing(StagingDatabase(staging_settings)) as database:
        work_off(database, start_behind)
    ((status, code, setbacks, setback, is_later),) = execute(SETBACKS)
    assert (status, code, setbacks, is_later) == ("queued", None, 1, True)
    assert "job events is being loaded by run typed" in setback
    assert execute("SELECT status FROM etl_runs WHERE id = 'behind'") == [("pending",)]
    ledger.finish_run("typed")
    execute("UPDATE etl_run_requests SET begin_after = now() + interval '1 hour'")
    run("worker", "--once")
    assert execute("SELECT status FROM etl_run_requests") == [("queued",)], "it is left alone for a moment"
    execute("UPDATE etl_run_requests SET begin_after = now()")
    run("worker", "--once")
    assert execute("SELECT status FROM etl_runs WHERE id = 'behind'") == [("success",)]


def test_a_load_that_finds_no_database_waits_and_not_for_ever(
    load: Callable[..., int],
    execute: Execute,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    staging_settings: PostgreSQLSettings,
    run: Run,
) -> None:
    load("run")
    # where nobody listens: the load's own way to the server, not the worker's
    monkeypatch.setenv("ETL_STAGING_POSTGRES_URL", url_of(staging_settings, port=1))
    with closing(StagingDatabase(staging_settings)) as database:
        work_off(database, lambda request: start_load(request, tmp_path / "conf"))
        ((status, _, setbacks, setback, is_later),) = execute(SETBACKS)
        assert (status, setbacks, is_later) == ("queued", 1, True)
        assert "cannot" in setback or "refused" in setback
        assert execute(RUNS) == [("run", "pending", None)]
        execute("UPDATE etl_run_requests SET setbacks = 30, begin_after = now()")
        work_off(database, lambda request: start_load(request, tmp_path / "conf"))
    assert execute(REQUESTS) == [("refused", 75, setback)]
    assert execute(RUNS) == [("run", "failed", setback)]


def test_a_retry_of_what_was_kept_goes_where_it_was_kept(
    requests: Requests, run: Run, execute: Execute, tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "conf" / "staging" / "asked.yaml").write_text(ASKED)
    source = {"ETL_SOURCE_POSTGRES_URL": environment["ETL_STAGING_POSTGRES_URL"]}
    execute("ALTER TABLE stg_events ADD CONSTRAINT no_k150 CHECK (source_id <> 'k150')")
    assert run("load", "asked", "--run-id", "asked", **source).returncode == 1
    execute("ALTER TABLE stg_events DROP CONSTRAINT no_k150")
    execute("UPDATE etl_runs SET host = 'elsewhere', process_id = 1")
    execute(
        "INSERT INTO etl_workers (id, host, process_id, maximum_loads) VALUES (gen_random_uuid(), 'elsewhere', 1, 1)"
    )
    requests.request_retry("asked", None, True, "retry", "ada")
    assert run("worker", "--once", **source).returncode == 0
    assert execute(REQUESTS) == [("queued", None, None)], "a worker there will take it up"

    execute("UPDATE etl_workers SET heartbeat_at = now() - interval '1 hour' WHERE host = 'elsewhere'")
    (kept,) = tmp_path.rglob("asked.*.ndjson")
    kept.rename(tmp_path / "away")
    run("worker", "--once", **source)
    ((status, _, setbacks, setback, _),) = execute(SETBACKS)
    assert (status, setbacks, "is kept on elsewhere" in setback) == ("queued", 1, True)
    # no batch was tried, and failed, for it
    failed = "SELECT error_code, attempts FROM etl_run_batches WHERE status = 'failed'"
    assert execute(failed) == [("23514", 1)]
    typed = run("retry", "--run", "asked", **source)
    assert (typed.returncode, "is kept on elsewhere" in typed.stderr) == (2, True)

    (tmp_path / "away").rename(kept)
    execute("UPDATE etl_run_requests SET begin_after = now()")
    run("worker", "--once", **source)
    assert execute("SELECT status FROM etl_runs") == [("success",)]
    assert execute("SELECT count(*) FROM stg_events") == [(250,)]


def test_what_was_kept_is_not_read_on(requests: Requests, execute: Execute) -> None:
    execute("INSERT INTO etl_jobs (id, target_table) VALUES ('asked', 'stg_events')")
    execute(
        "INSERT INTO etl_runs (id, etl_job_id, target_table, batch_size, status, phase, started_at, finished_at,"
        """ parameters) VALUES ('asked', 'asked', 'stg_events', 100, 'failed', 'committing', now(), now(),"""
        """ '{"source": {"type": "query"}}')"""
    )
    with pytest.raises(NothingToRetryError, match="all that was read of run asked is stored"):
        requests.request_retry("asked", None, True, "retry", "ada")


def test_a_claim_keeps_to_its_limit_however_it_is_planned(
    load: Callable[..., int], execute: Execute, staging_settings: PostgreSQLSettings
) -> None:
    for number in range(6):
        load(f"run{number}", force=True)
    name = staging_settings.database
    plan = ("hashjoin", "mergejoin", "material", "memoize", "indexscan", "bitmapscan", "indexonlyscan")
    for each in plan:
        execute(f'ALTER DATABASE "{name}" SET enable_{each} = off')
    # so that the table is the outer side of the loop
    execute("ANALYZE etl_run_requests")
    try:
        with closing(StagingDatabase(staging_settings)) as database:
            claimed = Queue(database, uuid4(), 2).claim(2)
    finally:
        for each in plan:
            execute(f'ALTER DATABASE "{name}" RESET enable_{each}')
    assert [each.etl_run_id for each in claimed] == ["run0", "run1"]


def test_a_run_that_waits_for_a_lock_is_cancelled_through_its_request(
    load: Callable[..., int],
    requests: Requests,
    environment: dict[str, str],
    tmp_path: Path,
    execute: Execute,
    staging_settings: PostgreSQLSettings,
) -> None:
    load("run")
    with (
        closing(psycopg2.connect(**staging_settings.connection_parameters)) as blocker,
        working(environment, tmp_path, "--once") as worker,
    ):
        blocker.cursor().execute("LOCK TABLE stg_events IN SHARE MODE")
        wait_for(lambda: execute("SELECT 1 FROM etl_run_batches WHERE status = 'running'"))
        requests.request_cancel("run", "cancel", "bob")
        worker.wait(timeout=60)
    assert execute(RUNS) == [("run", "canceled", "cancelled by bob")]
    # and not by the limit of a wait
    assert ("the run was cancelled while the batch waited for a lock",) in execute(
        "SELECT error_message FROM etl_run_batches"
    )
    assert execute("SELECT action, status, exit_code FROM etl_run_requests ORDER BY id") == [
        ("load", "done", 1), ("cancel", "done", None),
    ]  # fmt: skip


def test_dead_runs_are_buried_by_a_worker(run: Run, requests: Requests, execute: Execute) -> None:
    execute("INSERT INTO etl_jobs (id, target_table) VALUES ('events', 'stg_events')")
    execute(
        "INSERT INTO etl_runs (id, etl_job_id, target_table, batch_size, status, phase, heartbeat_at)"
        " VALUES ('dead', 'events', 'stg_events', 100, 'running', 'loading', now() - interval '1 hour')"
    )
    run("worker", "--once")
    ((name, status, failure),) = execute(RUNS)
    assert (name, status, "the process died" in failure) == ("dead", "failed", True)


def test_sigterm_ends_a_worker_and_no_load(
    load: Callable[..., int],
    environment: dict[str, str],
    tmp_path: Path,
    execute: Execute,
    staging_settings: PostgreSQLSettings,
) -> None:
    load("run")
    with closing(psycopg2.connect(**staging_settings.connection_parameters)) as blocker:
        blocker.cursor().execute("LOCK TABLE stg_events IN SHARE MODE")
        with working(environment, tmp_path) as worker:
            wait_for(lambda: execute("SELECT 1 FROM etl_run_batches WHERE status = 'running'"))
            worker.terminate()
            assert worker.wait(timeout=30) == 143
        assert execute("SELECT stopped_at IS NOT NULL, loads FROM etl_workers") == [(True, 1)]
        blocker.rollback()
    wait_for(lambda: execute(RUNS) == [("run", "success", None)])


@pytest.mark.slow
def test_a_worker_its_load_and_what_waits_outlive_a_restart_of_the_database(
    environment: dict[str, str], file: Path, tmp_path: Path
) -> None:
    with own_postgresql("worker") as layout:
        server = server_of(layout)
        own = {**environment, "ETL_STAGING_POSTGRES_URL": url_of(server)}
        init = [sys.executable, "-m", "etl.staging", "init", "--config-dir", str(tmp_path / "conf")]
        subprocess.run(init, env=own, check=True)
        with working(own, tmp_path, "--loads", "1") as worker:
            with (
                closing(StagingDatabase(server)) as database,
                statements_of(server) as execute,
                closing(psycopg2.connect(**server.connection_parameters)) as blocker,
            ):
                blocker.cursor().execute("LOCK TABLE stg_events IN SHARE MODE")
                Requests(database).request_load(JOB, "loading", 100, False, "key 1", "ada")
                Requests(database).request_load(JOB, "waiting", 100, True, "key 2", "ada")
                wait_for(lambda: execute("SELECT 1 FROM etl_run_batches WHERE status = 'running'"))
            stop(layout)
            time.sleep(3)  # longer than the worker's next look, shorter than the load's patience
            assert worker.poll() is None
            start(layout)
            with statements_of(server) as execute:
                both = "SELECT count(*) FROM etl_run_requests WHERE status = 'done'"
                wait_for(lambda: execute(both) == [(2,)] or worker.poll() is not None)
                assert execute(RUNS) == [("loading", "success", None), ("waiting", "success", None)]
                assert execute(REQUESTS) == [("done", 0, None)] * 2
                assert execute("SELECT count(*) FROM stg_events") == [(250,)]
                # the load went on by itself: nobody began it anew
                assert execute("SELECT count(DISTINCT process_id) FROM etl_runs") == [(2,)]
                one = "SELECT count(*), max(loads) FROM etl_workers WHERE stopped_at IS NULL"
                wait_for(lambda: execute(one) == [(1, 0)])  # with its next heartbeat
            assert worker.poll() is None


def stop(layout: Layout) -> None:
    command = [sys.executable, "-m", "etl.stack", "down"]
    variables = {**os.environ, DATA_DIR_VARIABLE: str(layout.data_dir)}
    subprocess.run(command, env=variables, check=True, stdout=subprocess.DEVNULL)
