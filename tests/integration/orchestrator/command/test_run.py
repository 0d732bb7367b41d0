"""`etl orchestrator run list | show | logs | why-not` and `lock list`: what is printed, what `--json` has."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.orchestrator.command import listing
from etl.postgresql.connection import connect
from etl.project import PROJECT_DIR
from tests.databases import PATIENCE_SECONDS, Execute
from tests.integration.orchestrator.command.conftest import Orchestrate
from tests.integration.orchestrator.command.nights import CYCLE, Night

pytestmark = pytest.mark.stack

END_WHO_WAITS = """
SELECT pg_terminate_backend(pid) FROM pg_locks
WHERE NOT granted AND relation = 'orchestrator.dw_etl_run_output'::regclass
"""


@pytest.fixture
def night(database: object, execute: Execute) -> Night:
    night = Night(execute)
    night.job("bronze_companies", tags=["spark"])
    night.job("bronze_prices", concurrency_key="lake:prices")
    night.job("silver_companies", ["bronze_companies"])
    return night


def listed(orchestrate: Orchestrate, *arguments: str) -> list[int]:
    return [run["run_id"] for run in orchestrate("run", "list", "--json", *arguments).json]


# list


def test_runs_are_listed_by_what_is_asked_for(night: Night, orchestrate: Orchestrate) -> None:
    old = night.run("bronze_companies", "success", cycle_id="old", scheduled_at="2026-11-20 02:00+00")
    failed = night.run("bronze_companies", "failed")
    waiting = night.run("silver_companies", parents=[failed])
    prices = night.run("bronze_prices", "success", scheduled_at="2026-11-26 01:00+00")
    assert listed(orchestrate) == [waiting, failed, prices, old]
    assert listed(orchestrate, "--job", "bronze_companies") == [failed, old]
    assert listed(orchestrate, "--status", "failed") == [failed]
    assert listed(orchestrate, "--status", "failed", "--status", "queued") == [waiting, failed]
    assert listed(orchestrate, "--layer", "bronze") == [failed, prices, old]
    assert listed(orchestrate, "--layer", "bronze", "--status", "success") == [prices, old]
    assert listed(orchestrate, "--cycle", CYCLE) == [waiting, failed, prices]
    assert listed(orchestrate, "--cycle", str(old)) == [old]
    assert listed(orchestrate, "--cycle", CYCLE, "--layer", "silver") == [waiting]
    assert listed(orchestrate, "--since", "2026-11-26T01:30") == [waiting, failed]
    assert listed(orchestrate, "--job", "bronze_companies", "--since", "2026-11-25") == [failed]


class ElsewhereInTime(datetime):
    """The clock of a machine that is half a day ahead."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + timedelta(hours=12)


@pytest.mark.parametrize("by", [[], ["--job", "bronze_companies"], ["--cycle", CYCLE]])
def test_the_age_of_since_is_counted_from_the_databases_now(
    night: Night, orchestrate: Orchestrate, monkeypatch: pytest.MonkeyPatch, by: list[str]
) -> None:
    monkeypatch.setattr(listing, "datetime", ElsewhereInTime)
    ((now,),) = night.execute("SELECT clock_timestamp()")
    recent = night.run("bronze_companies", scheduled_at=now - timedelta(hours=30))
    night.run("bronze_companies", cycle_id="before", scheduled_at=now - timedelta(hours=50))
    night.run("bronze_prices", scheduled_at=now - timedelta(hours=40))
    assert listed(orchestrate, "--since", "36h", *by) == [recent]


@pytest.mark.parametrize("by", [[], ["--job", "bronze_companies"], ["--layer", "bronze"], ["--status", "success"]])
def test_pages_follow_each_other_without_a_gap(night: Night, orchestrate: Orchestrate, by: list[str]) -> None:
    # three of each tick have the same time
    made = [
        night.run("bronze_companies", "success", cycle_id=f"c{n}", scheduled_at=f"2026-11-{1 + n // 3:02d} 02:00+00")
        for n in range(10)
    ]
    pages: list[int] = []
    page = listed(orchestrate, "--limit", "4", *by)
    while page:
        pages += page
        page = listed(orchestrate, "--limit", "4", "--before", str(page[-1]), *by)
    assert pages == made[::-1]


