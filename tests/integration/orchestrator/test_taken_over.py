"""A tool that stood still while its run was given to another attempt comes back, and stores nothing more."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import orjson
import pytest
from psycopg2.extras import Json

from etl.config.settings import PostgreSQLSettings, Settings
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.lineage import collect
from etl.orchestrator.queue.claims import claim
from etl.orchestrator.queue.reaping import reap
from etl.orchestrator.values import Claim
from etl.orchestrator.work.launching import launch_of
from etl.staging.database.database import StagingDatabase
from etl.staging.database.installation import install
from etl.statements.staging.tables import StagingTable
from tests.databases import Execute
from tests.integration.orchestrator.conftest import SCHEMA
from tests.integration.orchestrator.queue.queued import add_job, ask, claim_one
from tests.patience import eventually

pytestmark = pytest.mark.stack

RECORDS = 15_000
PATIENCE_SECONDS = 300
EMPTY = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"


@pytest.fixture
def config_dir(orchestrator_settings: PostgreSQLSettings, execute: Execute, tmp_path: Path) -> Iterator[Path]:
    """A staging job of many small batches, and its table."""
    execute(EMPTY)
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"".join(orjson.dumps({"id": str(i)}) + b"\n" for i in range(RECORDS)))
    source = {"type": "ndjson", "path": str(file)}
    job = {"target_table": "stg_events", "source": source, "source_id": "id", "batch_size": 100, "workers": 1}
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "events.yaml").write_bytes(orjson.dumps({"jobs": {"events": job}}))
    with closing(StagingDatabase(orchestrator_settings)) as database:
        install(database, [StagingTable("stg_events")])
    yield tmp_path
    execute(EMPTY)


@contextmanager
def started(claimed: Claim, config_dir: Path, server: PostgreSQLSettings) -> Iterator[subprocess.Popen[bytes]]:
    """As a worker starts it."""
    password = server.password.get_secret_value()
    url = f"postgresql://{server.user}:{password}@{server.host}:{server.port}/{server.database}"
    launch = launch_of(claimed, SCHEMA, config_dir, {**os.environ, "ETL_POSTGRES_URL": url})
    process = subprocess.Popen(launch.words, env=dict(launch.environment), cwd=launch.folder)
    try:
        yield process
    finally:
        with suppress(OSError):
            process.kill()
        process.wait()


def next_claim(database: OrchestratorDatabase) -> Claim:
    """As soon as it may be tried again."""
    claims: list[Claim] = []

    def is_claimed() -> bool:
        claims.extend(claim(database, "other"))
        return bool(claims)

    assert eventually(is_claimed)
    return claims[0]


def test_an_attempt_that_stood_still_stores_nothing_and_the_next_all(
    database: OrchestratorDatabase, execute: Execute, config_dir: Path
) -> None:
    words = ["etl", "staging", "load", "events", "--config-dir", str(config_dir), "--reject-dir", str(config_dir)]
    add_job(execute, "a", command=Json({"argv": words}), retries=1, backoff_seconds=0.01, backoff_limit_seconds=0.01)
    ask(database, "a")
    first = claim_one(database)

    def stored() -> int:
        ((count,),) = execute("SELECT count(*) FROM public.stg_events")
        return int(count)

    with started(first, config_dir, database.settings) as process:
        assert eventually(stored)
        process.send_signal(signal.SIGSTOP)
        execute("UPDATE dw_etl_job_locks SET expires_at = now() - interval '1 second'")
        assert eventually(lambda: [taken.fencing_token for taken in reap(database)] == [first.fencing_token])
        before = stored()
        second = next_claim(database)
        process.send_signal(signal.SIGCONT)
        assert process.wait(PATIENCE_SECONDS) == 1

    assert 0 < before == stored() < RECORDS
    ((status, failure),) = execute("SELECT status, failure FROM public.etl_runs")
    assert status == "partial"
    assert f"attempt {first.fencing_token} of the orchestrator's run {first.run_id}" in failure

    with started(second, config_dir, database.settings) as process:
        assert process.wait(PATIENCE_SECONDS) == 0

    assert stored() == RECORDS
    counts = collect(database, Settings(postgresql=database.settings), second)
    assert (counts.records_read, counts.records_written) == (RECORDS, RECORDS - before)
