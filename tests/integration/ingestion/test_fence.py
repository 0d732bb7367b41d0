"""An orchestrator's attempt that was given up commits no further batch, and its file fails with that reason."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from etl.config.settings import PostgreSQLSettings
from etl.errors import FencedError
from etl.fencing import Fence
from etl.ingestion.database.connection import connect, transaction
from etl.ingestion.model import Batch, BatchCounts, CsvBytes, FileStatus, FileType, Mode, UploadReport
from etl.ingestion.upload import manifest
from etl.ingestion.upload.manifest import Load
from etl.ingestion.uploader import async_upsert
from etl.ingestion.watch.observers import BatchDone, Observer
from tests.databases import Execute
from tests.fences import give_up, install_orchestrator, new_attempt, renew
from tests.integration.ingestion.conftest import Silent, Uploads

pytestmark = pytest.mark.stack

Upload = Callable[..., UploadReport]


@pytest.fixture(scope="module", autouse=True)
def orchestrator(upload_settings: PostgreSQLSettings) -> None:
    install_orchestrator(upload_settings)


@pytest.fixture
def fence(uploads: Uploads) -> Fence:
    return new_attempt(uploads.execute)


@pytest.fixture
def file(uploads: Uploads) -> Path:
    return uploads.numbered("a.csv", range(1, 1001))


@pytest.fixture
def upload(uploads: Uploads, file: Path) -> Upload:
    def run(fence: Fence | None, *observers: Observer, **changes: Any) -> UploadReport:
        options = uploads.options(file, **{"chunk_size": 100, "concurrency": 1, **changes})
        return asyncio.run(async_upsert(options, replace(uploads.dsn, fence=fence), observers))

    return run


class GivingUp(Silent):
    """The orchestrator gives the attempt up when so many batches are stored."""

    def __init__(self, execute: Execute, fence: Fence, after: int) -> None:
        self._execute, self._fence, self._left = execute, fence, after

    def batch_done(self, batch: BatchDone) -> None:
        self._left -= 1
        if not self._left:
            assert give_up(self._execute, self._fence)


def tokens(uploads: Uploads) -> list[tuple[int, int]]:
    return uploads.execute("SELECT fencing_token, count(*) FROM ingestion_batches GROUP BY 1 ORDER BY 1")


@pytest.mark.parametrize("mode", [Mode.UPSERT, Mode.APPEND])
def test_a_held_attempt_is_stored_with_its_token(uploads: Uploads, upload: Upload, fence: Fence, mode: Mode) -> None:
    assert upload(fence, mode=mode).is_success

    assert uploads.manifest("status, rows, fencing_token") == [("success", 1000, fence.token)]
    assert tokens(uploads) == [(fence.token, 10)]


def test_without_an_orchestrator_nothing_is_asked(uploads: Uploads, upload: Upload) -> None:
    assert upload(None).is_success

    assert uploads.manifest("status, fencing_token") == [("success", None)]


@pytest.mark.parametrize("is_merged", [False, True])
def test_an_attempt_that_is_given_up_commits_no_further_batch(
    uploads: Uploads, upload: Upload, fence: Fence, is_merged: bool
) -> None:
    """Whether rows go into an empty table by COPY, or are merged."""
    uploads.execute("CREATE TABLE t (id bigint PRIMARY KEY, name text)")
    if is_merged:
        uploads.execute("INSERT INTO t VALUES (0, 'stored')")

    report = upload(fence, GivingUp(uploads.execute, fence, after=3))

    (result,) = report.files
    assert result.status is FileStatus.FAILED
    assert f"attempt {fence.token} of the orchestrator's run {fence.run_id}" in result.notes
    assert report.retries == 0
    assert uploads.execute("SELECT count(*) FROM t WHERE id > 0") == [(300,)]
    assert uploads.manifest("status, rows, notes") == [("failed", 300, result.notes)]
    assert tokens(uploads) == [(fence.token, 3)]


def test_the_next_attempt_takes_up_the_rest_and_the_first_does_not_touch_it(
    uploads: Uploads, upload: Upload, fence: Fence
) -> None:
    other = new_attempt(uploads.execute)

    class TakingOver(GivingUp):
        def batch_done(self, batch: BatchDone) -> None:
            super().batch_done(batch)
            if not self._left:
                uploads.execute("UPDATE ingestion_manifest SET fencing_token = %s", [other.token])

    upload(fence, TakingOver(uploads.execute, fence, after=3))
    assert uploads.manifest("status, fencing_token") == [("pending", other.token)]

    assert upload(other, resume=True).is_success
    assert uploads.manifest("status, rows, fencing_token") == [("success", 1000, other.token)]
    assert tokens(uploads) == [(fence.token, 3), (other.token, 7)]


def test_an_attempt_that_was_given_up_starts_nothing(uploads: Uploads, upload: Upload, fence: Fence) -> None:
    assert give_up(uploads.execute, fence)

    with pytest.raises(FencedError, match="cannot start"):
        upload(fence)

    assert uploads.execute("SELECT to_regclass('t'), to_regclass('ingestion_manifest')") == [(None, None)]


def test_nobody_takes_over_while_a_batch_is_being_stored(uploads: Uploads, fence: Fence) -> None:
    uploads.execute(manifest.schema_sql())
    load = Load("/a.csv", "t", "load", "run", fence.token, fence)

    async def store() -> None:
        connection = await connect(uploads.dsn, 10)
        try:
            async with transaction(connection):
                await manifest.begin_load(
                    connection,
                    load,
                    found=None,
                    checksum="",
                    size_bytes=0,
                    file_type=FileType.CSV,
                    mode=Mode.APPEND,
                    chunk_size=1,
                    options={},
                )
            async with transaction(connection):
                assert await manifest.record_batch(connection, load, batch(0), BatchCounts())
                assert not give_up(uploads.execute, fence)
                assert renew(uploads.execute, fence)
            assert give_up(uploads.execute, fence)
            with pytest.raises(FencedError, match="batch 1 cannot be stored"):
                async with transaction(connection):
                    await manifest.record_batch(connection, load, batch(1), BatchCounts())
        finally:
            await connection.close()

    asyncio.run(store())

    assert uploads.execute("SELECT batch_idx FROM ingestion_batches") == [(0,)]


def batch(index: int) -> Batch:
    return Batch(index, (), CsvBytes(b"", ",", '"', ""), 0)


def test_a_manifest_of_an_earlier_version_gets_what_it_lacks(uploads: Uploads, upload: Upload, fence: Fence) -> None:
    assert upload(None).is_success
    uploads.execute("ALTER TABLE ingestion_manifest DROP COLUMN fencing_token")
    uploads.execute("ALTER TABLE ingestion_batches DROP COLUMN fencing_token")

    assert upload(fence, restart=True).is_success

    assert uploads.manifest("status, fencing_token") == [("success", fence.token)]
    assert tokens(uploads) == [(fence.token, 10), (None, 10)]


def test_sessions_are_found_by_the_attempt(uploads: Uploads, fence: Fence) -> None:
    named = replace(uploads.dsn, fence=fence, options=(("application_name", "nightly upload " * 5),))

    async def name() -> Any:
        connection = await connect(named, 10)
        try:
            return await connection.fetchval("SELECT current_setting('application_name')")
        finally:
            await connection.close()

    found = asyncio.run(name())
    assert found.startswith("nightly upload")
    assert found.endswith(f" {fence.session}")


def test_a_database_without_the_orchestrator_is_told_of_once(uploads: Uploads, upload: Upload) -> None:
    with capture_logs() as told:
        assert upload(Fence("no_orchestrator_here", 3, 4)).is_success

    assert [entry["token"] for entry in told if entry["event"] == "fence cannot be asked"] == [4]
    assert uploads.manifest("status, fencing_token") == [("success", 4)]
