"""From the instant a schedule is due to its job's process: scheduler and worker as the commands a user types."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from bench.measure import Ratio, Timing
from etl.project import PROJECT_DIR

if TYPE_CHECKING:
    from bench.orchestrator import Course

TICKS, APART_SECONDS = 60, 0.4
SLOTS = 8
PATIENCE_SECONDS = 120
WHAT = "due tick to started process"

Tell = Callable[..., Any]

# the process tells itself when it began
ADD_JOBS = """
INSERT INTO dw_etl_jobs (slug, layer, kind, command, concurrency_key)
SELECT 'tick-' || number, 'bronze', 'command', '{"argv": ["date", "+%%s.%%N"]}', 'tick-' || number
FROM generate_series(1, %(ticks)s) AS number
"""
# the first in some seconds; what the database has as the next tick is one
ADD_SCHEDULES = """
INSERT INTO dw_etl_schedules (job_id, cron, next_run_at)
SELECT job_id, '0 0 1 1 *', clock_timestamp() + interval '3 seconds' + job_id * %(apart)s * interval '1 second'
FROM dw_etl_jobs
"""
LATENESS = """
SELECT (trim(output.text)::numeric - extract(epoch FROM run.scheduled_at))::float8
FROM dw_etl_runs AS run JOIN dw_etl_run_output AS output USING (run_id) WHERE run.status = 'success'
"""


def measure_ticks(course: Course, tell: Tell, dsn: str) -> None:
    """Instants that no other shares, so that each is one look of the scheduler and one claim."""
    tell(ADD_JOBS, {"ticks": TICKS})
    with _running(dsn):
        _wait(tell, "SELECT count(*) FROM dw_etl_processes", 2)
        tell(ADD_SCHEDULES, {"apart": APART_SECONDS})
        _wait(tell, "SELECT count(*) FROM dw_etl_runs WHERE ended_at IS NOT NULL", TICKS)
    seconds = tuple(row[0] for row in tell(LATENESS))
    if len(seconds) != TICKS or min(seconds) < 0:
        raise RuntimeError(f"expected {TICKS} processes begun after they were due, found {sorted(seconds)}")
    timing = Timing("orchestrator", WHAT, 1, seconds)
    course.say(f"{WHAT}: median {timing.median:.3f} s, p95 {timing.p95:.3f} s, longest {max(seconds):.3f} s")
    course.results.ratios.append(Ratio("orchestrator", f"{WHAT}, p95, s", timing.p95, 1.5, is_upper_bound=True))


@contextmanager
def _running(dsn: str) -> Iterator[None]:
    environment = {**os.environ, "ETL_ORCHESTRATOR_POSTGRES_URL": dsn}
    with ExitStack() as stack:
        for command in (["scheduler"], ["worker", "--slots", str(SLOTS)]):
            process = subprocess.Popen(
                [sys.executable, "-m", "etl", "orchestrator", *command],
                cwd=PROJECT_DIR,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
        yield


def _wait(tell: Tell, question: str, expected: int) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while (found := tell(question)[0][0]) < expected:
        if time.monotonic() > end:
            raise RuntimeError(f"{question}: expected {expected}, found {found} after {PATIENCE_SECONDS} s")
        time.sleep(0.2)
