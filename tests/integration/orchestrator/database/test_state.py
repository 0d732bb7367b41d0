"""What stands is found by indexes, however many runs there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from bench.orchestrator_history import FILL_JOBS, FILL_RUNS
from etl.config.settings import PostgreSQLSettings
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.installation import install
from etl.orchestrator.database.queries import statement
from tests.databases import Execute, database_of_its_own, statements_of

if TYPE_CHECKING:
    from tests.conftest import RunningStack

pytestmark = pytest.mark.stack

TICKS = 700
FINGERPRINT = "md5(jsonb_build_object('number', 60)::text)"
SLUG = "gold_job_60"


@pytest.fixture(scope="module")
def busy(stack: RunningStack) -> Iterator[PostgreSQLSettings]:
    """Some 50,000 runs, which the tests only read."""
    with (
        database_of_its_own(stack.settings.postgresql, "orchestrator_state") as settings,
        statements_of(settings) as execute,
    ):
        with closing(OrchestratorDatabase(settings, "orchestrator")) as database:
            install(database)
        execute("SET search_path = orchestrator")
        execute(FILL_JOBS, {})
        execute(FILL_RUNS, {"first": 1, "last": TICKS, "newest": TICKS})
        execute("ANALYZE")
        yield settings


@pytest.fixture
def database(busy: PostgreSQLSettings) -> Iterator[OrchestratorDatabase]:
    with closing(OrchestratorDatabase(busy, "orchestrator")) as database:
        yield database


@pytest.fixture
def execute(busy: PostgreSQLSettings) -> Iterator[Execute]:
    with statements_of(busy) as execute:
        execute("SET search_path = orchestrator; SET timezone = 'UTC'")
        yield execute


@pytest.fixture
def asked(execute: Execute) -> dict[str, dict[str, Any]]:
    ((fingerprint,),) = execute(f"SELECT {FINGERPRINT}")
    return {
        "latest_success_per_parent": {"slug": SLUG},
        "recent_failures": {"before_at": None, "before_run_id": None, "limit": 20},
        "job_history": {"slug": SLUG, "before_at": None, "before_run_id": None, "limit": 20},
        "runs_by_fingerprint": {"slug": SLUG, "fingerprint": fingerprint, "status": "success", "limit": 20},
        "state_of_jobs": {},
    }


def test_no_scan_of_all_runs(asked: dict[str, dict[str, Any]], execute: Execute) -> None:
    for name, values in asked.items():
        (plan,) = execute(f"EXPLAIN (FORMAT JSON) {statement(name)}", values)
        on_runs = [node for node in nodes_of(plan[0][0]["Plan"]) if node.get("Relation Name") == "dw_etl_runs"]
        assert on_runs, name
        assert {node["Node Type"] for node in on_runs} <= {"Index Scan", "Index Only Scan"}, name


def nodes_of(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", ()) for node in nodes_of(child))]


def test_each_finds_what_is_there(
    asked: dict[str, dict[str, Any]], database: OrchestratorDatabase, execute: Execute
) -> None:
    found = {name: database.at_once(name, values) for name, values in asked.items()}

    parents = execute(
        """SELECT p.slug, max(r.ended_at) FROM dw_etl_job_dependencies d JOIN dw_etl_jobs p ON p.job_id = parent_job_id
        JOIN dw_etl_jobs c ON c.job_id = child_job_id JOIN dw_etl_runs r ON r.job_id = p.job_id AND r.status = 'success'
        WHERE c.slug = %s GROUP BY p.slug ORDER BY p.slug""",
        (SLUG,),
    )
    assert [(row["slug"], row["ended_at"]) for row in found["latest_success_per_parent"]] == parents
    assert len(parents) > 1
    failures = execute(
        "SELECT run_id FROM dw_etl_runs WHERE status = 'failed' ORDER BY scheduled_at DESC, run_id DESC LIMIT 20"
    )
    assert [(row["run_id"],) for row in found["recent_failures"]] == failures
    assert len(found["job_history"]) == 20
    assert {row["parameters"]["number"] for row in found["runs_by_fingerprint"]} == {60}
    states = found["state_of_jobs"]
    assert len(states) == 72
    assert (
        sum(row["running"] for row in states)
        == execute("SELECT count(*) FROM dw_etl_runs WHERE ended_at IS NULL")[0][0]
    )
    assert all(row["succeeded_at"] for row in states)


def test_lists_go_on_behind_a_row(
    asked: dict[str, dict[str, Any]], database: OrchestratorDatabase, execute: Execute
) -> None:
    for name, expected in (
        ("recent_failures", "status = 'failed'"),
        ("job_history", f"job_id = (SELECT job_id FROM dw_etl_jobs WHERE slug = '{SLUG}')"),
    ):
        first = database.at_once(name, asked[name])
        place = {"before_at": first[-1]["scheduled_at"], "before_run_id": first[-1]["run_id"]}
        second = database.at_once(name, {**asked[name], **place})
        rows = execute(
            f"SELECT run_id FROM dw_etl_runs WHERE {expected} ORDER BY scheduled_at DESC, run_id DESC LIMIT 40"
        )
        assert [(row["run_id"],) for row in (*first, *second)] == rows
