"""The orchestrator's figures, on an embedded PostgreSQL; each scenario has a database of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psycopg2

from bench.measure import Ratio, Results, Timing
from bench.orchestrator_queries import measure_import, measure_large_state, measure_state
from bench.orchestrator_ticks import measure_ticks
from bench.peers.environment import OF_THE_QUEUE, PeersEnvironment, prepare_environment
from etl.config.settings import PostgreSQLSettings
from etl.config.urls import postgresql_fields
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.installation import install
from etl.project import PROJECT_DIR
from tests.databases import drop_database

Say = Callable[[str], None]
Tell = Callable[..., Any]

SECTION = "orchestrator"
WORKERS, KEYS = 16, 72
BEHIND, FREE = 100_000, 200
OURS = [sys.executable, "-m", "bench.peers.lanes"]
THEIRS = str(Path(__file__).parent / "peers" / "procrastinate_lanes.py")

TOPOLOGIES = {"one process": (1, WORKERS), "16 processes": (WORKERS, 1)}
"""(processes, lanes in each)."""

ADD_JOBS = """
INSERT INTO dw_etl_jobs (slug, layer, kind, command, concurrency_key)
SELECT 'job-' || number, 'bronze', 'command', '{"argv": ["true"]}', 'key-' || number
FROM generate_series(0, %(keys)s - 1) AS number
"""
ADD_RUNS = """
INSERT INTO dw_etl_runs (
    job_id, cycle_id, trigger, scheduled_at, parameter_fingerprint, concurrency_key, ready_at, maximum_attempts
)
SELECT job_id, 'cycle-' || turn, 'manual', now(), '', concurrency_key, clock_timestamp(), 3
FROM generate_series(1, %(runs)s / (SELECT count(*) FROM dw_etl_jobs) + 1) AS turn, dw_etl_jobs
ORDER BY turn, job_id LIMIT %(runs)s
"""
ADD_BACKLOG = """
INSERT INTO dw_etl_jobs (slug, layer, kind, command, concurrency_key)
VALUES ('held', 'bronze', 'command', '{"argv": ["true"]}', 'held');
INSERT INTO dw_etl_runs (
    job_id, cycle_id, trigger, scheduled_at, parameter_fingerprint, concurrency_key, ready_at, priority
)
SELECT job_id, 'behind-' || turn, 'manual', now(), '', 'held', now() - interval '1 day', 9
FROM generate_series(1, %(behind)s) AS turn, dw_etl_jobs WHERE slug = 'held';
INSERT INTO dw_etl_job_locks (job_id, run_id, concurrency_key, worker_id, attempt, expires_at)
SELECT job_id, min(run_id), 'held', 'somebody', 1, now() + interval '1 day'
FROM dw_etl_runs WHERE concurrency_key = 'held' GROUP BY job_id
"""
PROOF = """
WITH attempt AS (
    SELECT
        run.run_id, run.concurrency_key AS key, min(told.ts) FILTER (WHERE told.event_type = 'claimed') AS claimed,
        max(told.ts) FILTER (WHERE told.event_type = 'succeeded') AS ended,
        count(*) FILTER (WHERE told.event_type = 'claimed') AS claims,
        count(*) FILTER (WHERE told.event_type = 'succeeded') AS ends
    FROM dw_etl_run_events AS told JOIN dw_etl_runs AS run USING (run_id) GROUP BY run.run_id
), in_turn AS (
    SELECT *, lag(ended) OVER (PARTITION BY key ORDER BY claimed) AS before FROM attempt
)
SELECT
    count(*) AS runs, count(*) FILTER (WHERE claims <> 1 OR ends <> 1) AS not_once,
    count(*) FILTER (WHERE before > claimed) AS together
