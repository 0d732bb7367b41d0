"""`etl orchestrator up`: what is due and what was asked for runs, in a process as a user starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.project import PROJECT_DIR
from tests.databases import Execute
from tests.integration.orchestrator.queue.queued import add_job, ask, statuses
from tests.integration.orchestrator.work.working import add_script, asked, becomes, output, pids_told

PATIENCE_SECONDS = 120


@contextmanager
def up(settings: PostgreSQLSettings, *options: str) -> Iterator[subprocess.Popen[str]]:
    secret = settings.password.get_secret_value()
    url = f"postgresql://{settings.user}:{secret}@{settings.host}:{settings.port}/{settings.database}"
    process = subprocess.Popen(
        [sys.executable, "-m", "etl", "orchestrator", "up", *options],
        env={**os.environ, "ETL_POSTGRES_URL": url},
        cwd=PROJECT_DIR,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        with suppress(OSError):
            process.kill()
        process.communicate()


@pytest.mark.parametrize(("script", "code"), [("echo ran", 0), pytest.param("exit 2", 1, marks=pytest.mark.slow)])
def test_it_ends_when_nothing_is_left_to_do(
    database: OrchestratorDatabase, execute: Execute, script: str, code: int
) -> None:
    """A tick that is due, its child, and a run that was asked for; a disabled job's run is left as it is."""
    add_script(execute, "due", script)
    add_job(execute, "child", ["due"])
    add_script(execute, "asked", "true")
    add_script(execute, "disabled", "true", is_enabled=False)
    execute(
        "INSERT INTO dw_etl_schedules (job_id, cron, grace_seconds, next_run_at)"
        " SELECT job_id, '0 2 * * *', 90000, date_trunc('day', now()) + interval '2 hours'"
        " - interval '1 day' * (extract(hour FROM now()) < 2)::int FROM dw_etl_jobs WHERE slug = 'due'"
    )
    ask(database, "asked", "disabled", cycle_id="by hand")
    with up(database.settings, "--until-idle") as process:
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == code, said
    ended = {"due": "success", "child": "success"} if code == 0 else {"due": "failed", "child": "skipped"}
    assert statuses(execute) == {**ended, "asked": "success", "disabled": "queued"}
    assert execute("SELECT kind, ended_at IS NULL FROM dw_etl_processes ORDER BY kind") == [
        ("scheduler", False),
        ("worker", False),
    ]


@pytest.mark.slow
def test_ctrl_c_ends_it_in_order(database: OrchestratorDatabase, execute: Execute, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    add_script(execute, "a", f"echo parent $$; while [ ! -e {gate} ]; do sleep 0.05; done; echo done")
    run_id = asked(database, "a")
    with up(database.settings) as process:
        pids_told(execute, run_id, 1)
        process.send_signal(signal.SIGINT)
        gate.touch()
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert becomes(execute, run_id, "success")
    assert output(execute, run_id).endswith("done\n")
