"""The orchestrator's workers: so many lanes, each claims a run, ends it, and claims the next, until none is left.

Prints `ready`, begins when a line comes, then prints as JSON when it began and ended and how long each claim took.
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from etl.config.settings import PostgreSQLSettings
from etl.config.urls import postgresql_fields
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.queue.claims import claim, finish
from etl.orchestrator.values import Counts, RunStatus

SECONDS_WITHOUT_WORK = 0.002
HELD = "held"

IS_ANY_LEFT = f"SELECT EXISTS (SELECT FROM dw_etl_runs WHERE status = 'queued' AND concurrency_key <> '{HELD}') AS yes"


def work(database: OrchestratorDatabase, worker_id: str) -> list[float]:
    seconds = []
    while True:
        started = time.perf_counter()
        claims = claim(database, worker_id)
        if claims:
            seconds.append(time.perf_counter() - started)
            finish(database, claims[0], RunStatus.SUCCESS, Counts())
        elif _is_any_left(database):
            time.sleep(SECONDS_WITHOUT_WORK)
        else:
            return seconds


def _is_any_left(database: OrchestratorDatabase) -> bool:
    with database.transaction("look") as cursor:
        cursor.execute(IS_ANY_LEFT)
        return bool(dict(cursor.fetchone() or {})["yes"])


def _connected(settings: PostgreSQLSettings) -> OrchestratorDatabase:
    """As a worker that has looked at an empty queue before."""
    database = OrchestratorDatabase(settings)
    if claim(database, "nobody"):
        raise RuntimeError("expected no run before the race begins")
    return database


def main(lanes: int) -> None:
    settings = PostgreSQLSettings(**postgresql_fields(os.environ["BENCH_DSN"]))
    databases = [_connected(settings) for _ in range(lanes)]
    names = [f"{os.getpid()}-{number}" for number in range(lanes)]
    with ThreadPoolExecutor(lanes) as pool:
        print("ready", flush=True)
        sys.stdin.readline()
        began = time.time()
        turns = list(pool.map(work, databases, names))
        ended = time.time()
    claims = [seconds for turn in turns for seconds in turn]
    print(json.dumps({"began": began, "ended": ended, "claims": claims}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
