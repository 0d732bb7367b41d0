"""`etl orchestrator job …`: what is printed, what `--json` has, what is refused."""

from __future__ import annotations

import pytest

from tests.databases import Execute
from tests.integration.orchestrator.command.conftest import Orchestrate
from tests.integration.orchestrator.command.nights import Night, seventy_two

pytestmark = pytest.mark.stack


@pytest.fixture
def night(database: object, execute: Execute) -> Night:
    night = Night(execute)
    night.job("bronze_companies", title="Companies into the lake", tags=["spark", "base"], priority=7)
    night.job("silver_companies", ["bronze_companies"])
    night.job("silver_prices", ["bronze_companies"], is_enabled=False)
    night.job("gold_revenue", ["silver_companies", "silver_prices"])
    return night


def test_the_list_has_each_job_with_its_latest_run_and_its_next_tick(night: Night, orchestrate: Orchestrate) -> None:
    night.execute(
        "INSERT INTO dw_etl_schedules (job_id, cron, next_run_at) "
        "SELECT job_id, '0 2 * * *', '2026-11-27 02:00+00' FROM dw_etl_jobs WHERE slug = 'bronze_companies'"
    )
    night.run("bronze_companies", "success", cycle_id="before", scheduled_at="2026-11-25 02:00+00")
    night.run("bronze_companies", "failed")
    done = orchestrate("job", "list")
    (line,) = (line for line in done.out.splitlines() if "bronze_companies" in line)
    assert line.split() == [
        "bronze", "bronze_companies", "failed", "2026-11-26", "02:03:05", "3:00", "2026-11-27", "02:00:00",
    ]  # fmt: skip
    assert "silver_prices (disabled)" in done.out
    assert done.code == 0


def test_the_list_as_json_holds_what_a_script_needs(night: Night, orchestrate: Orchestrate) -> None:
    run = night.run("bronze_companies", "success")
    jobs = {job["slug"]: job for job in orchestrate("job", "list", "--json").json}
    assert list(jobs) == ["bronze_companies", "gold_revenue", "silver_companies", "silver_prices"]
    bronze = jobs["bronze_companies"]
    assert (bronze["run_id"], bronze["status"], bronze["tags"]) == (run, "success", ["base", "spark"])
    assert jobs["gold_revenue"]["run_id"] is None


def test_the_list_is_of_a_layer_or_a_tag(night: Night, orchestrate: Orchestrate) -> None:
    of_layer = orchestrate("job", "list", "--layer", "silver", "--json").json
    assert [job["slug"] for job in of_layer] == ["silver_companies", "silver_prices"]
    assert [job["slug"] for job in orchestrate("job", "list", "--tag", "spark", "--json").json] == ["bronze_companies"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["job", "list", "--layer", "sliver"], "no job is of layer 'sliver'; did you mean 'silver'?"),
        (["job", "list", "--tag", "sparc"], "no job has the tag 'sparc'; did you mean 'spark'?"),
        (["job", "show", "bronze_company"], "unknown job 'bronze_company'; did you mean 'bronze_companies'?"),
        (["job", "enable", "nope"], "unknown job 'nope'; there are: bronze_companies, gold_revenue, silver_companies"),
        (["job", "graph", "gold_revenu"], "did you mean 'gold_revenue'?"),
        (["job", "graph", "--format", "png"], "'png'"),
        (["job", "lst"], "No such command 'lst'. Did you mean 'list'?"),
    ],
)
def test_bad_use_ends_with_2_and_names_what_was_meant(
    night: Night, orchestrate: Orchestrate, arguments: list[str], said: str
) -> None:
    done = orchestrate(*arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_without_jobs_what_brings_them_is_said(database: object, orchestrate: Orchestrate) -> None:
    assert orchestrate("job", "list").out == "no jobs\n"
    done = orchestrate("job", "show", "any")
    assert done.code == 2
    assert "there are no jobs" in done.err
    assert "orchestrator migrate` brings those of conf/jobs" in done.err


def test_a_job_is_shown_with_all_that_is_known(night: Night, orchestrate: Orchestrate) -> None:
    night.run("bronze_companies", "success")
    said = orchestrate("job", "show", "bronze_companies").out
    for part in (
        "bronze_companies  Companies into the lake",
        "layer         bronze, tags base, spark",
        "starts        etl run",
        "children      silver_companies, silver_prices",
        "retries       2, 10s to 5m apart",
        "last run      run 1 success 2026-11-26 02:03:05",
    ):
        assert part in said
    known = orchestrate("job", "show", "gold_revenue", "--json").json
    assert known["parents"] == ["silver_companies", "silver_prices"]
    assert (known["runs"], known["priority"]) == ([], 0)


def test_a_job_is_disabled_and_enabled_and_twice_makes_no_difference(night: Night, orchestrate: Orchestrate) -> None:
    assert orchestrate("job", "disable", "bronze_companies").out == "bronze_companies is disabled\n"
    assert orchestrate("job", "disable", "bronze_companies").out == "bronze_companies was disabled already\n"
    assert night.execute("SELECT is_enabled FROM dw_etl_jobs WHERE slug = 'bronze_companies'") == [(False,)]
    told = orchestrate("job", "enable", "bronze_companies", "--json").json
    assert told == {"slug": "bronze_companies", "is_enabled": True, "changed": True}


def test_the_graph_of_72_jobs_names_each_once_by_layers(
    database: object, execute: Execute, orchestrate: Orchestrate
) -> None:
    seventy_two(Night(execute))
    lines = orchestrate("job", "graph").out.splitlines()
    assert [line for line in lines if line.endswith(" jobs")] == ["bronze  24 jobs", "silver  28 jobs", "gold  20 jobs"]
    named = [line.split()[1 if line.split()[0] != "└" else 2] for line in lines if line.startswith("  ")]
    assert len(named) == len(set(named)) == 72
    assert "  └ · silver_store_of_04  ← bronze_source_table_04" in [line.rstrip() for line in lines]
    assert any(line.startswith("  ✗ bronze_source_table_05") for line in lines)


def test_the_graph_around_a_job_is_what_it_needs_and_what_needs_it(night: Night, orchestrate: Orchestrate) -> None:
    said = orchestrate("job", "graph", "silver_companies").out
    above, _, below = said.partition("on it depend")
    assert "bronze_companies" in above
    assert "gold_revenue" in below
    assert "silver_prices" not in said


def test_the_graph_is_given_to_graphviz_and_to_scripts(night: Night, orchestrate: Orchestrate) -> None:
    drawn = orchestrate("job", "graph", "--format", "dot").out
    assert drawn.startswith("digraph jobs {")
    assert drawn.count("subgraph") == 3
    assert '"silver_prices" -> "gold_revenue";' in drawn
    known = orchestrate("job", "graph", "gold_revenue", "--json").json
    assert {"parent": "silver_prices", "child": "gold_revenue"} in known["dependencies"]
    assert len(known["jobs"]) == 4