def test_a_full_page_says_how_to_go_on(night: Night, orchestrate: Orchestrate) -> None:
    for n in range(3):
        night.run("bronze_companies", "success", cycle_id=f"c{n}")
    assert orchestrate("run", "list", "--limit", "2").out.splitlines()[-1] == "and perhaps more: --before 2 goes on"
    assert "perhaps" not in orchestrate("run", "list").out
    assert orchestrate("run", "list", "--status", "failed").out == "no runs\n"


def test_lists_use_indexes_whatever_the_number_of_runs(night: Night) -> None:
    """Planned for many: the statements as the commands send them."""
    from etl.orchestrator.database.queries import statement

    night.execute(
        "INSERT INTO dw_etl_runs (job_id, cycle_id, trigger, status, scheduled_at, ended_at, parameter_fingerprint) "
        "SELECT 1 + n %% 3, 'c' || n, 'schedule', CASE WHEN n %% 1000 = 0 THEN 'failed' ELSE 'success' END, "
        "timestamptz '2026-01-01' + n * interval '1 min', now(), 'f' FROM generate_series(1, 20000) AS n",
        (),
    )
    night.execute("ANALYZE dw_etl_runs")
    names = ("slug", "layer", "since", "age", "before_at", "before_run_id")
    nothing = {**dict.fromkeys(names), "limit": 30}
    every = ["queued", "running", "success", "failed", "skipped", "cancelled"]
    for name, values in (
        ("runs_by_status", {"statuses": every}),
        ("runs_by_status", {"statuses": ["failed"]}),
        ("runs_by_status", {"statuses": every, "age": 3600}),
        ("runs_of_jobs", {"slug": "bronze_companies", "statuses": every}),
        ("runs_of_jobs", {"layer": "bronze", "statuses": every}),
        ("runs_of_cycle", {"cycle_ids": ["c5"], "statuses": every}),
        ("run_shown", {"run_id": 5, "correlation_id": "5"}),
        ("latest_cycle", {}),
        ("cycle_watched", {"cycle_ids": ["c5"]}),
        ("cycles_of_backfill", {"prefix": "c5"}),
    ):
        plan = "\n".join(row[0] for row in night.execute("EXPLAIN " + statement(name), {**nothing, **values}))
        assert "Seq Scan on dw_etl_runs" not in plan, f"{name}\n{plan}"


# show


def test_a_run_is_shown_with_all_that_hangs_on_it(night: Night, orchestrate: Orchestrate) -> None:
    failed = night.run(
        "bronze_companies",
        "failed",
        attempts=3,
        maximum_attempts=3,
        error_class="StoreError",
        error_type="exception",
        error_message="column amount is missing",
        is_transient_error=False,
        records_read=1200,
        records_written=1000,
        parameters={"tables": ["companies"]},
        requested_by="ana@host",
    )
    child = night.run("silver_companies", "skipped", [failed], because_run_id=failed)
    night.event(failed, "requested", requested_by="ana@host")
    night.event(
        failed,
        "retry_scheduled",
        1,
        wait_seconds=7.512,
        failure={"error_class": "ConnectionLostError", "message": "it went away"},
    )
    night.execute(
        "INSERT INTO dw_etl_run_tables VALUES (%s, 1, 'main', 'r-1', 'companies', 's3', 'success', 1200, 1000)",
        (failed,),
    )
    night.execute(
        "INSERT INTO dw_etl_alerts (run_id, kind, channel, dedupe_key, subject, body) "
        "VALUES (%s, 'failure', 'slack', 'k', 's', 'b')",
        (failed,),
    )
    said = orchestrate("run", "show", str(failed)).out
    for part in (
        f"run {failed} of bronze_companies: failed",
        f"cycle         {CYCLE} (schedule)",
        "asked by      ana@host",
        'parameters    {"tables":["companies"]}',
        "started       2026-11-26 02:00:05, 0:05 after it was due",
        "ended         2026-11-26 02:03:05, after 3:00",
        "attempts      3 of 3",
        "rows          1,200 read, 1,000 written",
        "error         StoreError (exception, permanent): column amount is missing",
        f"before        silver_companies (run {child}, skipped)",
        "table         companies -> s3: success, 1,200 read, 1,000 written (main r-1)",
        "retry scheduled attempt 1  failure: ConnectionLostError: it went away, wait seconds: 7.5",
        "alert         failure to slack, pending",
        f"run retry {failed} --from-failure",
    ):
        assert part in said
    known = orchestrate("run", "show", f"bronze_companies@{CYCLE}", "--json").json
    assert (known["run_id"], known["error_class"]) == (failed, "StoreError")
    assert [event["event_type"] for event in known["events"]] == ["requested", "retry_scheduled"]
    assert known["children"][0]["run_id"] == child
    assert known["tables"][0]["rows_written"] == 1000


