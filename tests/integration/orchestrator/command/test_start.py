"""`etl orchestrator run start | cancel | retry` and `lock release`: what is made, once, and what is refused."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest

from tests.databases import Execute
from tests.integration.orchestrator.command.conftest import Orchestrate
from tests.integration.orchestrator.command.nights import CYCLE, Night

pytestmark = pytest.mark.stack

SCHEMA = {
    "type": "object",
    "properties": {
        "tables": {"type": "array", "items": {"enum": ["companies", "brands"]}},
        "day": {"type": "string"},
        "limit": {"type": "integer", "minimum": 1},
    },
    "additionalProperties": False,
}


@pytest.fixture
def night(database: object, execute: Execute) -> Night:
    night = Night(execute)
    night.process()
    night.job("bronze_companies", tags=["spark"], parameters={"tables": ["companies"]}, parameters_schema=SCHEMA)
    night.job("bronze_prices")
    night.job("silver_companies", ["bronze_companies"])
    night.job("gold_revenue", ["silver_companies", "bronze_prices"])
    return night


def runs(night: Night, columns: str = "run_id, status, ready_at IS NOT NULL") -> list[Any]:
    return night.execute(f"SELECT slug, {columns} FROM dw_etl_runs JOIN dw_etl_jobs USING (job_id) ORDER BY run_id")


def test_a_run_is_asked_for_and_said_to_be(night: Night, orchestrate: Orchestrate) -> None:
    done = orchestrate("run", "start", "bronze_companies")
    ((slug, run_id, status, is_ready),) = runs(night)
    assert (slug, status, is_ready) == ("bronze_companies", "queued", True)
    assert done.code == 0
    assert done.out.startswith(f"run {run_id} of bronze_companies is asked for\ncycle manual-")
    assert done.err == ""
    ((by, trigger),) = night.execute("SELECT requested_by, trigger FROM dw_etl_runs")
    assert "@" in by
    assert trigger == "manual"


def test_where_nobody_works_that_is_said(night: Night, orchestrate: Orchestrate) -> None:
    night.execute("DELETE FROM dw_etl_processes")
    done = orchestrate("run", "start", "bronze_companies", "--json")
    assert (done.code, done.json["started"]) == (0, True)
    assert done.err.startswith("no worker is alive (there never was one)")


@pytest.mark.parametrize(
    ("arguments", "slugs"),
    [
        (["bronze_companies", "--downstream"], {"bronze_companies", "silver_companies", "gold_revenue"}),
        (["silver_companies", "--upstream"], {"bronze_companies", "silver_companies"}),
        (["--all"], {"bronze_companies", "bronze_prices", "silver_companies", "gold_revenue"}),
        (["--layer", "bronze"], {"bronze_companies", "bronze_prices"}),
        (["--tag", "spark"], {"bronze_companies"}),
        (["--layer", "gold", "--upstream"], {"bronze_companies", "bronze_prices", "silver_companies", "gold_revenue"}),
    ],
)
def test_many_are_one_cycle_in_which_children_wait(
    night: Night, orchestrate: Orchestrate, arguments: list[str], slugs: set[str]
) -> None:
    made = orchestrate("run", "start", *arguments, "--json").json
    assert {run["slug"] for run in made["runs"]} == slugs
    assert {row[1] for row in runs(night, "cycle_id")} == {made["cycle_id"]}
    parents = {"silver_companies": {"bronze_companies"}, "gold_revenue": {"silver_companies", "bronze_prices"}}
    for slug, _, _, is_ready in runs(night):
        assert is_ready is not bool(parents.get(slug, set()) & slugs)


def test_disabled_jobs_are_left_out_of_many_and_refused_alone(night: Night, orchestrate: Orchestrate) -> None:
    night.execute("UPDATE dw_etl_jobs SET is_enabled = false WHERE slug = 'bronze_prices'")
    done = orchestrate("run", "start", "--all")
    assert "left out, for they are disabled: bronze_prices" in done.out
    assert len(runs(night)) == 3
    refused = orchestrate("run", "start", "bronze_prices")
    assert refused.code == 2
    assert "job bronze_prices is disabled; `job enable bronze_prices`" in refused.err


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([], {"tables": ["companies"]}),
        (["--param", "tables=companies,brands"], {"tables": ["companies", "brands"]}),
        (["--param", 'tables=["brands"]', "--param", "day=2026"], {"tables": ["brands"], "day": "2026"}),
        (["--param", "limit=3"], {"tables": ["companies"], "limit": 3}),
        (["--parameters", '{"limit": 4.0, "day": "x"}'], {"tables": ["companies"], "limit": 4, "day": "x"}),
    ],
)
def test_parameters_are_put_over_the_jobs_own(
    night: Night, orchestrate: Orchestrate, given: list[str], kept: dict[str, Any]
) -> None:
    assert orchestrate("run", "start", "bronze_companies", *given).code == 0
    assert night.execute("SELECT parameters FROM dw_etl_runs") == [(kept,)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["bronze_companies", "--param", "limit=0"],
            "parameters of bronze_companies: $.limit: 0 is less than the minimum",
        ),
        (["bronze_companies", "--param", "tables=prices"], "$.tables[0]: "),
        (["bronze_companies", "--param", "tabels=brands"], "has no parameter 'tabels'; did you mean 'tables'?"),
        (
            ["bronze_companies", "--param", "day=postgresql://etl:hunter2@host/db"],
            "parameters of bronze_companies: $.day holds a secret; let the job read it from its environment",
        ),
        (["bronze_companies", "--param", "limit"], "--param: expected KEY=VALUE, found 'limit'"),
        (["bronze_companies", "--parameters", "{"], "--parameters: expected a JSON object, found what is no JSON"),
        (["bronze_companies", "--parameters", "[1]"], "--parameters: expected a JSON object, found [1]"),
        (["bronze_companies", "--parameters", '{"limit": 1, "limit": 2}'], "limit is there twice"),
        (["bronze_companies", "--parameters", '{"limit": 9007199254740993}'], "$.limit is a whole number beyond"),
        (["bronze_company"], "unknown job 'bronze_company'; did you mean 'bronze_companies'?"),
        ([], "expected a job's SLUG, or --all, or --layer or --tag; found none of them"),
        (["bronze_companies", "--all"], "found 'bronze_companies' and --all"),
        (["--all", "--param", "limit=1"], "--param is for one job: name it by its SLUG instead of --all"),
        (["--layer", "bronze", "--unless-succeeded"], "--unless-succeeded is for one job"),
        (["bronze_companies", "--correlation-id", "4711"], "--correlation-id: expected 1 to 200 letters"),
        (["bronze_companies", "--correlation-id", ""], "--correlation-id: expected 1 to 200 letters"),
        (["--tag", "sparc"], "--tag: no job has the tag 'sparc'; did you mean 'spark'?"),
        (["--layer", "bronz"], "--layer: no job is of layer 'bronz'; did you mean 'bronze'?"),
        (["--layer", "silver", "--tag", "spark"], "there are no such jobs"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_made(
    night: Night, orchestrate: Orchestrate, arguments: list[str], said: str
) -> None:
    done = orchestrate("run", "start", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert runs(night) == []


def test_a_secret_is_no_parameter_and_is_not_repeated(night: Night, orchestrate: Orchestrate) -> None:
    night.job("bronze_open", parameters_schema={"additionalProperties": True})
    for given in ("password=hunter2hunter2", "source=postgresql://me:hunter2hunter2@host/db"):
        done = orchestrate("run", "start", "bronze_open", "--param", given)
        assert (done.code, done.out) == (2, "")
        assert "holds a secret; let the job read it from its environment" in done.err
        assert "hunter2" not in done.err
    assert runs(night) == []
    run = night.run("bronze_open")
    orchestrate("run", "cancel", str(run), "--reason", "postgresql://me:hunter2hunter2@host/db was away")
    assert night.execute("SELECT reason FROM dw_etl_runs") == [("postgresql://me:***@host/db was away",)]


# the same id twice


def test_the_same_correlation_id_is_one_run(night: Night, orchestrate: Orchestrate) -> None:
    first = orchestrate(
        "run", "start", "bronze_companies", "--downstream", "--correlation-id", "ticket-1", "--json"
    ).json
    again = orchestrate("run", "start", "bronze_companies", "--downstream", "--correlation-id", "ticket-1")
    assert again.code == 0
    own = next(run["run_id"] for run in first["runs"] if run["slug"] == "bronze_companies")
    assert again.out.splitlines()[0] == f"run {own} of bronze_companies stands already: queued"
    assert len(runs(night)) == 3
    told = orchestrate("run", "start", "bronze_companies", "--correlation-id", "ticket-1", "--json").json
    assert (told["started"], told["cycle_id"]) == (False, first["cycle_id"])
    assert [run["run_id"] for run in told["runs"]] == [own]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["bronze_companies", "--param", "limit=5"],
            "has the correlation id 'ticket-1' already, with other parameters",
        ),
        (["bronze_prices"], "has the correlation id 'ticket-1' already, and is of job bronze_companies"),
    ],
)
def test_the_same_correlation_id_for_something_else_is_refused(
    night: Night, orchestrate: Orchestrate, arguments: list[str], said: str
) -> None:
    orchestrate("run", "start", "bronze_companies", "--correlation-id", "ticket-1")
    done = orchestrate("run", "start", *arguments, "--correlation-id", "ticket-1")
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert len(runs(night)) == 1


def test_who_asks_at_the_same_time_by_the_same_id_gets_one_cycle(night: Night, database: Any) -> None:
    from etl.orchestrator.command.starting import Wanted, ask

    wanted = Wanted("bronze_companies", downstream=True, correlation_id="ticket-2")
    asked: list[str] = []
    threads = [threading.Thread(target=lambda: asked.append(ask(database, wanted).cycle_id)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(asked) == 8
    assert len(set(asked)) == 1
    assert len(runs(night)) == 3


def test_unless_succeeded_looks_for_the_same_parameters(night: Night, orchestrate: Orchestrate) -> None:
    given = ["bronze_companies", "--unless-succeeded", "--param"]
    assert orchestrate("run", "start", *given, "limit=1").code == 0
    assert orchestrate("run", "start", *given, "limit=1", "--json").json["started"], "the first has not succeeded yet"
    night.execute("UPDATE dw_etl_runs SET status = 'success', ended_at = '2026-11-26 03:00+00' WHERE run_id = 1")
    done = orchestrate("run", "start", *given, "limit=1.0")
    assert done.code == 0
    assert "run 1 succeeded with these parameters at 2026-11-26 03:00:00; none is started" in done.out
    assert len(runs(night)) == 2
    assert orchestrate("run", "start", *given, "limit=2", "--json").json["started"]


# wait


def test_wait_ends_with_what_became_of_the_run(night: Night, orchestrate: Orchestrate, database: Any) -> None:
    from etl.orchestrator.queue.claims import Ending, claim, finish
    from etl.orchestrator.values import Counts, ErrorType, Failure, RunStatus

    failure = Failure(ErrorType.EXIT_CODE, "exit 2", "bad use", is_transient=False, exit_code=2)
    ends: dict[str, tuple[Ending, Failure | None]] = {
        "bronze_companies": (RunStatus.SUCCESS, None),
        "bronze_prices": (RunStatus.FAILED, failure),
    }

    def work(until: threading.Event) -> None:
        while not until.wait(0.1):
            for one in claim(database, "host-1", 4):
                status, why = ends[one.slug]
                finish(database, one, status, Counts(records_written=5), why, None)

    ended = threading.Event()
    worker = threading.Thread(target=work, args=(ended,))
    worker.start()
    try:
        done = orchestrate("run", "start", "bronze_companies", "--wait")
        failed = orchestrate("run", "start", "bronze_prices", "--wait", "--json")
    finally:
        ended.set()
        worker.join(60)
    assert done.code == 0
    assert "bronze_companies run 1 success" in done.out
    assert failed.code == 1
    assert failed.json["runs"][0]["status"] == "failed"
    assert "bronze_prices run 2 failed" in failed.err


# cancel


def test_cancel_ends_what_is_queued_and_asks_what_runs(night: Night, orchestrate: Orchestrate) -> None:
    queued = night.run("bronze_prices", ready_at="2026-11-26 02:00+00")
    running = night.run("bronze_companies", "running", fencing_token=1)
    night.lock(running)
    done = orchestrate("run", "cancel", str(queued), "--reason", "wrong day")
    assert (done.code, done.out) == (0, f"run {queued} is cancelled\n")
    done = orchestrate("run", "cancel", f"bronze_companies@{CYCLE}", "--reason", "wrong day")
    assert done.out.startswith(f"run {running} is being ended by its worker")
    ((status, by, reason),) = night.execute(
        "SELECT status, cancelled_by, reason FROM dw_etl_runs WHERE run_id = %s", (queued,)
    )
    assert (status, reason) == ("cancelled", "wrong day")
    assert by.endswith(f"@{os.uname().nodename}")
    refused = orchestrate("run", "cancel", str(queued), "--reason", "again")
    assert refused.code == 2
    assert "expected one that is queued or running, found cancelled" in refused.err


def test_cancel_of_a_cycle_is_of_all_that_is_open(night: Night, orchestrate: Orchestrate) -> None:
    made = orchestrate("run", "start", "--all", "--json").json
    done = orchestrate("run", "cancel", made["cycle_id"], "--reason", "not tonight", "--json")
    assert done.code == 0
    assert {row[2] for row in runs(night)} <= {"cancelled", "skipped"}
    assert orchestrate("run", "cancel", made["cycle_id"], "--reason", "x").code == 2


def test_cancel_without_a_reason_is_refused(night: Night, orchestrate: Orchestrate) -> None:
    run = night.run("bronze_prices")
    assert orchestrate("run", "cancel", str(run)).code == 2
    assert orchestrate("run", "cancel", str(run), "--reason", " ").code == 2
    assert night.execute("SELECT status FROM dw_etl_runs") == [("queued",)]


# retry


@pytest.fixture
def broken(night: Night) -> dict[str, int]:
    """A cycle in which one failed, and all behind it was skipped."""
    failed = night.run("bronze_companies", "failed")
    prices = night.run("bronze_prices", "success")
    silver = night.run("silver_companies", "skipped", [failed], because_run_id=failed)
    gold = night.run("gold_revenue", "skipped", [silver, prices], because_run_id=failed)
    return {"failed": failed, "prices": prices, "silver": silver, "gold": gold}


@pytest.mark.parametrize("named", ["failed", "silver", CYCLE])
def test_retry_goes_on_from_the_failure(
    night: Night, broken: dict[str, int], orchestrate: Orchestrate, named: str
) -> None:
    done = orchestrate("run", "retry", str(broken.get(named, named)), "--from-failure")
    assert done.code == 0, done.err
    assert done.out.splitlines()[0] == f"run {broken['failed']} of bronze_companies is queued again"
    assert f"run {broken['gold']} of gold_revenue is waiting again" in done.out
    assert [row[2:] for row in runs(night)] == [
        ("queued", True),
        ("success", False),
        ("queued", False),
        ("queued", False),
    ]


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("prices", "expected one that failed or was cancelled, found success"),
        ("silver", "found skipped; retry run 1, for which it was skipped"),
        (CYCLE, "is a cycle: `--from-failure` goes on from each of its failures"),
    ],
)
def test_what_is_no_failure_is_not_retried(
    night: Night, broken: dict[str, int], orchestrate: Orchestrate, named: str, said: str
) -> None:
    done = orchestrate("run", "retry", str(broken.get(named, named)))
    assert (done.code, done.out) == (2, "")
    assert said in done.err


# release


def test_a_lock_is_taken_from_who_holds_it(night: Night, orchestrate: Orchestrate) -> None:
    run = night.run("bronze_prices", "running", maximum_attempts=3)
    token = night.lock(run)
    night.execute("UPDATE dw_etl_runs SET fencing_token = %s WHERE run_id = %s", (token, run))
    done = orchestrate("lock", "release", "bronze_prices", "--reason", "its machine burns")
    assert done.code == 0, done.err
    assert done.out.startswith(
        f"run {run} of bronze_prices on host-1, token {token}: holds it no longer, and is tried again"
    )
    assert night.execute("SELECT status FROM dw_etl_job_locks") == [("released",)]
    assert night.execute("SELECT status FROM dw_etl_runs") == [("queued",)]
    refused = orchestrate("lock", "release", "bronze_prices", "--reason", "x")
    assert refused.code == 2
    assert "nothing is held" in refused.err
