"""Runs that are killed, stopped, or meet one another: what had committed stays, and the rest comes once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from etl.ingestion.model import FileResult, FileStatus, Mode, UploadReport
from etl.ingestion.uploader import async_upsert
from etl.postgresql.connection import connect
from tests.databases import PATIENCE_SECONDS
from tests.integration.ingestion.conftest import Silent, Uploads, locked_table, told, wait_until

pytestmark = pytest.mark.stack

WITHOUT_KEY = "CREATE TABLE t (id bigint, name text)"
BACKENDS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'ownlens-uploader'"

PROGRAM = """
import os, sys
from etl.ingestion.model import Header, Mode, UploadOptions
from etl.ingestion.command.event_loop import Interrupted, run_to_end
from etl.ingestion.database.settings import find_dsn
from etl.ingestion.uploader import async_upsert

file, chunk_size = sys.argv[1:]
options = UploadOptions(
    (file,), "t", (Header("id"), Header("name")), mode=Mode.APPEND, chunk_size=int(chunk_size), concurrency=2
)
try:
    run_to_end(async_upsert(options, find_dsn(None, None, os.environ)))
except Interrupted as ended:
    sys.exit(128 + ended.number)
"""


@contextmanager
def appending(uploads: Uploads, file: Path, chunk_size: int) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that appends the file."""
    settings = uploads.settings
    variables = {
        "PGHOST": str(settings.host),
        "PGPORT": str(settings.port),
        "PGUSER": settings.user,
        "PGDATABASE": settings.database,
        "PGPASSWORD": settings.password.get_secret_value(),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(file), str(chunk_size)],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for_batches(uploads: Uploads, count: int) -> None:
    wait_until(uploads.settings, "SELECT to_regclass('ingestion_batches') IS NOT NULL")
    wait_until(uploads.settings, f"SELECT count(*) >= {count} FROM ingestion_batches")


def append(uploads: Uploads, file: Path, **changes: object) -> FileResult:
    return uploads.load_one(file, mode=Mode.APPEND, primary_key=(), **changes)


def committed(uploads: Uploads) -> int:
    ((count,),) = uploads.execute("SELECT count(*) FROM ingestion_batches")
    return int(count)


