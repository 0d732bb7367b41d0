"""`migrate`, `import` and `doctor` as a user calls them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import Execute
from tests.integration.orchestrator.command.conftest import Orchestrate

pytestmark = pytest.mark.stack

SCHEMA = "made_by_command"
JOBS = """
parallelism: {all: 8}
jobs:
  orders: {layer: bronze, argv: ["true"], schedule: {cron: "0 2 * * *"}}
  revenue: {layer: gold, argv: ["true"], parents: [orders]}
"""
LOG = "job,status,scheduled_at,started_at,ended_at\n"
NIGHT = "orders,success,2026-11-01T02:00:00Z,2026-11-01T02:00:00Z,2026-11-01T02:01:00Z\n"


@pytest.fixture
def folder(tmp_path: Path, execute: Execute) -> Iterator[Path]:
    """Of a configuration that names a schema which is not there."""
    (tmp_path / "etl.yaml").write_text(f"orchestrator: {{schema: {SCHEMA}}}\n")
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "all.yaml").write_text(JOBS)
    execute(f"SET search_path = {SCHEMA}")
    yield tmp_path
    execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")


def test_a_plan_writes_nothing(folder: Path, orchestrate: Orchestrate, execute: Execute) -> None:
    done = orchestrate("migrate", "--dry-run")
    assert done.code == 0, done.err
    assert "all tables, indexes and constraints would be made at once" in done.out
    assert "revenue" in done.out
    assert "nothing was written" in done.out
    assert execute(f"SELECT to_regnamespace('{SCHEMA}')") == [(None,)]


def test_tables_jobs_and_history_at_once(folder: Path, orchestrate: Orchestrate, execute: Execute) -> None:
    log = folder / "night.csv"
    log.write_text(LOG + NIGHT + NIGHT.replace("orders", "ordres"))

    done = orchestrate("migrate", "--import", str(log), "--json")

    assert done.code == 1, done.err
    assert [each["slug"] for each in done.json["jobs"]] == ["orders", "revenue", "all"]
    (history,) = done.json["history"]
    assert (history["read"], history["imported"], history["rejected"]) == (2, 1, 1)
    assert (folder / "night.csv.rejects.jsonl").read_text().startswith('{"line":3,"reason":"there is no job \'ordres\'')
    assert execute("SELECT count(*) FROM dw_etl_runs") == [(1,)]
    again = orchestrate("migrate")
    assert again.code == 0, again.err
    assert again.out.splitlines() == ["the tables are as they should be", "the jobs are as their files say"]


def test_a_change_is_shown_before_and_when_it_is_made(folder: Path, orchestrate: Orchestrate) -> None:
    orchestrate("migrate")
    (folder / "jobs" / "all.yaml").write_text(JOBS.replace("0 2", "0 3").replace("orders]", "orders], timeout: 1h"))
    changes = [("orders", "schedule"), ("revenue", "timeout_seconds")]
    plan = orchestrate("migrate", "--dry-run", "--json").json
    assert [(each["slug"], each["field"]) for each in plan["jobs"]] == changes
    assert plan["steps"] == []
    done = orchestrate("migrate", "--json").json
    assert [(each["slug"], each["field"]) for each in done["jobs"]] == changes


def test_what_is_in_the_way_is_told(folder: Path, orchestrate: Orchestrate, execute: Execute) -> None:
    orchestrate("migrate")
    execute("DROP INDEX dw_etl_jobs_slug_key")
    execute("UPDATE dw_etl_jobs SET slug = 'same'")
    plan = orchestrate("migrate", "--dry-run")
    assert plan.code == 1
    assert "in the way: dw_etl_jobs: 1 values of slug stand in 2 rows (one: same)" in plan.out
    done = orchestrate("migrate")
    assert done.code == 2
    assert "1 values of slug stand in 2 rows" in done.err


def test_faults_of_the_files_come_before_anything(folder: Path, orchestrate: Orchestrate, execute: Execute) -> None:
    (folder / "jobs" / "all.yaml").write_text(JOBS.replace("[orders]", "[ordres]"))
    done = orchestrate("migrate")
    assert done.code == 2
    assert "all.yaml:5" in done.err
    assert execute(f"SELECT to_regnamespace('{SCHEMA}')") == [(None,)]


def test_a_log_that_is_not_there_comes_before_anything(
    folder: Path, orchestrate: Orchestrate, execute: Execute
) -> None:
    for file, told in (("none.csv", "found none of that name"), ("*.jsonl", "found none that matches")):
        done = orchestrate("migrate", "--import", str(folder / file))
        assert done.code == 2
        assert told in done.err
    assert execute(f"SELECT to_regnamespace('{SCHEMA}')") == [(None,)]


def test_a_log_is_imported_once(folder: Path, orchestrate: Orchestrate) -> None:
    orchestrate("migrate")
    (folder / "night.csv").write_text(LOG + NIGHT)
    done = orchestrate("import", str(folder / "*.csv"))
    assert done.code == 0, done.err
    assert "1 rows read: 1 imported, 0 already there, 0 rejected" in done.out
    (report,) = orchestrate("import", str(folder / "night.csv"), "--json").json
    assert (report["imported"], report["already_there"]) == (0, 1)


def test_doctor_before_there_is_anything(folder: Path, orchestrate: Orchestrate) -> None:
    done = orchestrate("doctor", "--json")
    assert done.code == 1
    assert [(each["check"], each["state"]) for each in done.json["checks"]] == [
        ("server", "ok"),
        ("migrations", "wrong"),
    ]


def test_doctor_without_a_server(orchestrate: Orchestrate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETL_ORCHESTRATOR_POSTGRES_URL", "postgresql://someone:s3cret-word@127.0.0.1:1/nowhere")
    done = orchestrate("doctor")
    assert done.code == 1
    assert "127.0.0.1" in done.out
    assert "s3cret-word" not in done.out


def test_doctor_finds_what_is_wrong(folder: Path, orchestrate: Orchestrate, execute: Execute) -> None:
    orchestrate("migrate")
    execute(
        "INSERT INTO dw_etl_processes (worker_id, kind, host, process_id, heartbeat_at) VALUES"
        " ('s', 'scheduler', 'h', 1, now()), ('w', 'worker', 'h', 2, now()),"
        " ('x', 'worker', 'h', 3, now() - interval '1 h')"
    )
    well = orchestrate("doctor", "--json")
    assert well.code == 0, well.out
    assert {each["check"]: each["state"] for each in well.json["checks"]} == {
        "server": "ok",
        "migrations": "ok",
        "indexes": "ok",
        "jobs": "ok",
        "schedulers": "ok",
        "workers": "warning",
        "clock": "ok",
        "locks": "ok",
        "runs": "ok",
        "alerts": "ok",
        "vacuum": "ok",
    }

    execute("UPDATE dw_etl_processes SET heartbeat_at = now() - interval '2 min'")
    execute("UPDATE dw_etl_jobs SET priority = 9 WHERE slug = 'orders'")
    for status, token in (("running", 7), ("queued", None)):
        execute(
            "INSERT INTO dw_etl_runs (job_id, cycle_id, trigger, scheduled_at, parameter_fingerprint, status,"
            " worker_id, fencing_token, started_at, created_at) VALUES"
            " (1, %s, 'manual', now(), 'f', %s, 'w', %s, now(),"
            " now() - interval '5 min')",
            (status, status, token),
        )
    execute(
        "INSERT INTO dw_etl_job_locks (job_id, run_id, concurrency_key, worker_id, attempt, expires_at)"
        " VALUES (1, 2, 'k', 'w', 1, now() - interval '5 min')"
    )
    execute(
        "INSERT INTO dw_etl_alerts (run_id, kind, channel, dedupe_key, created_at, last_error)"
        " VALUES (1, 'failure', 'slack', 'failure:1', now() - interval '1 h', 'refused')"
    )
    execute("ALTER TABLE dw_etl_runs SET (autovacuum_enabled = false)")
    ill = orchestrate("doctor", "--json")
    assert ill.code == 1
    found = {each["check"]: each["found"] for each in ill.json["checks"] if each["state"] == "wrong"}
    assert found.keys() == {"jobs", "schedulers", "workers", "locks", "runs", "alerts", "vacuum"}
    assert found["jobs"] == "their files say otherwise: changed orders priority"
    assert found["workers"].startswith("none is alive; w has been silent for 12")
    assert found["locks"].startswith("expired, and nobody takes them: k of run 2, 30")
    assert found["runs"] == (
        "run 1 of orders is running, and no lock holds it; run 2 of orders waits for a parent, and all its parents"
        " have ended"
    )
    assert found["alerts"] == "1 have waited for more than five minutes (refused)"
    (next_step,) = [each["next_step"] for each in ill.json["checks"] if each["check"] == "alerts"]
    words = next_step.split(" orchestrator ")[1].split()
    assert [each["channel"] for each in orchestrate(*words, "--json").json] == ["slack"]
    assert "what to do" in orchestrate("doctor").out
