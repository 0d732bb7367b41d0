from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.schedule.ticks import tick
from tests.databases import Execute
from tests.integration.orchestrator.command.conftest import Orchestrate
from tests.integration.orchestrator.queue.queued import add_job
from tests.integration.orchestrator.schedule.scheduled import add_scheduled, told

PATIENCE_SECONDS = 60


@pytest.fixture(autouse=True)
def jobs(database: OrchestratorDatabase, execute: Execute) -> None:
    add_scheduled(execute, "nightly", "30 1 * * *", time_zone="America/New_York", catch_up="all")
    add_scheduled(execute, "hourly", "0 * * * *")
    add_job(execute, "child", ["nightly"])
    add_job(execute, "alone")
    execute("UPDATE dw_etl_schedules SET next_run_at = clock_timestamp() + interval '1 day' WHERE cron = '30 1 * * *'")


def test_list(orchestrate: Orchestrate) -> None:
    done = orchestrate("schedule", "list")
    assert done.code == 0
    line = next(line for line in done.out.splitlines() if line.startswith("nightly"))
    assert "30 1 * * *" in line and "America/New_York" in line and "all, at most 10" in line
    documents = orchestrate("schedule", "list", "--json").json
    assert [document["slug"] for document in documents] == ["hourly", "nightly"]
    assert {"cron", "time_zone", "next_run_at", "last_run_at", "paused_at"} <= documents[0].keys()


def test_next_shows_both_clocks(orchestrate: Orchestrate, execute: Execute) -> None:
    execute("UPDATE dw_etl_schedules SET next_run_at = NULL")
    ticks = orchestrate("schedule", "next", "nightly", "--count", "3", "--json").json["ticks"]
    assert len(ticks) == 3
    assert [each["local"][11:16] for each in ticks] == ["01:30"] * 3
    assert {each["utc"][11:16] for each in ticks} <= {"05:30", "06:30"}
    lines = orchestrate("schedule", "next", "hourly").out.splitlines()
    assert len(lines) == 11 and "UTC" in lines[0]


def test_next_of_a_job_that_follows_another(orchestrate: Orchestrate) -> None:
    document = orchestrate("schedule", "next", "child", "--count", "1", "--json").json
    assert document["ticks"][0]["schedules_of"] == ["nightly"]
    refused = orchestrate("schedule", "next", "alone")
    assert refused.code == 2 and "found 'alone'" in refused.err


def test_next_of_a_job_that_follows_several_has_an_instant_once(orchestrate: Orchestrate, execute: Execute) -> None:
    execute("UPDATE dw_etl_schedules SET next_run_at = NULL")
    execute("UPDATE dw_etl_schedules SET cron = '30 5,6 * * *' WHERE job_id = 2")
    add_job(execute, "between", ["nightly", "hourly"])
    ticks = orchestrate("schedule", "next", "between", "--count", "4", "--json").json["ticks"]
    assert len({tick["utc"] for tick in ticks}) == 4
    together = [tick for tick in ticks if len(tick["schedules_of"]) == 2]
    assert together and all(tick["schedules_of"] == ["hourly", "nightly"] for tick in together)


def test_pause_and_resume(orchestrate: Orchestrate, execute: Execute) -> None:
    assert orchestrate("schedule", "pause", "nightly").out == "the schedule of nightly is paused\n"
    assert orchestrate("schedule", "pause", "nightly").out == "the schedule of nightly was paused already\n"
    assert "paused by " in orchestrate("schedule", "list").out
    assert "none of its ticks happens before" in orchestrate("schedule", "next", "child").out
    assert "goes on; its next tick is " in orchestrate("schedule", "resume", "nightly").out
    assert orchestrate("schedule", "resume", "nightly", "--json").json["changed"] is False
    assert execute("SELECT count(*) FROM dw_etl_schedules WHERE next_run_at > clock_timestamp()") == [(1,)]
    assert orchestrate("schedule", "pause", "alone").code == 2
    assert "did you mean 'nightly'" in orchestrate("schedule", "pause", "nigthly").err


def test_a_job_that_is_enabled_again_does_not_run_what_it_missed(
    orchestrate: Orchestrate, database: OrchestratorDatabase, execute: Execute
) -> None:
    orchestrate("job", "disable", "nightly")
    execute("UPDATE dw_etl_schedules SET next_run_at = clock_timestamp() - interval '9 days'")
    orchestrate("job", "enable", "nightly")
    tick(database)
    assert "nightly" not in {slug for slug, _, _ in told(execute)}


def test_backfill(orchestrate: Orchestrate, execute: Execute) -> None:
    asked = ("backfill", "nightly", "--from", "2026-10-31", "--to", "2026-11-03", "--downstream")
    dry = orchestrate(*asked, "--dry-run")
    assert "2026-11-01 05:30:00" in dry.out and "3 cycles with 6 runs would be made" in dry.out
    assert told(execute) == []
    made = orchestrate(*asked, "--json").json["cycles"]
    assert [len(cycle["runs"]) for cycle in made] == [2, 2, 2]
    assert "nothing is to be made" in orchestrate(*asked).out
    assert "3 cycles with 6 runs made" in orchestrate(*asked, "--reprocess", "all").out
    assert orchestrate("backfill", "nightly", "--from", "someday").code == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_scheduler_makes_runs_and_ends_in_order(
    environment: dict[str, str], execute: Execute, tmp_path: Path, number: int, code: int
) -> None:
    execute("UPDATE dw_etl_schedules SET next_run_at = clock_timestamp() WHERE cron = '0 * * * *'")
    command = [sys.executable, "-m", "etl.orchestrator", "scheduler", "--config-dir", str(tmp_path)]
    log = tmp_path / "log"
    with (
        log.open("w") as errors,
        subprocess.Popen(command, env={**os.environ, **environment}, stderr=errors) as process,
    ):
        end = time.monotonic() + PATIENCE_SECONDS
        while not told(execute):
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(PATIENCE_SECONDS) == code, log.read_text()
    assert [(slug, status) for slug, _, status in told(execute)] == [("hourly", "queued")]
    assert execute("SELECT count(*) FROM dw_etl_processes WHERE ended_at IS NOT NULL") == [(1,)]