FROM in_turn
"""
THEIR_PROOF = """
WITH attempt AS (
    SELECT
        job.id, job.lock AS key, min(told.at) FILTER (WHERE told.type = 'started') AS claimed,
        max(told.at) FILTER (WHERE told.type = 'succeeded') AS ended,
        count(*) FILTER (WHERE told.type = 'started') AS claims, count(*) FILTER (WHERE told.type = 'succeeded') AS ends
    FROM procrastinate_events AS told JOIN procrastinate_jobs AS job ON job.id = told.job_id GROUP BY job.id
)
SELECT count(*) AS runs, count(*) FILTER (WHERE claims <> 1 OR ends <> 1) AS not_once, 0 AS together FROM attempt
"""


@dataclass(frozen=True)
class Plan:
    """`runs`: how many are claimed and ended in a turn."""

    runs: int = 10_000
    rounds: int = 3


@dataclass(frozen=True)
class Course:
    """What a scenario has: a server to make databases on, where its results go."""

    dsn: str
    plan: Plan
    results: Results
    say: Say

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """The URL of an empty one, gone when the block ends."""
        self._tell(f'CREATE DATABASE "{name}"')
        try:
            yield self.dsn.rpartition("/")[0] + f"/{name}"
        finally:
            with closing(psycopg2.connect(self.dsn)) as connection, connection.cursor() as cursor:
                connection.autocommit = True
                drop_database(cursor.execute, name)

    def _tell(self, statement: str) -> None:
        with closing(psycopg2.connect(self.dsn)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(statement)


@dataclass(frozen=True)
class Turn:
    """`claims`: how long each took, by the worker's clock, the round trip and Python included."""

    seconds: float
    claims: Sequence[float]


Scenario = Callable[[Course], None]


def measure_orchestrator(
    dsn: str, scenarios: Sequence[str], plan: Plan, results: Results, say: Say, machine: dict[str, str]
) -> None:
    if "queue" in scenarios:
        peers = prepare_environment(say, OF_THE_QUEUE, "bench-queue-peers")
        machine["peers"] = ", ".join(f"{name} {peers.packages()[name]}" for name in ("procrastinate", "psycopg"))
    course = Course(dsn, plan, results, say)
    for name in scenarios:
        SCENARIOS[name](course)


def measure_queue(course: Course) -> None:
    """Claim and finish by 16 workers, against procrastinate's fetch and finish; turns alternate."""
    peers = prepare_environment(course.say, OF_THE_QUEUE, "bench-queue-peers")
    turns: dict[str, list[Turn]] = {}
    for number in range(course.plan.rounds):
        for topology in TOPOLOGIES:
            for name, take in (("orchestrator", _our_turn), ("procrastinate", _their_turn)):
                turn = take(course, peers, topology)
                turns.setdefault(f"claim + finish, {topology}: {name}", []).append(turn)
                rate = course.plan.runs / turn.seconds
                course.say(
                    f"round {number + 1}, {topology}: {name}: {turn.seconds:.2f} s, {rate:,.0f}/s, {_told(turn)}"
                )
    _conclude_queue(course, turns)


def measure_backlog(course: Course) -> None:
    """200 free runs while 100,000 wait behind a key that is held."""
    claims: list[float] = []
    seconds: list[float] = []
    for number in range(course.plan.rounds):
        with _our_tables(course, {"keys": FREE}) as (dsn, tell):

            def fill(tell: Tell = tell) -> None:
                tell(ADD_RUNS, {"runs": FREE})
                tell(ADD_BACKLOG, {"behind": BEHIND})

            turn = _race(OURS, dsn, 1, WORKERS, fill)
            found = tell("SELECT count(*) FROM dw_etl_runs WHERE status = 'success'")
            if found[0][0] != FREE:
                raise RuntimeError(f"expected the {FREE} free runs to have succeeded, found {found[0][0]}")
        course.say(f"round {number + 1}, {BEHIND:,} behind a held key: {FREE} in {turn.seconds:.2f} s, {_told(turn)}")
        claims += turn.claims
        seconds.append(turn.seconds)
    what = f"{BEHIND:,} runs behind a held key, {FREE} free"
    course.results.timings.append(Timing(SECTION, what, FREE, tuple(seconds)))
    course.results.ratios += [
        Ratio(SECTION, f"{what}: claim p95, ms", _p95(claims) * 1000, 50, is_upper_bound=True),
        Ratio(SECTION, f"{what}: all claimed and ended, s", max(seconds), 10, is_upper_bound=True),
    ]


def measure_due_ticks(course: Course) -> None:
    with _our_tables(course, {"keys": 0}) as (dsn, tell):
        measure_ticks(course, tell, dsn)


