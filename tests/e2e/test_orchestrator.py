"""One night of the product on a bare machine: all 72 jobs of conf/jobs as one cycle on the sample data, to the figures.

The tests of this file look at one cycle, which the first fixture runs.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from etl.clickhouse.door import ClickHouseDoor
from etl.config.orchestrator.jobs import JobsConfiguration, load_jobs
from etl.model import Destination
from etl.project import DEFAULT_CONFIG_DIR
from tests.databases import statements_of
from tests.e2e.conftest import Newcomer
from tests.e2e.counting import clickhouse_counts, postgresql_counts

SLOTS = 8
ETL = (sys.executable, "-m", "etl")

# 47 Spark sessions, two at once: a quarter of an hour, and several times that on a busy machine
pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(7200)]


@dataclass(frozen=True)
class Night:
    """A cycle that has ended."""

    someone: Newcomer
    jobs: JobsConfiguration
    query: Callable[..., list[Any]]
    """`cycle` is a view of the cycle's runs with their jobs."""
    seconds: float

    def spans(self, tag: str | None = None) -> list[tuple[float, float]]:
        """Of every attempt, or of those whose job has a tag: when it held its run, in seconds."""
        return self.query(
            """
            SELECT extract(epoch FROM acquired_at)::float8, extract(epoch FROM released_at)::float8
            FROM dw_etl_job_locks AS locks JOIN cycle USING (run_id)
            WHERE %s::text IS NULL OR EXISTS (
                SELECT FROM dw_etl_job_tags AS tags WHERE tags.job_id = cycle.job_id AND tags.tag = %s
            )
            """,
            (tag, tag),
        )


@pytest.fixture(scope="module")
def night(newcomer: Newcomer) -> Iterator[Night]:
    newcomer.run(*ETL, "stack", "up")
    someone = Newcomer({**newcomer.environment, **newcomer.variables()}, newcomer.reports, patience_seconds=7000)
    someone.run(*ETL, "sample")
    someone.run(*ETL, "orchestrator", "migrate")
    asked = json.loads(someone.run(*ETL, "orchestrator", "run", "start", "--all", "--json"))
    assert len(asked["runs"]) == 72
    began = time.monotonic()
    someone.run(*ETL, "orchestrator", "up", "--until-idle", "--slots", str(SLOTS))
    seconds = time.monotonic() - began
    settings = someone.configuration().settings.postgresql
    assert settings is not None
    with statements_of(settings) as query:
        query("SET search_path = orchestrator")
        # at the hour of its schedule, the scheduler makes one of its own beside it
        query(
            "CREATE TEMPORARY VIEW cycle AS SELECT runs.*, slug, layer FROM dw_etl_runs AS runs "
            f"JOIN dw_etl_jobs USING (job_id) WHERE cycle_id = '{asked['cycle_id']}'"
        )
        yield Night(someone, load_jobs(DEFAULT_CONFIG_DIR, {}), query, seconds)


def test_all_of_them_succeed(night: Night, record_property: Callable[[str, object], None]) -> None:
    rows = night.query(
        """
        SELECT slug, layer, status, attempts, error_message, extract(epoch FROM ended_at - started_at)::float8
        FROM cycle
        """
    )
    assert {slug for slug, *_ in rows} == night.jobs.jobs.keys()
    assert Counter(status for _, _, status, *_ in rows) == {"success": 72}, [row for row in rows if row[2] != "success"]
    retried = [slug for slug, _, _, attempts, *_ in rows if attempts > 1]
    record_property("measured", f"72 jobs in {night.seconds:.0f} s, {SLOTS} slots; tried again: {retried or 'none'}")
    for layer in ("bronze", "silver", "gold"):
        spent = sorted((seconds, slug) for slug, its_layer, *_, seconds in rows if its_layer == layer)
        total, (longest, slug) = sum(seconds for seconds, _ in spent), spent[-1]
        record_property("measured", f"{layer}: {len(spent)} jobs, {total:.0f} s, the longest {slug} {longest:.0f} s")


