"""Everything the loader does, through PgBouncer in transaction mode."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import orjson
import psycopg2
import pytest

from etl.config.settings import PostgreSQLSettings
from etl.config.staging.models import JsonFiles, StagingJob
from etl.staging.batch.records import RawBatch
from etl.staging.database.database import StagingDatabase
from etl.staging.database.installation import install
from etl.staging.ledger.requests import Requests
from etl.staging.loader import LoadOptions, StagingLoader
from etl.staging.sources.base import After
from etl.staging.sources.files import FileSource
from etl.staging.sources.ndjson import NdjsonFormat
from etl.staging.work.queue import Queue
from etl.statements.staging.tables import StagingTable
from tests.integration.staging.conftest import Execute
from tests.pgbouncer import pgbouncer

pytestmark = pytest.mark.stack


@pytest.fixture
def pooled(staging_settings: PostgreSQLSettings, empty: None, tmp_path: Path) -> Iterator[StagingDatabase]:
    folder = tmp_path / "pgbouncer"
    folder.mkdir()
    with pgbouncer(staging_settings, folder) as settings, closing(StagingDatabase(settings)) as database:
        yield database


@dataclass(frozen=True)
class Meddled(FileSource):
    """Something happens while the tenth batch is being read."""

    meddle: Callable[[], None] = lambda: None

    def batches(self, batch_size: int, after: After | None = None) -> Iterator[RawBatch]:
        for batch in super().batches(batch_size, after):
            if batch.index == 10:
                self.meddle()
            yield batch


def test_what_the_pooler_refuses_for_a_moment_is_tried_again(
    staging_settings: PostgreSQLSettings, empty: None, tmp_path: Path, execute: Execute
) -> None:
    """PgBouncer ends clients that wait too long for a server, batches and the ledger's own words alike."""
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"".join(orjson.dumps({"id": i, "n": i}) + b"\n" for i in range(3000)))
    job = StagingJob(
        id="events",
        target_table="stg_events",
        source=JsonFiles(type="ndjson", path=(str(file),)),
        source_id="id",
        batch_size=100,
    )
    folder = tmp_path / "pgbouncer"
    folder.mkdir()
    waiting = {"default_pool_size": "1", "query_wait_timeout": "1"}
    with (
        pgbouncer(staging_settings, folder, **waiting) as settings,
        closing(StagingDatabase(settings)) as database,
        closing(psycopg2.connect(**settings.connection_parameters)) as holder,
    ):
        install(database, [StagingTable("stg_events")])

        def hold() -> None:
            with holder.cursor() as cursor:
                cursor.execute("SELECT 1")
            threading.Timer(2.5, holder.rollback).start()

        source = Meddled(NdjsonFormat(1 << 20), (file,), meddle=hold)
        summary = StagingLoader(database).load(job, source, LoadOptions(run_id="patient"))
    assert (summary.run.status, summary.run.failure) == ("success", None)
    assert execute("SELECT count(*) FROM stg_events") == [(3000,)]
    assert "query_wait_timeout" in (folder / "pgbouncer.log").read_text()


def test_a_load_and_the_same_again(pooled: StagingDatabase, tmp_path: Path, execute: Execute) -> None:
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"".join(orjson.dumps({"id": i % 4000, "n": i}) + b"\n" for i in range(5000)))
    job = StagingJob(
        id="events",
        target_table="stg_events",
        source=JsonFiles(type="ndjson", path=(str(file),)),
        source_id="id",
        batch_size=200,
        workers=4,
    )
    assert install(pooled, [StagingTable("stg_events")])[-1] == "stg_events"
    loader = StagingLoader(pooled)
    source = FileSource(NdjsonFormat(1 << 20), (file,))
    first = loader.load(job, source, LoadOptions(run_id="first"))
    assert first.is_success
    assert first.run.rows_inserted == 4000
    assert first.run.rows_updated + first.run.rows_deduplicated == 1000
    again = loader.load(job, source, LoadOptions(run_id="again"))
    assert again.run.rows_inserted == 0
    assert execute("SELECT count(*), sum((data ->> 'n')::int) FROM stg_events") == [(4000, sum(range(1000, 5000)))]


def test_what_is_asked_for_is_begun_and_cancelled_while_it_waits_for_a_lock(
    pooled: StagingDatabase, staging_settings: PostgreSQLSettings, tmp_path: Path, execute: Execute
) -> None:
    """The pooler hides which session is whose: the statement itself says of which run it is."""
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"".join(orjson.dumps({"id": i, "n": i}) + b"\n" for i in range(500)))
    source = JsonFiles(type="ndjson", path=(str(file),))
    job = StagingJob(id="events", target_table="stg_events", source=source, source_id="id", batch_size=100)
    install(pooled, [StagingTable("stg_events")])
    requests, queue = Requests(pooled), Queue(pooled, uuid4(), 1)
    requests.request_load(job, "run", None, False, "load", "ada")
    queue.beat(0)
    (request,) = queue.claim(1)
    ended: list[str] = []

    def load() -> None:
        options = LoadOptions(run_id="run", request_id=request.id)
        loaded = StagingLoader(pooled).load(job, FileSource(NdjsonFormat(1 << 20), (file,)), options)
        ended.append(loaded.run.status)

    thread = threading.Thread(target=load)
    with closing(psycopg2.connect(**staging_settings.connection_parameters)) as blocker:
        blocker.cursor().execute("LOCK TABLE stg_events IN SHARE MODE")
        thread.start()
        while not execute("SELECT 1 FROM etl_run_batches WHERE status = 'running'"):
            assert thread.is_alive()
        requests.request_cancel("run", "cancel", "ada")
        thread.join(timeout=60)
    assert ended == ["canceled"]
    # and not by the limit of a wait
    told = execute("SELECT error_message FROM etl_run_batches")
    assert ("the run was cancelled while the batch waited for a lock",) in told
    assert queue.recover([]) == []
    assert execute("SELECT action, status FROM etl_run_requests ORDER BY id") == [
        ("load", "started"), ("cancel", "done"),
    ]  # fmt: skip