SCENARIOS: dict[str, Scenario] = {
    "queue": measure_queue,
    "backlog": measure_backlog,
    "ticks": measure_due_ticks,
    "state": measure_state,
    "large-state": measure_large_state,
    "import": measure_import,
}
"""By the names that `--scenarios` takes; a new one is added here."""

USUAL = tuple(name for name in SCENARIOS if name != "large-state")
"""What is measured where nothing is named: ten million runs take half an hour, and 20 GB."""


def _our_turn(course: Course, _peers: PeersEnvironment, topology: str) -> Turn:
    with _our_tables(course, {"keys": KEYS}) as (dsn, tell):
        turn = _race(OURS, dsn, *TOPOLOGIES[topology], lambda: tell(ADD_RUNS, {"runs": course.plan.runs}))
        _prove(tell(PROOF)[0], course.plan.runs, "the orchestrator")
        return turn


def _their_turn(course: Course, peers: PeersEnvironment, topology: str) -> Turn:
    with course.database("bench_procrastinate") as dsn:
        command = [str(peers.python), THEIRS]
        fill = [*command, "fill", str(course.plan.runs), str(KEYS)]
        subprocess.run(fill, check=True, cwd=PROJECT_DIR, env={**os.environ, "BENCH_DSN": dsn})
        turn = _race([*command, "work"], dsn, *TOPOLOGIES[topology])
        with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
            cursor.execute(THEIR_PROOF)
            _prove(cursor.fetchall()[0], course.plan.runs, "procrastinate")
        return turn


@contextmanager
def _our_tables(course: Course, jobs: Mapping[str, int]) -> Iterator[tuple[str, Tell]]:
    with course.database("bench_orchestrator") as dsn:
        with closing(OrchestratorDatabase(PostgreSQLSettings(**postgresql_fields(dsn)))) as database:
            install(database)
        with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute("SET search_path = orchestrator")

            def tell(statement: str, values: Mapping[str, int] | None = None) -> Any:
                cursor.execute(statement, values)
                return cursor.fetchall() if cursor.description else []

            tell(ADD_JOBS, jobs)
            yield dsn, tell


def _race(
    command: Sequence[str], dsn: str, processes: int, lanes: int, fill: Callable[[], object] = lambda: None
) -> Turn:
    """Starts them all; when each is ready the queue is filled, then the clock starts."""
    environment = {**os.environ, "BENCH_DSN": dsn}
    started = [
        subprocess.Popen(
            [*command, str(lanes)],
            cwd=PROJECT_DIR,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    for process in started:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"expected a worker that is ready, it ended with {process.wait()}")
    fill()
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [json.loads(process.communicate()[0]) for process in started]
    seconds = max(each["ended"] for each in told) - min(each["began"] for each in told)
    return Turn(seconds, [claim for each in told for claim in each["claims"]])


def _prove(found: tuple[int, int, int], runs: int, whose: str) -> None:
    """From the events: each run once, never two of a key at a time."""
    if found != (runs, 0, 0):
        raise RuntimeError(
            f"{whose}: expected {runs} runs, each once and none beside another of its key; found {found[0]}, "
            f"{found[1]} not once, {found[2]} beside another"
        )


def _conclude_queue(course: Course, turns: Mapping[str, Sequence[Turn]]) -> None:
    results, runs = course.results, course.plan.runs
    for case, taken in turns.items():
        results.timings.append(Timing(SECTION, case, runs, tuple(turn.seconds for turn in taken)))
    for topology in TOPOLOGIES:
        ours, theirs = (f"claim + finish, {topology}: {name}" for name in ("orchestrator", "procrastinate"))
        rate = runs / median(turn.seconds for turn in turns[ours])
        results.ratios.append(Ratio(SECTION, f"{ours}, runs a second", rate, 1000))
        results.compare(SECTION, ours, theirs, 2)


def _told(turn: Turn) -> str:
    return f"claims: median {median(turn.claims) * 1000:.1f} ms, p95 {_p95(turn.claims) * 1000:.1f} ms"


def _p95(seconds: Sequence[float]) -> float:
    return quantiles(seconds, n=20, method="inclusive")[-1]
