"""The gold jobs as they are shipped, run as a worker's child runs them, on the source's schema filled with the sample:
each has something to say, says the same twice, and touches no day outside its window."""

from __future__ import annotations

import re
import secrets
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from etl.clickhouse.door import ClickHouseDoor
from etl.config.configuration import load_configuration
from etl.config.destinations.clickhouse.settings import ClickHouseSettings
from etl.config.orchestrator.jobs import JobConfig, load_jobs
from etl.model import TableDefinition
from etl.orchestrator.work.child import Task
from etl.orchestrator.work.sql_job import run_script
from etl.project import DEFAULT_CONFIG_DIR, PROJECT_DIR
from etl.sample.__main__ import app
from etl.statements.types import clickhouse_type_of, spark_type_of
from tests.databases import Execute, database_of_its_own, statements_of

if TYPE_CHECKING:
    from tests.conftest import RunningStack

LAST_DAY = date(2026, 6, 30)
TONIGHT = "2026-11-26T01:00:00+00:00"
"""Long after the sample's last day."""

GOLD = {slug: job for slug, job in load_jobs(DEFAULT_CONFIG_DIR, {}).jobs.items() if job.layer == "gold"}
ON_POSTGRESQL = [slug for slug, job in GOLD.items() if job.store == "postgresql"]
ON_CLICKHOUSE = [slug for slug, job in GOLD.items() if job.store == "clickhouse"]
OF_THE_RUNS_DAY = {
    "gold_subscriptions",
    "gold_consent_states",
    "gold_compliance_deadlines",
    "gold_retention_gaps",
    "gold_media_licences",
}
"""They say how things stand; the others what happened on which day."""


@dataclass(frozen=True)
class Warehouse:
    """The sample in both stores; `url` of the one, settings of the other."""

    url: str
    clickhouse_url: str
    execute: Execute
    clickhouse: ClickHouseSettings

    def rows(self, job: JobConfig) -> list[Any]:
        if job.store == "postgresql":
            return self.execute(f"SELECT * FROM gold.{job.slug.removeprefix('gold_')} ORDER BY 1, 2, 3, 4, 5")
        with ClickHouseDoor(self.clickhouse) as door:
            return door.query(f"SELECT * FROM {job.slug} ORDER BY ALL")


@pytest.fixture(scope="module")
def warehouse(stack: RunningStack) -> Iterator[Warehouse]:
    server = stack.settings.clickhouse
    assert server is not None
    clickhouse = server.model_copy(update={"database": f"gold_test_{secrets.token_hex(4)}"})
    with database_of_its_own(stack.settings.postgresql, "gold_test") as settings, statements_of(settings) as execute:
        url = re.sub(r"/[^/]*$", f"/{settings.database}", stack.postgres_url)
        _fill(url)
        with ClickHouseDoor(server) as door:
            door.execute(f"CREATE DATABASE {clickhouse.database}")
            _copy_read_tables(execute, clickhouse)
            yield Warehouse(
                url, re.sub(r"/[^/]*$", f"/{clickhouse.database}", stack.clickhouse_url), execute, clickhouse
            )
            door.execute(f"DROP DATABASE {clickhouse.database} SYNC")


@pytest.fixture
def run(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("ETL_POSTGRES_URL", warehouse.url)
    monkeypatch.setenv("ETL_CLICKHOUSE_URL", warehouse.clickhouse_url)
    kept = signal.getsignal(signal.SIGTERM)

    def run(job: JobConfig, scheduled_at: str = TONIGHT, **parameters: Any) -> Mapping[str, Any]:
        given = {"scheduled_at": scheduled_at, "interval_from": None, "interval_until": None, "cycle": "c", "run_id": 1}
        return run_script(Task(job.command, {**job.parameters, **parameters}, given, DEFAULT_CONFIG_DIR))

    yield run
    signal.signal(signal.SIGTERM, kept)


@pytest.mark.parametrize("slug", GOLD)
def test_each_has_something_to_say_and_says_the_same_twice(slug: str, warehouse: Warehouse, run: Any) -> None:
    job = GOLD[slug]
    assert run(job)["records_written"] > 0
    first = warehouse.rows(job)
    assert first
    run(job)
    assert warehouse.rows(job) == first


@pytest.mark.parametrize("slug", [slug for slug, job in GOLD.items() if "days" in job.parameters])
def test_what_lies_outside_the_window_stays(slug: str, warehouse: Warehouse, run: Any) -> None:
    job = GOLD[slug]
    run(job)
    first = warehouse.rows(job)
    if slug in OF_THE_RUNS_DAY:
        run(job, "2026-11-25T01:00:00+00:00")
        again = warehouse.rows(job)
        assert [row for row in again if str(row[0]) == "2026-11-26"] == first
        assert {str(row[0]) for row in again} == {"2026-11-25", "2026-11-26"}
        return
    yesterday = LAST_DAY - timedelta(days=1)
    spoil(warehouse, job)
    run(job, f"{yesterday}T22:00:00+00:00", days=2)
    for before, after in zip(first, warehouse.rows(job), strict=True):
        is_inside = yesterday - timedelta(days=1) <= date.fromisoformat(str(before[0])) <= yesterday
        assert (list(after) == list(before)) == is_inside, (before, after)
    run(job)
    assert warehouse.rows(job) == first


def spoil(warehouse: Warehouse, job: JobConfig) -> None:
    """Every row's count becomes one that no run would write."""
    if job.store == "postgresql":
        column = {"gold_data_quality_scores": "checks", "gold_model_performance": "predictions"}[job.slug]
        warehouse.execute(f"UPDATE gold.{job.slug.removeprefix('gold_')} SET {column} = -1")
        return
    with ClickHouseDoor(warehouse.clickhouse) as door:
        ((column,),) = door.query(
            "SELECT name FROM system.columns WHERE database = currentDatabase() "
            f"AND table = '{job.slug}' AND type = 'UInt64' ORDER BY position LIMIT 1"
        )
        door.execute(f"ALTER TABLE {job.slug} UPDATE {column} = 999999999 WHERE true SETTINGS mutations_sync = 1")


def _fill(url: str) -> None:
    variable = "GOLD_TEST_URL"
    done: Result = CliRunner().invoke(app, ["--scale", "0.005", "--url-env", variable], env={variable: url})
    assert done.exit_code == 0, done.output


def _copy_read_tables(execute: Execute, clickhouse: ClickHouseSettings) -> None:
    """What the jobs read, with the source's columns in the types that a load gives them."""
    definitions = load_configuration(DEFAULT_CONFIG_DIR, {}).definitions
    words = (
        " ".join((PROJECT_DIR / str(GOLD[slug].sql)).read_text() for slug in ON_CLICKHOUSE).replace("(", " ").split()
    )
    with ClickHouseDoor(clickhouse) as door:
        for table in sorted(definitions.keys() & set(words)):
            door.execute(_create(definitions[table]))
            lines = [row for (row,) in execute(f'SELECT json_strip_nulls(row_to_json(t))::text FROM "{table}" AS t')]
            door.insert(
                f"INSERT INTO {table} SETTINGS date_time_input_format = 'best_effort' FORMAT JSONEachRow",
                "\n".join(lines).encode(),
            )


def _create(table: TableDefinition) -> str:
    columns = ", ".join(
        f"`{column.name}` {clickhouse_type_of(spark_type_of(column.type), nullable=column.nullable)}"
        for column in table.columns
    )
    key = ", ".join(table.primary_key)
    return f"CREATE TABLE {table.name} ({columns}) ENGINE = ReplacingMergeTree ORDER BY ({key})"
