"""What is asked of the orchestrator's state while it holds years of runs: the product's own statements, by its door."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from statistics import median, quantiles
from typing import Any

from bench.orchestrator_history import FILL_JOBS, FILL_RUNS, JOBS
from etl.config.settings import PostgreSQLSettings
from etl.ledger.migrations import read_migrations
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.installation import install
from etl.orchestrator.database.queries import SQL_DIRECTORY, statement
from etl.postgresql.connection import connect

Say = Callable[[str], None]

CALLS = 300
SCHEMA = "orchestrator"
_TICKS_AT_ONCE = 2000
_LIMIT = 50
_MIGRATIONS = SQL_DIRECTORY / "migrations"
_REACH_MS = {1_000_000: 5.0, 10_000_000: 10.0}


@dataclass(frozen=True)
class Asked:
    """Of one statement: milliseconds as a caller waits for them, and whether its plan reads all runs."""

    name: str
    rows: int
    p50_ms: float
    p95_ms: float
    longest_ms: float
    scans: bool

    @property
    def is_reached(self) -> bool:
        reach = next((_REACH_MS[rows] for rows in sorted(_REACH_MS) if self.rows <= rows), _REACH_MS[10_000_000])
        return self.p95_ms < reach and not self.scans

    def __str__(self) -> str:
        return (
            f"orchestrator: {self.rows:,} runs: {self.name}: p50 {self.p50_ms:.2f} ms, p95 {self.p95_ms:.2f} ms, "
            f"longest {self.longest_ms:.2f} ms{', READS ALL RUNS' if self.scans else ''}"
        )


def measure_queries(server: PostgreSQLSettings, rows: int, say: Say, calls: int = CALLS) -> list[Asked]:
    """Fills a database of its own with so many runs, and drops it at the end."""
    with _database(server) as settings, closing(OrchestratorDatabase(settings, SCHEMA)) as database:
        _fill(settings, rows, say)
        began = time.monotonic()
        install(database)
        say(f"orchestrator: indexes and constraints of {rows:,} runs in {time.monotonic() - began:.0f} s")
        _execute(settings, f"VACUUM ANALYZE {SCHEMA}.dw_etl_runs")
        asked = [_ask(database, name, values, rows, calls) for name, values in _questions(database).items()]
    for each in asked:
        say(str(each))
    return asked


def _fill(settings: PostgreSQLSettings, rows: int, say: Say) -> None:
    """Before there are indexes: `install` builds them beside the rows, as on a system that stands."""
    began = time.monotonic()
    ticks = -(-rows // JOBS)
    _execute(settings, f"CREATE SCHEMA {SCHEMA}; SET search_path = {SCHEMA}; {read_migrations(_MIGRATIONS)[0].text}")
    _execute(settings, f"SET search_path = {SCHEMA}; {FILL_JOBS}", {})
    for first in range(1, ticks + 1, _TICKS_AT_ONCE):
        values = {"first": first, "last": min(first + _TICKS_AT_ONCE - 1, ticks), "newest": ticks}
        _execute(settings, f"SET search_path = {SCHEMA}; {FILL_RUNS}", values)
    say(f"orchestrator: {ticks * JOBS:,} runs written in {time.monotonic() - began:.0f} s")


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


def _ask(database: OrchestratorDatabase, name: str, values: list[dict[str, Any]], rows: int, calls: int) -> Asked:
    spent = []
    for each in islice(cycle(values), calls):
        began = time.perf_counter()
        database.at_once(name, each)
        spent.append((time.perf_counter() - began) * 1000)
    scans = any(_scans(database, name, each) for each in values[:_LIMIT])
    return Asked(name, rows, median(spent), quantiles(spent, n=20)[-1], max(spent), scans)


def _scans(database: OrchestratorDatabase, name: str, values: dict[str, Any]) -> bool:
    with database.transaction(f"explain {name}") as cursor:
        cursor.execute(f"EXPLAIN (FORMAT TEXT) {statement(name)}", values)
        plan = "\n".join(row["QUERY PLAN"] for row in cursor.fetchall())
    return "Seq Scan on dw_etl_runs" in plan


@contextmanager
def _database(server: PostgreSQLSettings) -> Iterator[PostgreSQLSettings]:
    name = f"bench_{secrets.token_hex(4)}"
    _execute(server, f'CREATE DATABASE "{name}"')
    try:
        yield server.model_copy(update={"database": name})
    finally:
        _execute(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def _execute(settings: PostgreSQLSettings, text: str, values: dict[str, Any] | None = None) -> None:
    with closing(connect(settings)) as held:
        held.autocommit = True
        with held.cursor() as cursor:
            cursor.execute(text, values)
