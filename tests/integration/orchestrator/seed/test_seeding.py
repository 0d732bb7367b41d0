"""What conf/jobs says stands in the tables, however often it is written, and nothing that ran is lost."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from etl.config.orchestrator.jobs import JobsConfiguration, load_jobs
from etl.config.settings import PostgreSQLSettings
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.schedule.clocks import pause
from etl.orchestrator.seed import Difference, differences, seed
from etl.postgresql.connection import connect
from tests.databases import Execute
from tests.integration.orchestrator.queue.queued import ask

pytestmark = pytest.mark.stack

PATIENCE_SECONDS = 60

JOBS = """
parallelism: {all: 8, "layer:gold": 2}
defaults: {layer: bronze, tags: [nightly]}
jobs:
  orders:
    title: Orders into the lake
    argv: [etl, run, --tables, "{tables}"]
    parameters: {tables: [orders]}
    schedule: {cron: "0 2 * * *", time_zone: Europe/Berlin}
  customers:
    argv: ["true"]
    timeout: 1h
  revenue:
    layer: gold
    argv: ["true"]
    parents: [orders, customers]
    tags: [nightly, finance]
"""


def written(folder: Path, text: str) -> JobsConfiguration:
    (folder / "jobs").mkdir(exist_ok=True)
    (folder / "jobs" / "all.yaml").write_text(text)
    return load_jobs(folder, {})


def graph(execute: Execute) -> list[Any]:
    return execute(
        "SELECT p.slug, c.slug FROM dw_etl_job_dependencies JOIN dw_etl_jobs p ON p.job_id = parent_job_id"
        " JOIN dw_etl_jobs c ON c.job_id = child_job_id ORDER BY 1, 2"
    )


def test_what_is_written_stands(database: OrchestratorDatabase, execute: Execute, tmp_path: Path) -> None:
    wanted = written(tmp_path, JOBS)
    expected = [
        *(Difference("added", "job", slug, after="jobs/all.yaml") for slug in ("orders", "customers", "revenue")),
        Difference("added", "parallelism", "all", after=8),
        Difference("added", "parallelism", "layer:gold", after=2),
    ]
    assert differences(database, wanted) == expected
    assert execute("SELECT count(*) FROM dw_etl_jobs") == [(0,)]

    assert seed(database, wanted) == expected

    assert execute("SELECT slug, layer, kind, command, parameters, is_enabled FROM dw_etl_jobs ORDER BY job_id") == [
        (
            "orders",
            "bronze",
            "command",
            {"argv": ["etl", "run", "--tables", "{tables}"]},
            {"tables": ["orders"]},
            True,
        ),
        ("customers", "bronze", "command", {"argv": ["true"]}, {}, True),
        ("revenue", "gold", "command", {"argv": ["true"]}, {}, True),
    ]
    assert graph(execute) == [("customers", "revenue"), ("orders", "revenue")]
    assert execute("SELECT cron, time_zone, next_run_at > now(), is_active FROM dw_etl_schedules") == [
        ("0 2 * * *", "Europe/Berlin", True, True)
    ]
    assert execute("SELECT count(*) FROM dw_etl_job_tags") == [(4,)]
    assert execute("SELECT scope, maximum FROM dw_etl_parallelism ORDER BY 1") == [("all", 8), ("layer:gold", 2)]


def test_a_second_time_changes_nothing(database: OrchestratorDatabase, execute: Execute, tmp_path: Path) -> None:
    wanted = written(tmp_path, JOBS)
    seed(database, wanted)
    before = execute("SELECT xmin, * FROM dw_etl_jobs") + execute("SELECT xmin, * FROM dw_etl_schedules")

    assert seed(database, wanted) == []
    assert execute("SELECT xmin, * FROM dw_etl_jobs") + execute("SELECT xmin, * FROM dw_etl_schedules") == before


def test_changes_are_told_field_by_field(database: OrchestratorDatabase, execute: Execute, tmp_path: Path) -> None:
    seed(database, written(tmp_path, JOBS))
    changed = (
        JOBS.replace("1h", "2h").replace("tables: [orders]", "tables: [orders, lines]").replace("all: 8", "all: 4")
    )
    changed = changed.replace("[orders, customers]", "[orders]").replace("0 2 * * *", "0 3 * * *")
    changed = changed.replace(', "layer:gold": 2', "")
    wanted = written(tmp_path, changed)

    found = seed(database, wanted)

    schedule = {"time_zone": "Europe/Berlin", "catch_up": "last", "catch_up_limit": 10, "grace_seconds": 300}
    assert found == [
        Difference("changed", "job", "orders", "parameters", {"tables": ["orders"]}, {"tables": ["orders", "lines"]}),
        Difference(
            "changed",
            "job",
            "orders",
            "schedule",
            {"cron": "0 2 * * *", **schedule},
            {"cron": "0 3 * * *", **schedule},
        ),
        Difference("changed", "job", "customers", "timeout_seconds", 3600.0, 7200.0),
        Difference("changed", "job", "revenue", "parents", ["customers", "orders"], ["orders"]),
        Difference("changed", "parallelism", "all", "maximum", 8, 4),
        Difference("removed", "parallelism", "layer:gold", before=2),
    ]
    assert differences(database, wanted) == []
    assert graph(execute) == [("orders", "revenue")]
    assert execute("SELECT cron, is_active FROM dw_etl_schedules ORDER BY schedule_id") == [
        ("0 2 * * *", False),
        ("0 3 * * *", True),
    ]


def test_a_job_that_is_gone_keeps_its_history(database: OrchestratorDatabase, execute: Execute, tmp_path: Path) -> None:
    seed(database, written(tmp_path, JOBS))
    execute(
        "INSERT INTO dw_etl_runs (job_id, cycle_id, trigger, scheduled_at, parameter_fingerprint)"
        " SELECT job_id, 'c', 'manual', now(), 'f' FROM dw_etl_jobs WHERE slug = 'orders'"
    )
    execute("INSERT INTO dw_etl_jobs (slug, layer, kind, command) VALUES ('by_hand', 'gold', 'command', '{}')")
    begin = JOBS.index("  orders:")
    less = JOBS[:begin] + JOBS[JOBS.index("  customers:") :].replace("[orders, customers]", "[customers]")

    found = seed(database, written(tmp_path, less))

    assert Difference("removed", "job", "orders", before="jobs/all.yaml") in found
    assert execute("SELECT is_enabled, source_file FROM dw_etl_jobs WHERE slug = 'orders'") == [(False, None)]
    assert execute("SELECT is_enabled FROM dw_etl_jobs WHERE slug = 'by_hand'") == [(True,)]
    assert execute("SELECT count(*) FROM dw_etl_runs") == [(1,)]
    assert execute("SELECT is_active FROM dw_etl_schedules") == [(False,)]
    assert graph(execute) == [("customers", "revenue")]
    # and when it comes back, all of it does
    seed(database, written(tmp_path, JOBS))
    assert execute("SELECT is_enabled, source_file FROM dw_etl_jobs WHERE slug = 'orders'") == [(True, "jobs/all.yaml")]
    assert execute("SELECT count(*) FROM dw_etl_schedules WHERE is_active") == [(1,)]
    assert len(graph(execute)) == 2


def test_what_is_queued_of_a_job_that_is_gone_is_cancelled(
    database: OrchestratorDatabase, execute: Execute, tmp_path: Path
) -> None:
    seed(database, written(tmp_path, JOBS))
    ask(database, "orders", "customers", "revenue")
    ask(database, "orders", cycle_id="running")
    execute(
        "UPDATE dw_etl_runs SET status = 'running', started_at = now(), fencing_token = 1, worker_id = 'w'"
        " WHERE cycle_id = 'running'"
    )
    begin = JOBS.index("  orders:")
    less = JOBS[:begin] + JOBS[JOBS.index("  customers:") :].replace("[orders, customers]", "[customers]")
    told = Difference("removed", "job", "orders", "queued_runs", 1, "cancelled")
    assert told in differences(database, written(tmp_path, less))
    assert execute("SELECT count(*) FROM dw_etl_runs WHERE status = 'cancelled'") == [(0,)]

    assert told in seed(database, written(tmp_path, less))

    assert execute(
        "SELECT slug, status, cancelled_by, reason FROM dw_etl_runs JOIN dw_etl_jobs USING (job_id)"
        " ORDER BY slug, status"
    ) == [
        ("customers", "queued", None, None),
        ("orders", "cancelled", "migrate", "its job is in no file any more"),
        ("orders", "running", None, None),
        ("revenue", "skipped", None, "orders (run 1) was cancelled"),
    ]
    assert seed(database, written(tmp_path, less)) == []


def test_what_a_person_stopped_stays_so(database: OrchestratorDatabase, execute: Execute, tmp_path: Path) -> None:
    seed(database, written(tmp_path, JOBS))
    execute("UPDATE dw_etl_jobs SET is_enabled = false WHERE slug = 'customers'")
    pause(database, "orders", "anna")
    changed = JOBS.replace("1h", "2h").replace("0 2 * * *", "0 3 * * *")

    seed(database, written(tmp_path, changed))

    enabled = "SELECT is_enabled FROM dw_etl_jobs WHERE slug = 'customers'"
    assert execute(enabled) == [(False,)]
    assert execute("SELECT cron, paused_by, next_run_at FROM dw_etl_schedules WHERE is_active") == [
        ("0 3 * * *", "anna", None)
    ]
    # also where the table does not know what its file said
    execute("UPDATE dw_etl_jobs SET is_enabled_by_file = NULL WHERE slug = 'customers'")
    seed(database, written(tmp_path, changed))
    assert execute(enabled) == [(False,)]
    # until its file says something else than it did
    off = changed.replace("timeout: 2h", "enabled: false")
    seed(database, written(tmp_path, off))
    execute("UPDATE dw_etl_jobs SET is_enabled = true WHERE slug = 'customers'")
    assert seed(database, written(tmp_path, off)) == []
    assert execute(enabled) == [(True,)]
    execute("UPDATE dw_etl_jobs SET is_enabled = false WHERE slug = 'customers'")
    seed(database, written(tmp_path, changed))
    assert execute(enabled) == [(True,)]


def test_a_job_that_is_just_being_disabled_stays_so(
    database: OrchestratorDatabase, execute: Execute, orchestrator_settings: PostgreSQLSettings, tmp_path: Path
) -> None:
    seed(database, written(tmp_path, JOBS))
    changed = written(tmp_path, JOBS.replace("timeout: 1h", "timeout: 2h"))
    with ThreadPoolExecutor(1) as thread, closing(connect(orchestrator_settings, cursors=None)) as other:
        with other.cursor() as cursor:
            cursor.execute("UPDATE orchestrator.dw_etl_jobs SET is_enabled = false WHERE slug = 'customers'")
        seeded = thread.submit(seed, database, changed)
        until = time.monotonic() + PATIENCE_SECONDS
        while not execute("SELECT 1 FROM pg_locks WHERE NOT granted") and not seeded.done():
            assert time.monotonic() < until
            time.sleep(0.02)
        other.commit()
        assert [each.field for each in seeded.result()] == ["timeout_seconds"]
    found = execute("SELECT is_enabled, timeout_seconds FROM dw_etl_jobs WHERE slug = 'customers'")
    assert found == [(False, 7200)]