def test_who_cancelled_a_run_and_why_is_shown(night: Night, orchestrate: Orchestrate) -> None:
    run = night.run(
        "bronze_companies",
        "cancelled",
        cancelled_by="ben@host",
        cancel_requested_at="2026-11-26 02:02+00",
        reason="wrong day",
    )
    said = orchestrate("run", "show", str(run)).out
    assert "cancelled     asked for by ben@host at 2026-11-26 02:02:00" in said
    assert "why           wrong day" in said


@pytest.mark.parametrize("named", ["4711", "companies@nowhere"])
def test_a_run_that_is_not_there_is_refused(night: Night, orchestrate: Orchestrate, named: str) -> None:
    done = orchestrate("run", "show", named)
    assert (done.code, done.out) == (2, "")
    assert f"expected the number or the correlation id of a run, found {named!r}" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--since", "yesterday"], "--since: expected a time (2026-11-26T02:00) or an age (36h), found 'yesterday'"),
        (["--job", "bronze_companys"], "did you mean 'bronze_companies'?"),
        (["--layer", "gld"], "no job is of layer 'gld'"),
        (["--cycle", "2026-11-26T03:00:00Z"], f"unknown cycle '2026-11-26T03:00:00Z'; did you mean '{CYCLE}'?"),
        (["--status", "done"], "'done'"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(
    night: Night, orchestrate: Orchestrate, arguments: list[str], said: str
) -> None:
    night.run("bronze_companies")
    done = orchestrate("run", "list", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


# logs


def test_logs_are_those_of_the_latest_attempt_and_the_others_are_named(night: Night, orchestrate: Orchestrate) -> None:
    run = night.run("bronze_companies", "success", attempts=2)
    night.output(run, "first try\n", 1)
    night.output(run, "reading\n", 2, 0)
    night.output(run, "a warning\n", 2, 1, "stderr")
    night.output(run, "done", 2, 2)
    done = orchestrate("run", "logs", str(run))
    assert done.out == "reading\na warning\ndone\n"
    assert done.err == "of attempt 2; --attempt 1 shows the one before\n"
    assert orchestrate("run", "logs", str(run), "--attempt", "1").out == "first try\n"
    assert orchestrate("run", "logs", str(run), "--stderr").out == "a warning\n"
    assert [piece["text"] for piece in orchestrate("run", "logs", str(run), "--json").json][:1] == ["reading\n"]
    # it has ended: there is nothing to wait for
    assert orchestrate("run", "logs", str(run), "--follow").out == "reading\na warning\ndone\n"


def test_logs_are_followed_through_the_attempts_to_the_runs_end(
    night: Night, environment: dict[str, str], tmp_path: Path
) -> None:
    run = night.run("bronze_companies", "running")
    night.output(run, "first try\n", 1)
    command = [sys.executable, "-m", "etl.orchestrator", "run", "logs", str(run), "--follow"]
    with subprocess.Popen(
        [*command, "--config-dir", str(tmp_path)], cwd=PROJECT_DIR, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "first try\n"
        night.output(run, "second ", 2, 0)
        night.output(run, "try\n", 2, 1)
        assert process.stdout.readline() == "second try\n"
        night.output(run, "done", 2, 2)
        night.execute("UPDATE dw_etl_runs SET status = 'success', ended_at = clock_timestamp()")
        assert process.stdout.read() == "done\n"
    assert process.returncode == 0


def test_logs_are_followed_further_when_their_connection_was_lost(
    night: Night, environment: dict[str, str], orchestrator_settings: PostgreSQLSettings, tmp_path: Path
) -> None:
    run = night.run("bronze_companies", "running")
    night.output(run, "before\n", 1, 0)
    command = [sys.executable, "-m", "etl.orchestrator", "run", "logs", str(run), "--follow"]
    with subprocess.Popen(
        [*command, "--config-dir", str(tmp_path)], cwd=PROJECT_DIR, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "before\n"
        with closing(connect(orchestrator_settings, cursors=None)) as holding, holding.cursor() as cursor:
            cursor.execute("LOCK orchestrator.dw_etl_run_output")
            until = time.monotonic() + PATIENCE_SECONDS
            while not night.execute(END_WHO_WAITS):  # in the middle of a statement
                assert time.monotonic() < until
                time.sleep(0.02)
            holding.commit()
        night.output(run, "after\n", 1, 1)
        night.execute("UPDATE dw_etl_runs SET status = 'success', ended_at = clock_timestamp()")
        assert process.stdout.read() == "after\n"
    assert process.returncode == 0


def test_logs_that_are_not_there_are_said_to_be_so(night: Night, orchestrate: Orchestrate) -> None:
    run = night.run("bronze_companies")
    done = orchestrate("run", "logs", str(run))
    assert (done.code, done.out) == (0, "")
    assert done.err == f"run {run} of bronze_companies is queued: nothing of its output is kept\n"
    night.output(run, "x")
    refused = orchestrate("run", "logs", str(run), "--attempt", "7")
    assert refused.code == 2
    assert "has output of attempt 1, not of 7" in refused.err


# why-not


def why(orchestrate: Orchestrate, what: object) -> list[str]:
    (told,) = orchestrate("run", "why-not", str(what), "--json").json
    reasons: list[str] = told["reasons"]
    return reasons


def test_a_run_waits_for_its_parents(night: Night, orchestrate: Orchestrate) -> None:
    night.process()
    parent = night.run("bronze_companies", "running")
    child = night.run("silver_companies", parents=[parent])
    assert why(orchestrate, child) == [
        f"it waits for bronze_companies: run {parent} is running since 2026-11-26 02:00:05"
    ]
    said = orchestrate("run", "why-not", "silver_companies").out
    assert said.splitlines()[0] == f"run {child} of silver_companies, cycle {CYCLE}"


def test_a_run_waits_for_its_key_and_for_those_before_it(night: Night, orchestrate: Orchestrate) -> None:
    night.process()
    holder = night.run("bronze_companies", "running", concurrency_key="lake:prices")
    night.lock(holder)
    night.run("bronze_prices", ready_at="2026-11-26 02:00+00", cycle_id="one")
    mine = night.run("bronze_prices", ready_at="2026-11-26 02:00+00", cycle_id="two")
    held, ahead = why(orchestrate, mine)
    assert held.startswith(f"its key 'lake:prices' is held by run {holder} of bronze_companies since ")
    assert "(worker host-1, its lease ends in " in held
    assert ahead == "1 run comes first of those that wait for this key: by priority, then by age"


def test_a_run_waits_for_room_in_its_layer(night: Night, orchestrate: Orchestrate) -> None:
    night.process()
    night.execute("INSERT INTO dw_etl_parallelism VALUES ('layer:bronze', 1), ('all', 8), ('tag:spark', 1)")
    night.lock(night.run("bronze_companies", "running"))
    assert why(orchestrate, night.run("bronze_prices", ready_at="2026-11-26 02:00+00")) == [
        "the limit of layer:bronze is reached: 1 of 1 run"
    ]


def test_a_run_waits_for_its_next_attempt(night: Night, orchestrate: Orchestrate) -> None:
    run = night.run(
        "bronze_companies",
        attempts=2,
        maximum_attempts=3,
        ready_at=datetime.now(UTC) + timedelta(minutes=5),
    )
    night.event(run, "retry_scheduled", 2, failure={"error_class": "ConnectionLostError", "message": "connection lost"})
    (reason,) = why(orchestrate, run)
    assert reason.startswith("it is tried again at ")
    assert reason.endswith(": attempt 2 of 3 failed: connection lost")


def test_a_run_waits_for_a_worker(night: Night, orchestrate: Orchestrate) -> None:
    run = night.run("bronze_companies", ready_at="2026-11-26 02:00+00")
    assert why(orchestrate, run)[0].startswith("no worker is alive (there never was one)")
    night.process(silent=90)
    assert why(orchestrate, run)[0].startswith("no worker is alive (the last was heard at ")
    night.process("host-2", slots=1)
    assert why(orchestrate, run) == ["nothing holds it up: a worker takes it at its next look, within a second"]
    night.lock(night.run("bronze_prices", "running"))
    assert why(orchestrate, run) == ["all slots of the worker alive are taken: 1 of 1"]


def test_a_run_of_a_disabled_job_waits_for_that(night: Night, orchestrate: Orchestrate) -> None:
    night.process()
    run = night.run("bronze_companies", ready_at="2026-11-26 02:00+00")
    night.execute("UPDATE dw_etl_jobs SET is_enabled = false")
    (reason,) = why(orchestrate, run)
    assert reason.startswith("job bronze_companies is disabled; `")


def test_a_run_that_was_skipped_names_the_one_it_was_for(night: Night, orchestrate: Orchestrate) -> None:
    failed = night.run("bronze_companies", "failed")
    skipped = night.run("silver_companies", "skipped", [failed], because_run_id=failed, reason="its parent failed")
    ended, because = why(orchestrate, skipped)
    assert ended == "it has ended: skipped at 2026-11-26 02:03:05: its parent failed"
    assert because.startswith(f"because of run {failed}; `")
    assert because.endswith(f"run retry {failed} --from-failure` goes on from there")


def test_a_job_without_an_open_run_tells_of_its_schedule(night: Night, orchestrate: Orchestrate) -> None:
    night.process("s-1", "scheduler")
    assert why(orchestrate, "silver_companies") == [
        "it has never been asked for",
        "it has no schedule: it runs in the cycles of the jobs that it depends on, or by `run start`",
    ]
    night.execute(
        "INSERT INTO dw_etl_schedules (job_id, cron, next_run_at) VALUES "
        "(1, '0 2 * * *', clock_timestamp() + interval '90 s')"
    )
    assert "its next tick is at " in why(orchestrate, "bronze_companies")[-1]
    night.execute("UPDATE dw_etl_schedules SET paused_at = '2026-11-26 01:00+00', paused_by = 'ana@host'")
    assert "its schedule is paused since 2026-11-26 01:00:00 by ana@host; `" in why(orchestrate, "bronze_companies")[-1]


def test_a_job_without_an_open_run_tells_how_its_latest_ended(night: Night, orchestrate: Orchestrate) -> None:
    failed = night.run("bronze_companies", "failed")
    run = night.run("silver_companies", "skipped", [failed], because_run_id=failed, reason="its parent failed")
    reasons = why(orchestrate, "silver_companies")
    assert reasons[:2] == [
        f"nothing of it is queued; its latest run {run}, of 2026-11-26 02:00:00:",
        "it has ended: skipped at 2026-11-26 02:03:05: its parent failed",
    ]
    assert reasons[2].startswith(f"because of run {failed}; `")
    assert reasons[-1].startswith("no scheduler is alive (there never was one)")


def test_of_many_open_runs_the_oldest_are_explained(night: Night, orchestrate: Orchestrate) -> None:
    made = [night.run("bronze_companies", cycle_id=f"c{n}", ready_at="2026-11-26 02:00+00") for n in range(12)]
    done = orchestrate("run", "why-not", "bronze_companies", "--json")
    assert [told["run_id"] for told in done.json] == made[:10]
    assert done.err == "12 of its runs are open; the oldest:\n"


def test_why_not_of_what_is_neither_run_nor_job_is_refused(night: Night, orchestrate: Orchestrate) -> None:
    done = orchestrate("run", "why-not", "bronze_compani")
    assert done.code == 2
    assert "did you mean 'bronze_companies'?" in done.err


# locks


def test_locks_are_listed_with_who_holds_them(night: Night, orchestrate: Orchestrate) -> None:
    assert orchestrate("lock", "list").out == "no lock is held\n"
    run = night.run("bronze_prices", "running")
    token = night.lock(run)
    said = orchestrate("lock", "list").out.splitlines()[1]
    assert "lake:prices" in said
    assert f"run {run} of bronze_prices, attempt 1" in said
    assert "ends in" in said
    (lock,) = orchestrate("lock", "list", "--json").json
    assert (lock["fencing_token"], lock["concurrency_key"], lock["run_id"]) == (token, "lake:prices", run)