def test_no_child_begins_before_its_parents_have_succeeded(night: Night) -> None:
    rows = night.query(
        """
        SELECT child.started_at >= parent.ended_at AND child.cycle_id = parent.cycle_id AND parent.status = 'success'
        FROM dw_etl_run_dependencies AS waits
        JOIN cycle AS child USING (run_id)
        JOIN cycle AS parent ON parent.run_id = waits.parent_run_id
        """
    )
    assert len(rows) == sum(len(job.parents) for job in night.jobs.jobs.values())
    assert all(in_order for (in_order,) in rows)


@pytest.mark.parametrize(("tag", "maximum"), [(None, SLOTS), ("spark", 2)])
def test_never_more_at_once_than_allowed(night: Night, tag: str | None, maximum: int) -> None:
    moments = sorted(
        moment for begin, end in night.spans(tag) for moment in ((begin, 1), (end, -1))
    )  # of what ends and what begins at one instant the end comes first
    at_once = most = 0
    for _, change in moments:
        at_once += change
        most = max(most, at_once)
    assert 1 < most <= maximum
    assert at_once == 0
    assert night.query("SELECT count(*) FROM dw_etl_job_locks WHERE status = 'active'") == [(0,)]


def test_the_stores_hold_what_the_source_holds(night: Night) -> None:
    configuration = night.someone.configuration()
    source = postgresql_counts(configuration.settings.source, configuration.tables)
    assert postgresql_counts(configuration.settings.postgresql, configuration.tables) == source
    assert clickhouse_counts(configuration, list(configuration.tables)) == source


def test_every_figure_is_there(night: Night) -> None:
    gold = [job for job in night.jobs.jobs.values() if job.layer == "gold"]
    server = night.someone.configuration().settings.clickhouse
    assert server is not None
    with ClickHouseDoor(server) as clickhouse:
        for job in gold:
            if job.store == "postgresql":
                ((rows,),) = night.query(f"SELECT count(*) FROM gold.{job.slug.removeprefix('gold_')}")
            else:
                ((rows,),) = clickhouse.query(f"SELECT count() FROM {job.slug}")
            assert rows > 0, job.slug


def test_what_each_run_touched_is_known(night: Night) -> None:
    touched = night.query(
        """
        SELECT slug, ledger, table_name, destination, rows_written
        FROM dw_etl_run_tables JOIN cycle USING (run_id)
        """
    )
    by_main = Counter(destination for _, ledger, _, destination, _ in touched if ledger == "main")
    # rows that waited for parents may be loaded by a run of their own
    assert by_main[Destination.S3] == 79
    assert by_main[Destination.POSTGRESQL] >= 79 and by_main[Destination.CLICKHOUSE] >= 79
    for slug, ledger, table, _, rows in touched:
        if ledger == "main" and slug.startswith(("bronze", "silver")) and slug != "silver_waiting_rows":
            assert table in night.jobs.jobs[slug].parameters["tables"]
            assert rows > 0, (slug, table)
    others = {(slug, ledger) for slug, ledger, *_ in touched if ledger != "main"}
    assert others == {
        ("silver_staging_audience_events", "staging"),
        ("silver_staging_newsletter_subscribers", "staging"),
        ("silver_page_views", "uploader"),
    }
    totals = night.query(
        "SELECT slug FROM cycle "
        "WHERE records_written IS NULL AND slug NOT IN ('silver_staging_tables', 'silver_waiting_rows')"
    )
    assert totals == []


def test_what_has_succeeded_is_not_done_again_where_one_asks_so(night: Night) -> None:
    """Parameters are known by their fingerprint."""
    command = (*ETL, "orchestrator", "run", "start", "gold_daily_readers", "--unless-succeeded", "--json")
    before = night.query("SELECT count(*) FROM dw_etl_runs")
    assert json.loads(night.someone.run(*command))["started"] is False
    assert night.query("SELECT count(*) FROM dw_etl_runs") == before
