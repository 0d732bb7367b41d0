"""What is asked of the orchestrator's state while it holds years of runs: the product's own statements, by its door."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from bench.measure import Ratio, Timing
from bench.orchestrator_history import FILL_JOBS, FILL_RUNS, JOBS, write_log
from etl.config.settings import PostgreSQLSettings
from etl.config.urls import postgresql_fields
from etl.ledger.migrations import read_migrations
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.installation import install
from etl.orchestrator.database.queries import SQL_DIRECTORY, statement
from etl.orchestrator.history import import_history
from etl.postgresql.connection import connect

if TYPE_CHECKING:
    from bench.orchestrator import Course

Say = Callable[[str], None]

SECTION = "orchestrator"
CALLS = 300
ROWS, REACH_MS = 1_000_000, 5.0
LARGE_ROWS, LARGE_REACH_MS = 10_000_000, 10.0
LOG_ROWS = 200_000
SCHEMA = "orchestrator"
_TICKS_AT_ONCE = 2000
_LIMIT = 50
_MIGRATIONS = SQL_DIRECTORY / "migrations"


@dataclass(frozen=True)
class Asked:
    """Of one statement: milliseconds as a caller waits for them."""

    name: str
    milliseconds: list[float]

    @property
    def p95(self) -> float:
        return quantiles(self.milliseconds, n=20, method="inclusive")[-1]


def measure_state(course: Course, rows: int = ROWS, reach_ms: float = REACH_MS) -> None:
    """p95 of 300 calls of each statement, on so many runs."""
    with course.database("bench_state") as dsn:
        settings = PostgreSQLSettings(**postgresql_fields(dsn))
        with closing(OrchestratorDatabase(settings, SCHEMA)) as database:
            _fill(settings, rows, course.say)
            began = time.monotonic()
            install(database)
            seconds = time.monotonic() - began
            course.say(f"{rows:,} runs: indexes and constraints in {seconds:.0f} s")
            course.results.timings.append(Timing(SECTION, f"migrate, {rows:,} runs without indexes", rows, (seconds,)))
            _execute(settings, f"VACUUM ANALYZE {SCHEMA}.dw_etl_runs")
            asked = [_ask(database, name, values) for name, values in _questions(database).items()]
    for each in asked:
        what = f"{rows:,} runs: {each.name}: p95 of {CALLS} calls, ms"
        course.say(f"{what}: {each.p95:.2f} (median {median(each.milliseconds):.2f})")
        course.results.ratios.append(Ratio(SECTION, what, each.p95, reach_ms, is_upper_bound=True))


def measure_large_state(course: Course) -> None:
    """The same on ten times as many."""
    measure_state(course, LARGE_ROWS, LARGE_REACH_MS)


def measure_import(course: Course) -> None:
    """A log of 200,000 runs, into empty tables and then once more."""
    with course.database("bench_import") as dsn, TemporaryDirectory() as folder:
        settings = PostgreSQLSettings(**postgresql_fields(dsn))
        with closing(OrchestratorDatabase(settings, SCHEMA)) as database:
            install(database)
            _execute(settings, f"SET search_path = {SCHEMA}; {FILL_JOBS}", {})
            log = write_log(Path(folder) / "log.csv", LOG_ROWS)
            first, again = import_history(database, log), import_history(database, log)
    if (first.imported, again.imported) != (LOG_ROWS, 0):
        raise RuntimeError(f"expected {LOG_ROWS} runs and then none, found {first.imported} and {again.imported}")
    for report, what in ((first, "import of a log"), (again, "import of the same log again")):
        course.results.timings.append(Timing(SECTION, what, LOG_ROWS, (report.seconds,)))
        course.say(f"{what}: {LOG_ROWS / report.seconds:,.0f} rows/s")
    course.results.ratios.append(Ratio(SECTION, "import, rows a second", LOG_ROWS / first.seconds, 10_000))


def _fill(settings: PostgreSQLSettings, rows: int, say: Say) -> None:
    """Before there are indexes: `install` builds them beside the rows, as on a system that stands."""
    began = time.monotonic()
    ticks = -(-rows // JOBS)
    _execute(settings, f"CREATE SCHEMA {SCHEMA}; SET search_path = {SCHEMA}; {read_migrations(_MIGRATIONS)[0].text}")
    _execute(settings, f"SET search_path = {SCHEMA}; {FILL_JOBS}", {})
    for first in range(1, ticks + 1, _TICKS_AT_ONCE):
        values = {"first": first, "last": min(first + _TICKS_AT_ONCE - 1, ticks), "newest": ticks}
        _execute(settings, f"SET search_path = {SCHEMA}; {FILL_RUNS}", values)
    say(f"{ticks * JOBS:,} runs written in {time.monotonic() - began:.0f} s")


def _questions(database: OrchestratorDatabase) -> dict[str, list[dict[str, Any]]]:
    """Each of another job, of another time, with other parameters."""
    with database.transaction("choose") as cursor:
        cursor.execute("SELECT slug, layer, parameters FROM dw_etl_jobs ORDER BY job_id")
        jobs = [dict(row) for row in cursor.fetchall()]
        cursor.execute(
            "SELECT jobs.slug, run_id, scheduled_at, parameter_fingerprint FROM dw_etl_jobs AS jobs,"
            " LATERAL (SELECT * FROM dw_etl_runs WHERE job_id = jobs.job_id AND scheduled_at <= now() - random()"
            " * interval '60 days' ORDER BY scheduled_at DESC LIMIT 4) AS runs"
        )
        places = [dict(row) for row in cursor.fetchall()]
    newest = {"before_at": None, "before_run_id": None, "limit": _LIMIT}
    behind = [
        {"before_at": place["scheduled_at"], "before_run_id": place["run_id"], "limit": _LIMIT} for place in places
    ]
    return {
        "latest_success_per_parent": [{"slug": job["slug"]} for job in jobs if job["layer"] != "bronze"],
        "recent_failures": [newest, *behind],
        "job_history": [
            *({"slug": job["slug"], **newest} for job in jobs),
            *({"slug": place["slug"], **at} for place, at in zip(places, behind, strict=True)),
        ],
        "runs_by_fingerprint": [
            {"slug": place["slug"], "fingerprint": place["parameter_fingerprint"], "status": status, "limit": _LIMIT}
            for place in places
            for status in (None, "success")
        ],
        "state_of_jobs": [{}],
    }


def _ask(database: OrchestratorDatabase, name: str, values: list[dict[str, Any]]) -> Asked:
    for each in values[:_LIMIT]:
        _refuse_scan(database, name, each)
    spent = []
    for each in islice(cycle(values), CALLS):
        began = time.perf_counter()
        database.at_once(name, each)
        spent.append((time.perf_counter() - began) * 1000)
    return Asked(name, spent)


def _refuse_scan(database: OrchestratorDatabase, name: str, values: dict[str, Any]) -> None:
    with database.transaction(f"explain {name}") as cursor:
        cursor.execute(f"EXPLAIN (FORMAT TEXT) {statement(name)}", values)
        plan = "\n".join(row["QUERY PLAN"] for row in cursor.fetchall())
    if "Seq Scan on dw_etl_runs" in plan:
        raise RuntimeError(f"{name} reads all runs:\n{plan}")


def _execute(settings: PostgreSQLSettings, text: str, values: dict[str, Any] | None = None) -> None:
    with closing(connect(settings)) as held:
        held.autocommit = True
        with held.cursor() as cursor:
            cursor.execute(text, values)
