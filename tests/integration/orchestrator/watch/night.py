"""A real scheduler and a real worker that serve their metrics, after runs that ended in every way."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg2.extras import Json

from etl.config.settings import PostgreSQLSettings
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.project import PROJECT_DIR
from tests.databases import Execute, statements_of
from tests.integration.orchestrator.conftest import EMPTY, SCHEMA, environment_of
from tests.integration.orchestrator.queue.queued import add_job, ask
from tests.integration.orchestrator.schedule.scheduled import add_scheduled
from tests.patience import until
from tests.receivers import http_receiver

PATIENCE_SECONDS = 90


@dataclass(frozen=True)
class UnderWay:
    """Both processes live; `holds` runs, and `behind` waits for its key."""

    database: OrchestratorDatabase
    execute: Execute

    def until_ended(self, *expected: tuple[str, str], times: int = 1) -> None:
        """Job and status of each, as often as this."""
        until(lambda: all(self.ended().count(each) >= times for each in expected), PATIENCE_SECONDS)

    def ended(self) -> list[tuple[str, str]]:
        return [(slug, status) for slug, status, _ in ended_runs(self.execute)]


@contextmanager
def night(settings: PostgreSQLSettings, folder: Path, ports: tuple[int, int]) -> Iterator[UnderWay]:
    """`ports`: where the scheduler and the worker serve."""
    with ExitStack() as stack:
        execute = stack.enter_context(statements_of(settings))
        execute(f"SET search_path = {SCHEMA}")
        execute(EMPTY)
        web = stack.enter_context(http_receiver(refusals=1))
        (folder / "etl.yaml").write_text(
            'alerts: {channels: {ops: "${OPS_URL}"}, rules: [{channel: ops, on: failure, dedupe: 0}]}'
        )
        environ = {**environment_of(settings), "OPS_URL": f"json://127.0.0.1:{web.port}/"}
        database = OrchestratorDatabase(settings, SCHEMA)
        stack.callback(database.close)
        under_way = UnderWay(database, execute)
        _jobs(execute)
        ask(database, "good", "bad", "mistaken", cycle_id="manual-1")
        scheduler = ["scheduler", "--metrics-port", str(ports[0])]
        worker = ["worker", "--slots", "4", "--metrics-port", str(ports[1])]
        stack.enter_context(_process(scheduler, folder, environ))
        until(lambda: execute("SELECT channel FROM dw_etl_alert_rules"), PATIENCE_SECONDS)
        stack.enter_context(_process(worker, folder, environ))
        under_way.until_ended(("good", "success"), ("bad", "failed"), ("mistaken", "failed"), ("ticking", "success"))
        _lose_one(under_way)
        ask(database, "holds", cycle_id="manual-3")
        ask(database, "behind", cycle_id="manual-3")
        _until_running(execute, "holds")
        until(lambda: _told(execute) >= 3, PATIENCE_SECONDS)
        yield under_way


def ended_runs(execute: Execute) -> list[tuple[str, str, int]]:
    """Job, status and attempts of each."""
    return execute(
        "SELECT slug, status, attempts FROM dw_etl_runs JOIN dw_etl_jobs USING (job_id) WHERE ended_at IS NOT NULL"
    )


def _jobs(execute: Execute) -> None:
    add_job(execute, "good", command=Json({"argv": ["true"]}))
    add_job(execute, "bad", command=Json({"argv": ["false"]}), retries=1, backoff_seconds=0, layer="silver")
    add_job(execute, "mistaken", command=Json({"argv": ["sh", "-c", "exit 2"]}))
    add_job(execute, "lost", command=Json({"argv": ["sleep", "600"]}), retries=0)
    add_job(execute, "holds", command=Json({"argv": ["sleep", "600"]}), concurrency_key="shared", priority=1)
    add_job(execute, "behind", command=Json({"argv": ["true"]}), concurrency_key="shared")
    add_scheduled(execute, "ticking", "0 0 1 1 *", grace_seconds=60)
    execute("UPDATE dw_etl_jobs SET command = %s WHERE slug = 'ticking'", (Json({"argv": ["true"]}),))
    execute("UPDATE dw_etl_schedules SET cron = '* * * * *', next_run_at = date_trunc('minute', clock_timestamp())")


def _lose_one(under_way: UnderWay) -> None:
    ask(under_way.database, "lost", cycle_id="manual-2")
    _until_running(under_way.execute, "lost")
    under_way.execute(
        "UPDATE dw_etl_job_locks SET expires_at = clock_timestamp() - interval '1 minute' FROM dw_etl_jobs"
        " WHERE dw_etl_jobs.job_id = dw_etl_job_locks.job_id AND slug = 'lost' AND status = 'active'"
    )
    under_way.until_ended(("lost", "failed"))


def _until_running(execute: Execute, slug: str) -> None:
    found = "SELECT run_id FROM dw_etl_runs JOIN dw_etl_jobs USING (job_id) WHERE slug = %s AND status = 'running'"
    until(lambda: execute(found, (slug,)), PATIENCE_SECONDS)


def _told(execute: Execute) -> int:
    """Alerts that arrived; what was refused is made due."""
    execute("UPDATE dw_etl_alerts SET next_attempt_at = clock_timestamp() WHERE last_error IS NOT NULL")
    ((count,),) = execute("SELECT count(*) FROM dw_etl_alerts WHERE status = 'sent'")
    return int(count)


@contextmanager
def _process(command: list[str], folder: Path, environ: dict[str, str]) -> Iterator[None]:
    words = [sys.executable, "-m", "etl.orchestrator", *command, "--config-dir", str(folder)]
    with subprocess.Popen(words, env=environ, cwd=PROJECT_DIR, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=PATIENCE_SECONDS)
