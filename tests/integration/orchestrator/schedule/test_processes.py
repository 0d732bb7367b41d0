"""Schedulers as processes that die and stand still at the worst moments."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.orchestrator.database.database import OrchestratorDatabase
from tests.databases import Execute
from tests.integration.orchestrator.queue.queued import add_job
from tests.integration.orchestrator.schedule.scheduled import add_scheduled

PATIENCE_SECONDS = 400
JOBS, MINUTES = 20, 150


class Crowd:
    """Three schedulers; one that is killed is followed by another."""

    def __init__(self, settings: PostgreSQLSettings, folder: Path) -> None:
        password = quote(settings.password.get_secret_value(), safe="")
        url = f"postgresql://{settings.user}:{password}@{settings.host}:{settings.port}/{settings.database}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ETL_", "AWS_"))}
        self._environment = {**kept, "ETL_ORCHESTRATOR_POSTGRES_URL": url}
        self._command = [sys.executable, "-m", "etl.orchestrator", "scheduler", "--config-dir", str(folder)]
        self._log = folder / "log"
        self.processes = [self._start() for _ in range(3)]
        self.kills = 0

    def kill_one(self) -> None:
        self._end(self.processes.pop(random.randrange(len(self.processes))))
        self.processes.append(self._start())
        self.kills += 1

    def stop_one_for_a_moment(self) -> None:
        process = random.choice(self.processes)
        process.send_signal(signal.SIGSTOP)
        time.sleep(random.uniform(0.1, 0.5))
        process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        for process in self.processes:
            self._end(process)

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("a") as log:
            return subprocess.Popen(self._command, env=self._environment, stderr=log)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()


@contextmanager
def crowd(settings: PostgreSQLSettings, folder: Path) -> Iterator[Crowd]:
    schedulers = Crowd(settings, folder)
    try:
        yield schedulers
    finally:
        schedulers.end()


@pytest.mark.slow
def test_whoever_dies_or_stands_still_each_tick_has_one_run(
    database: OrchestratorDatabase, execute: Execute, orchestrator_settings: PostgreSQLSettings, tmp_path: Path
) -> None:
    for number in range(JOBS):
        add_scheduled(execute, f"job_{number}", "* * * * *", catch_up="last")
        add_job(execute, f"child_{number}", {f"job_{number}", "job_0"})
    execute(
        "UPDATE dw_etl_schedules SET next_run_at = date_trunc('minute', clock_timestamp()) - make_interval(mins => %s)",
        (MINUTES,),
    )
    ((begin,),) = execute("SELECT min(next_run_at) FROM dw_etl_schedules")
    with crowd(orchestrator_settings, tmp_path) as schedulers:
        end = time.monotonic() + PATIENCE_SECONDS
        while not execute("SELECT min(next_run_at) > clock_timestamp() FROM dw_etl_schedules")[0][0]:
            assert time.monotonic() < end, (tmp_path / "log").read_text()
            if execute("SELECT count(*) > 500 * %s FROM dw_etl_runs", (schedulers.kills,))[0][0]:
                schedulers.kill_one()
            schedulers.stop_one_for_a_moment()
    assert schedulers.kills >= 3
    wrong = execute(
        "SELECT slug, tick, count(run_id) FROM dw_etl_schedules AS schedule JOIN dw_etl_jobs AS job USING (job_id)"
        " CROSS JOIN generate_series(%s, schedule.next_run_at - interval '1 min', interval '1 min') AS tick"
        " LEFT JOIN dw_etl_runs AS run ON run.job_id = job.job_id AND run.scheduled_at = tick"
        " GROUP BY slug, tick HAVING count(run_id) <> 1",
        (begin,),
    )
    assert wrong == []
    # children follow the ticks that run, and no other
    ((alone,),) = execute(
        "SELECT count(*) FROM dw_etl_runs AS child WHERE schedule_id IS NULL AND NOT EXISTS ("
        "SELECT FROM dw_etl_runs AS run WHERE run.cycle_id = child.cycle_id AND run.schedule_id IS NOT NULL"
        " AND run.status <> 'skipped')"
    )
    assert alone == 0
