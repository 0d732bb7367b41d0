"""An orchestrator's attempt that was given up stores no further batch, and its run ends with that reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from pyspark.sql import SparkSession
from structlog.testing import capture_logs

from etl.config.settings import PostgreSQLSettings
from etl.config.staging.models import JsonFiles, StagingJob
from etl.errors import FencedError
from etl.fencing import Fence
from etl.staging.batch.records import PreparedBatch, RawBatch
from etl.staging.batch.upsert import Stored
from etl.staging.database.database import StagingDatabase
from etl.staging.ledger.ledger import StagingLedger
from etl.staging.loader import LoadOptions, StagingLoader, Summary, new_run, target_of
from etl.staging.sources.files import FileSource
from etl.staging.sources.ndjson import NdjsonFormat
from etl.staging.spark import load_dataframe
from etl.staging.watch.observers import Observer, Observers
from etl.statements.staging.tables import StagingTable
from tests.fences import give_up, install_orchestrator, new_attempt, renew
from tests.integration.staging.conftest import Execute

pytestmark = pytest.mark.stack

Load = Callable[..., Summary]


@pytest.fixture(scope="module", autouse=True)
def orchestrator(staging_settings: PostgreSQLSettings) -> None:
    install_orchestrator(staging_settings)


@pytest.fixture
def fence(execute: Execute) -> Fence:
    return new_attempt(execute)


@pytest.fixture
def fenced(staging_settings: PostgreSQLSettings, database: StagingDatabase, fence: Fence) -> Iterator[StagingDatabase]:
    with closing(StagingDatabase(staging_settings.of_attempt(fence))) as fenced:
        yield fenced


@pytest.fixture
def job(events: StagingTable, tmp_path: Path) -> StagingJob:
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"".join(orjson.dumps({"id": f"k{i:05}"}) + b"\n" for i in range(1000)))
    source = JsonFiles(type="ndjson", path=(str(file),))
    return StagingJob(
        id="events", target_table=events.name, source=source, source_id="id", batch_size=100, workers=1, retries=3
    )


def load(database: StagingDatabase, job: StagingJob, run_id: str, *observers: Observer) -> Summary:
    source = FileSource(NdjsonFormat(1 << 20), (Path(job.source.path[0]),))  # type: ignore[union-attr]
    options = LoadOptions(run_id=run_id, reject_dir=Path(job.source.path[0]).parent)  # type: ignore[union-attr]
    return StagingLoader(database, observers).load(job, source, options)


class GivingUp(Observers):
    """The orchestrator gives the attempt up when so many batches are stored."""

    def __init__(self, execute: Execute, fence: Fence, after: int) -> None:
        super().__init__()
        self._execute, self._fence, self._left = execute, fence, after

    def batch_stored(self, batch: PreparedBatch, stored: Stored | None, seconds: float) -> None:
        self._left -= 1
        if not self._left:
            assert give_up(self._execute, self._fence)


def test_a_held_attempt_is_stored_with_its_token(
    fenced: StagingDatabase, job: StagingJob, execute: Execute, fence: Fence
) -> None:
    summary = load(fenced, job, "held")

    assert summary.is_success
    assert summary.run.fencing_token == fence.token
    assert execute("SELECT count(*) FROM stg_events") == [(1000,)]


def test_without_an_orchestrator_nothing_is_asked(database: StagingDatabase, job: StagingJob) -> None:
    summary = load(database, job, "free")

    assert summary.is_success
    assert summary.run.fencing_token is None


@pytest.mark.parametrize("is_filled", [False, True])
def test_an_attempt_that_is_given_up_stores_no_further_batch(
    fenced: StagingDatabase, job: StagingJob, execute: Execute, fence: Fence, is_filled: bool
) -> None:
    """Whether rows go into an empty table by COPY, or are merged."""
    if not is_filled:
        execute("INSERT INTO etl_jobs (id, target_table) VALUES ('j', 'stg_events')")
        execute(
            "INSERT INTO etl_runs (id, etl_job_id, status, target_table, batch_size, finished_at)"
            " VALUES ('r', 'j', 'success', 'stg_events', 100, now())"
        )
        execute(
            "INSERT INTO stg_events (source_id, data, etl_job_id, etl_run_id, is_valid, input_position)"
            " VALUES ('other', '{}', 'j', 'r', true, 0)"
        )
    summary = load(fenced, job, "lost", GivingUp(execute, fence, after=3))

    assert summary.run.status == "partial"
    assert summary.run.failure is not None
    assert f"attempt {fence.token} of the orchestrator's run {fence.run_id}" in summary.run.failure
    assert execute("SELECT count(*) FROM stg_events WHERE source_id <> 'other'") == [(300,)]
    ended = execute("SELECT status, error_code FROM etl_run_batches WHERE etl_run_id = 'lost' ORDER BY batch_index")
    assert ended[:4] == [*[("succeeded", None)] * 3, ("failed", "FencedError")]
    assert {status for status, _ in ended[4:]} <= {"failed"}
    assert summary.run.retries == 0


def test_an_attempt_that_was_given_up_starts_nothing(
    fenced: StagingDatabase, job: StagingJob, execute: Execute, fence: Fence
) -> None:
    assert give_up(execute, fence)

    with pytest.raises(FencedError, match="run late cannot start"):
        load(fenced, job, "late")

    assert execute("SELECT count(*) FROM etl_runs") == [(0,)]


def test_a_retry_is_the_attempts_own(
    database: StagingDatabase, fenced: StagingDatabase, job: StagingJob, execute: Execute, fence: Fence
) -> None:
    ledger = StagingLedger(fenced)
    lost = new_attempt(execute)
    load(database, job, "again")
    give_up(execute, lost)
    with (
        closing(StagingDatabase(fenced.settings.of_attempt(lost))) as late,
        pytest.raises(FencedError, match="run again cannot go on"),
    ):
        StagingLedger(late).resume_run("again", job.id)

    ledger.resume_run("again", job.id)

    assert ledger.get_run("again").fencing_token == fence.token


def test_nobody_takes_over_while_a_batch_is_being_stored(
    fenced: StagingDatabase, job: StagingJob, execute: Execute, fence: Fence
) -> None:
    ledger, run_id = StagingLedger(fenced), "under-way"
    ledger.start_run(new_run(job, target_of(fenced, job, run_id)))
    ledger.register_batches(run_id, [RawBatch(index, {}, range(100), []) for index in range(2)])
    stored = Stored(100, 0, 0, 0)

    with ledger.batch_transaction("under-way") as cursor:
        assert ledger.complete_batch(cursor, run_id, PreparedBatch(0, {}, 100), stored, lambda _: {}, 0.1)
        assert not give_up(execute, fence)
        assert renew(execute, fence)

    assert give_up(execute, fence)
    with pytest.raises(FencedError, match="batch 1 of run under-way"), ledger.batch_transaction("under-way") as cursor:
        ledger.complete_batch(cursor, run_id, PreparedBatch(1, {}, 100), stored, lambda _: {}, 0.1)
    assert execute("SELECT status FROM etl_run_batches ORDER BY batch_index") == [("succeeded",), ("pending",)]


def test_partitions_of_a_frame_ask_too(
    spark: SparkSession, fenced: StagingDatabase, job: StagingJob, execute: Execute, fence: Fence, tmp_path: Path
) -> None:
    """The attempt is given up by what the first batch itself does, so that none may be stored."""
    frame = spark.range(0, 200, numPartitions=2).selectExpr("concat('k', id) AS id")
    assert load_dataframe(
        frame, job, fenced.settings, options=LoadOptions(run_id="held", reject_dir=tmp_path)
    ).is_success
    execute(
        "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " UPDATE orchestrator.dw_etl_job_locks SET status = 'expired', released_at = now();"
        " RETURN NULL; END $$;"
        " TRUNCATE stg_events; CREATE TRIGGER lose AFTER INSERT ON stg_events EXECUTE FUNCTION lose()"
    )

    summary = load_dataframe(frame, job, fenced.settings, options=LoadOptions(run_id="lost", reject_dir=tmp_path))

    assert summary.run.status == "failed"
    assert f"attempt {fence.token} of the orchestrator's run" in (summary.run.failure or "")
    assert execute("SELECT count(*) FROM stg_events") == [(0,)]
    assert execute("SELECT DISTINCT error_code FROM etl_run_batches WHERE etl_run_id = 'lost'") == [("FencedError",)]


def test_a_database_without_the_orchestrator_is_told_of_once(
    staging_settings: PostgreSQLSettings, database: StagingDatabase, job: StagingJob
) -> None:
    elsewhere = Fence("no_orchestrator_here", 3, 4)
    with closing(StagingDatabase(staging_settings.of_attempt(elsewhere))) as unfenced, capture_logs() as told:
        summary = load(unfenced, job, "unfenced")

    assert summary.is_success
    assert summary.run.fencing_token == 4
    assert [entry["token"] for entry in told if entry["event"] == "fence cannot be asked"] == [4]
