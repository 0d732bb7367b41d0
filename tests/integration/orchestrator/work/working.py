"""Workers for tests: in a thread of this process, or as the main thing of a process of its own.

`python -m tests.integration.orchestrator.work.working` is a worker by the environment that `settings_for` makes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from psycopg2.extras import Json
from pydantic import SecretStr

from etl.config.settings import PostgreSQLSettings, Settings
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.work.stopping import Stop, stopped_by_signals
from etl.orchestrator.work.worker import Worker
from etl.project import DEFAULT_CONFIG_DIR, PROJECT_DIR
from tests.databases import Execute
from tests.integration.orchestrator.conftest import SCHEMA
from tests.integration.orchestrator.queue.queued import add_job, ask
from tests.patience import PATIENCE_SECONDS, eventually


@contextmanager
def working(
    database: OrchestratorDatabase, slots: int = 4, lease_seconds: float = 30, secrets: tuple[str, ...] = ()
) -> Iterator[Stop]:
    """A worker in a thread, which hands back at the end of the block what still runs."""
    stop = Stop()
    worker = Worker(
        database,
        Settings(postgresql=database.settings, ledger=database.settings, orchestrator=database.settings),
        DEFAULT_CONFIG_DIR,
        slots,
        secrets=secrets,
        lease_seconds=lease_seconds,
    )
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        yield stop
    finally:
        stop.hand_back()
        thread.join(timeout=PATIENCE_SECONDS)
        assert not thread.is_alive()


@contextmanager
def worker_process(settings: PostgreSQLSettings, lease_seconds: float = 30) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        "TEST_SETTINGS": settings.model_copy(update={"password": SecretStr("")}).model_dump_json(),
        "TEST_PASSWORD": settings.password.get_secret_value(),
        "TEST_LEASE": str(lease_seconds),
    }
    process = subprocess.Popen([sys.executable, "-m", __name__], env=environment, cwd=PROJECT_DIR)
    try:
        yield process
    finally:
        with suppress(OSError):
            process.kill()
        process.wait()


def main(environ: Mapping[str, str]) -> None:
    settings = PostgreSQLSettings.model_validate_json(environ["TEST_SETTINGS"])
    settings = settings.model_copy(update={"password": SecretStr(environ["TEST_PASSWORD"])})
    everything = Settings(postgresql=settings, ledger=settings, orchestrator=settings)
    with closing(OrchestratorDatabase(settings, SCHEMA)) as database, stopped_by_signals(Stop()) as stop:
        Worker(database, everything, DEFAULT_CONFIG_DIR, 4, lease_seconds=float(environ["TEST_LEASE"])).run(stop)


def add_script(execute: Execute, slug: str, script: str, **columns: Any) -> None:
    """A job that runs a shell's script."""
    add_command(execute, slug, ["sh", "-c", script], **columns)


def add_command(execute: Execute, slug: str, words: list[str], **columns: Any) -> None:
    defaults = {"retries": 0, "backoff_seconds": 0.01, "backoff_limit_seconds": 0.02, "grace_seconds": 0.3}
    add_job(execute, slug, **{**defaults, "command": Json({"argv": words}), **columns})


def asked(database: OrchestratorDatabase, slug: str) -> int:
    return ask(database, slug, cycle_id=f"of-{slug}")[slug].run_id


def status(execute: Execute, run_id: int) -> str:
    ((found,),) = execute("SELECT status FROM dw_etl_runs WHERE run_id = %s", (run_id,))
    return str(found)


def becomes(execute: Execute, run_id: int, wanted: str) -> bool:
    return eventually(lambda: status(execute, run_id) == wanted)


def output(execute: Execute, run_id: int, stream: str = "stdout") -> str:
    rows = execute(
        "SELECT text FROM dw_etl_run_output WHERE run_id = %s AND stream = %s ORDER BY attempt, piece", (run_id, stream)
    )
    return "".join(text for (text,) in rows)


def pids_told(execute: Execute, run_id: int, count: int) -> dict[str, int]:
    """`name pid` lines of a job's stdout, once there are so many."""
    assert eventually(lambda: len(output(execute, run_id).splitlines()) >= count)
    return {name: int(pid) for name, pid in map(str.split, output(execute, run_id).splitlines())}


def lives(pid: int) -> bool:
    """A zombie does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


if __name__ == "__main__":
    main(os.environ)
