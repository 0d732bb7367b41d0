"""procrastinate's workers, by its own job manager: so many lanes, each fetches a job, finishes it, fetches the next.

`procrastinate_lanes.py fill JOBS LOCKS` makes its tables and jobs; `work LANES` as the orchestrator's lanes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time

import procrastinate
from procrastinate.jobs import Status

SECONDS_WITHOUT_WORK = 0.002
IS_ANY_LEFT = "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'todo') AS yes"


def application(lanes: int) -> procrastinate.App:
    connector = procrastinate.PsycopgConnector(conninfo=os.environ["BENCH_DSN"], min_size=lanes, max_size=lanes)
    app = procrastinate.App(connector=connector)
    app.task(name="nothing")(_nothing)
    return app


def _nothing(number: int) -> None:
    pass


async def fill(jobs: int, locks: int) -> None:
    app = application(1)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        task = app.tasks["nothing"]
        for number in range(jobs):
            await task.configure(lock=f"key-{number % locks}").defer_async(number=number)


async def _lane(app: procrastinate.App) -> list[float]:
    manager = app.job_manager
    worker_id = await manager.register_worker()
    seconds = []
    while True:
        started = time.perf_counter()
        job = await manager.fetch_job(queues=None, worker_id=worker_id)
        if job:
            seconds.append(time.perf_counter() - started)
            await manager.finish_job(job, status=Status.SUCCEEDED, delete_job=False)
        elif (await app.connector.execute_query_one_async(IS_ANY_LEFT))["yes"]:
            await asyncio.sleep(SECONDS_WITHOUT_WORK)
        else:
            return seconds


async def work(lanes: int) -> None:
    app = application(lanes)
    async with app.open_async():
        print("ready", flush=True)
        sys.stdin.readline()
        began = time.time()
        turns = await asyncio.gather(*(_lane(app) for _ in range(lanes)))
        claims = [seconds for turn in turns for seconds in turn]
        print(json.dumps({"began": began, "ended": time.time(), "claims": claims}))


if __name__ == "__main__":
    # that its application stands in the main module, which no other worker has to import
    logging.getLogger("procrastinate").setLevel(logging.ERROR)
    verb, *numbers = sys.argv[1:]
    asyncio.run({"fill": fill, "work": work}[verb](*map(int, numbers)))