def test_a_killed_append_resumed_has_each_row_once(uploads: Uploads) -> None:
    uploads.execute(WITHOUT_KEY)
    rows = 30_000
    file = uploads.numbered("a.csv", range(rows))
    with appending(uploads, file, chunk_size=200) as process:
        wait_for_batches(uploads, 5)
        process.kill()
        process.wait()
    wait_until(uploads.settings, f"SELECT count(*) = 0 {BACKENDS}")
    done = committed(uploads)
    assert done < rows // 200, "the process was through before it was killed"
    assert uploads.manifest("status") == [("pending",)]
    assert uploads.execute("SELECT count(*) FROM t") == [(done * 200,)]
    result = append(uploads, file, resume=True, chunk_size=5000)
    assert result.status is FileStatus.SUCCESS
    assert told(result.counts) == {"read": rows, "inserted": rows}
    assert uploads.execute("SELECT count(*), count(DISTINCT id) FROM t") == [(rows, rows)]
    assert uploads.manifest("status, rows, chunk_size") == [("success", rows, 200)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_ends_at_once_and_can_be_taken_up(uploads: Uploads, number: signal.Signals) -> None:
    """Also where every worker waits for a lock and the reader for a worker."""
    uploads.execute(WITHOUT_KEY)
    rows = 30_000
    file = uploads.numbered("a.csv", range(rows))
    with appending(uploads, file, chunk_size=200) as process:
        wait_for_batches(uploads, 2)
        with locked_table(uploads.settings, "t"):
            wait_until(uploads.settings, f"SELECT count(*) = 2 {BACKENDS} AND wait_event_type = 'Lock'")
            process.send_signal(number)
            output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 128 + number
    assert "Traceback" not in output
    done = committed(uploads)
    note = f"interrupted after {done} batches; --resume takes up the rest"
    assert uploads.manifest("status, notes") == [("pending", note)]
    wait_until(uploads.settings, f"SELECT count(*) = 0 {BACKENDS}")
    assert uploads.execute("SELECT count(*) FROM t") == [(done * 200,)]
    assert append(uploads, file, resume=True).status is FileStatus.SUCCESS
    assert uploads.execute("SELECT count(*), count(DISTINCT id) FROM t") == [(rows, rows)]


def test_a_file_that_another_run_is_appending_is_refused(uploads: Uploads) -> None:
    uploads.execute(WITHOUT_KEY)
    file = uploads.numbered("a.csv", range(100))
    others: list[FileResult] = []

    class Second(Silent):
        def batch_done(self, batch: object) -> None:
            if not others:
                with ThreadPoolExecutor(1) as thread:
                    others.append(thread.submit(append, uploads, file).result())

    report = uploads.load(file, mode=Mode.APPEND, primary_key=(), chunk_size=10, run_id="A", observers=[Second()])
    assert report.is_success
    assert others[0].status is FileStatus.FAILED
    assert "run A" in others[0].notes
    assert uploads.execute("SELECT count(*), count(DISTINCT id) FROM t") == [(100, 100)]
    assert uploads.manifest("status, run_id, rows") == [("success", "A", 100)]


def test_a_file_whose_first_batch_is_about_to_commit_is_refused(uploads: Uploads) -> None:
    """The second run finds no batch; the first one's has only to hear that it is committed."""
    uploads.execute(
        f"""{WITHOUT_KEY};
        CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION wait()"""
    )
    file = uploads.numbered("a.csv", range(100))
    with closing(connect(uploads.settings)) as connection, connection.cursor() as cursor, ThreadPoolExecutor(2) as runs:
        cursor.execute("SELECT pg_advisory_lock(42)")
        first = runs.submit(append, uploads, file, chunk_size=50, concurrency=1)
        wait_until(uploads.settings, f"SELECT count(*) = 1 {BACKENDS} AND wait_event = 'advisory'")
        second = runs.submit(append, uploads, file, chunk_size=50, concurrency=1)
        wait_until(uploads.settings, f"SELECT count(*) = 2 {BACKENDS} AND wait_event_type = 'Lock'")
        cursor.execute("SELECT pg_advisory_unlock(42)")
        connection.commit()
        assert first.result().status is FileStatus.SUCCESS
        assert second.result().status is FileStatus.FAILED
    assert uploads.execute("SELECT count(*), count(DISTINCT id) FROM t") == [(100, 100)]


def test_a_file_that_a_vanished_run_still_holds_is_told(uploads: Uploads) -> None:
    file = uploads.csv("a.csv", "id,name")
    uploads.load(file)
    with closing(connect(uploads.settings)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT FROM ingestion_manifest FOR SHARE")
        result = uploads.load_one(file, lock_timeout_seconds=1, max_retries=0)
    assert result.status is FileStatus.FAILED
    assert "lock timeout" in result.notes


def test_a_run_that_was_overtaken_writes_no_more(uploads: Uploads) -> None:
    uploads.execute(WITHOUT_KEY)
    file = uploads.numbered("a.csv", range(100))
    others: list[FileResult] = []

    class Overtaker(Silent):
        def batch_done(self, batch: object) -> None:
            if not others:
                uploads.execute("TRUNCATE t")
                with ThreadPoolExecutor(1) as thread:
                    others.append(thread.submit(append, uploads, file, restart=True, run_id="B").result())

    report = uploads.load(
        file, mode=Mode.APPEND, primary_key=(), chunk_size=10, concurrency=1, run_id="A", observers=[Overtaker()]
    )
    (result,) = report.files
    assert result.status is FileStatus.FAILED
    assert "another run has begun" in result.notes
    assert others[0].status is FileStatus.SUCCESS
    assert uploads.execute("SELECT count(*), count(DISTINCT id) FROM t") == [(100, 100)]
    assert uploads.manifest("status, run_id, rows") == [("success", "B", 100)]


@pytest.mark.parametrize("mode", Mode)
def test_two_runs_that_take_up_one_file_share_it(uploads: Uploads, mode: Mode) -> None:
    uploads.execute("CREATE TABLE t (id bigint UNIQUE CHECK (id <> 500), name text)")
    file = uploads.numbered("a.csv", range(2000))
    key = ("id",) if mode is Mode.UPSERT else ()
    options = {"mode": mode, "primary_key": key, "chunk_size": 20}
    assert uploads.load_one(file, **options).status is FileStatus.FAILED
    uploads.execute("ALTER TABLE t DROP CONSTRAINT t_id_check")

    async def both() -> list[UploadReport]:
        again = uploads.options(file, **options, resume=True)
        return await asyncio.gather(*(async_upsert(again, uploads.dsn) for _ in range(2)))

    for report in asyncio.run(both()):
        assert report.is_success, report
    assert uploads.execute("SELECT count(*), count(DISTINCT id) FROM t") == [(2000, 2000)]
    assert uploads.manifest("status, rows") == [("success", 2000)]


def test_two_runs_begin_one_file_at_once(uploads: Uploads) -> None:
    """Whoever wins, the file stands there once; the other one says so."""
    uploads.execute(WITHOUT_KEY)
    file = uploads.numbered("a.csv", range(2000))
    uploads.load(uploads.csv("other.csv", "id,name", "-1,makes the manifest"), mode=Mode.APPEND, primary_key=())

    async def both() -> list[UploadReport]:
        options = uploads.options(file, mode=Mode.APPEND, primary_key=(), chunk_size=20)
        return await asyncio.gather(*(async_upsert(options, uploads.dsn) for _ in range(2)))

    results = [report.files[0] for report in asyncio.run(both())]
    assert sorted(result.status for result in results) == [FileStatus.FAILED, FileStatus.SUCCESS]
    assert uploads.execute("SELECT count(*), count(DISTINCT id) FROM t WHERE id >= 0") == [(2000, 2000)]
