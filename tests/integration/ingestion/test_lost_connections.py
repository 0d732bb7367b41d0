"""Connections cut in the middle, answers lost, sessions ended, the server restarted: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psutil
import pytest

from etl.errors import ConnectionLostError, ContentionError, TransientError
from etl.ingestion.model import FileStatus, Mode, UploadReport
from etl.ingestion.uploader import async_upsert
from etl.ingestion.watch.observers import BatchDone
from etl.postgresql.connection import connect
from etl.stack.embedded import Stack
from etl.stack.layout import Layout
from tests.databases import PATIENCE_SECONDS
from tests.integration.ingestion.conftest import Silent, Uploads, dsn_of, locked_table, told, wait_until
from tests.integration.ingestion.cutting_proxy import Says, after_bytes, at_commits, cutting_proxy
from tests.restarting import own_postgresql, server_of, start

pytestmark = pytest.mark.stack

ROWS = 4000
WITHOUT_KEY = "CREATE TABLE t (id bigint, name text)"
WITH_KEY = "CREATE TABLE t (id bigint PRIMARY KEY, name text)"


class Retries(Silent):
    def __init__(self) -> None:
        self.errors: list[Exception] = []

    def batch_retried(self, path: str, batch_index: int, error: Exception, attempt: int, wait_seconds: float) -> None:
        self.errors.append(error)


def load_through(uploads: Uploads, moment: Says, mode: Mode, *, after_the_answer: bool) -> tuple[UploadReport, Retries]:
    file = uploads.numbered("a.csv", range(ROWS), word="a name of some length")
    retries = Retries()
    key = ("id",) if mode is Mode.UPSERT else ()
    options = uploads.options(file, mode=mode, primary_key=key, chunk_size=500)
    with cutting_proxy(uploads.settings, moment, after_the_answer=after_the_answer) as settings:
        return asyncio.run(async_upsert(options, dsn_of(settings), [retries])), retries


def holds_each_row_once(uploads: Uploads) -> bool:
    return uploads.execute("SELECT count(*), count(DISTINCT id) FROM t") == [(ROWS, ROWS)]


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("count", [15_000, 45_000, 100_000])
def test_a_connection_cut_in_the_middle_of_a_batch(
    uploads: Uploads, quick_retries: list[float], mode: Mode, count: int
) -> None:
    uploads.execute(WITHOUT_KEY if mode is Mode.APPEND else WITH_KEY)
    report, retries = load_through(uploads, after_bytes(count), mode, after_the_answer=False)
    assert report.is_success
    assert [type(error) for error in retries.errors] == [ConnectionLostError]
    assert report.retries == 1
    assert told(report.counts) == {"read": ROWS, "inserted": ROWS}
    assert holds_each_row_once(uploads)


@pytest.mark.parametrize(
    ("mode", "table"),
    [(Mode.APPEND, WITHOUT_KEY), (Mode.APPEND, WITH_KEY), (Mode.UPSERT, WITH_KEY)],
    ids=["append", "append with a key", "upsert"],
)
@pytest.mark.parametrize("after_the_answer", [True, False], ids=["done", "not done"])
def test_a_commit_whose_answer_is_lost_is_not_done_twice(
    uploads: Uploads, quick_retries: list[float], mode: Mode, table: str, after_the_answer: bool
) -> None:
    uploads.execute(table)
    report, retries = load_through(uploads, at_commits(2, 4, 5), mode, after_the_answer=after_the_answer)
    assert report.is_success
    assert len(retries.errors) == 3
    assert told(report.counts) == {"read": ROWS, "inserted": ROWS}
    assert holds_each_row_once(uploads)
    assert uploads.manifest("status, rows") == [("success", ROWS)]


def test_waits_double_and_end(uploads: Uploads, quick_retries: list[float]) -> None:
    uploads.execute(WITH_KEY)
    report, retries = load_through(
        uploads, lambda data: b"COPY" in data and b"FROM STDIN" in data.upper(), Mode.UPSERT, after_the_answer=False
    )
    (result,) = report.files
    assert result.status is FileStatus.FAILED
    assert len(retries.errors) % 3 == 0
    assert sorted(int(seconds) for seconds in quick_retries) == sorted([1, 2, 4] * (len(retries.errors) // 3))
    assert uploads.rows() == []
    assert uploads.manifest("status, notes") == [("failed", result.notes)]


def test_a_server_that_does_not_come_back_ends_the_run(uploads: Uploads, quick_retries: list[float]) -> None:
    uploads.execute(WITHOUT_KEY)
    files = [uploads.numbered(f"{name}.csv", range(ROWS)) for name in "ab"]
    options = uploads.options(*files, mode=Mode.APPEND, primary_key=(), chunk_size=50)
    with ExitStack() as server:
        settings = server.enter_context(cutting_proxy(uploads.settings, lambda _: False))

        class Ender(Silent):
            def batch_done(self, batch: BatchDone) -> None:
                server.close()

        report = asyncio.run(async_upsert(options, dsn_of(settings), [Ender()]))
    assert [file.status for file in report.files] == [FileStatus.FAILED] * 2
    assert all("can be reached" in file.notes or "connection" in file.notes for file in report.files)
    again = uploads.load(*files, mode=Mode.APPEND, primary_key=(), resume=True)
    assert again.is_success
    assert uploads.execute("SELECT count(*), count(DISTINCT id) FROM t") == [(2 * ROWS, ROWS)]


def test_sessions_that_an_administrator_ends(uploads: Uploads, quick_retries: list[float]) -> None:
    uploads.execute(WITHOUT_KEY)
    file = uploads.numbered("a.csv", range(ROWS))
    retries = Retries()
    done = threading.Event()

    def end_sessions() -> None:
        for _ in range(4):
            done.wait(0.1)
            uploads.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name = 'ownlens-uploader'"
            )

    class Ender(Silent):
        def file_started(self, *_: object) -> None:
            ending.start()

    ending = threading.Thread(target=end_sessions)
    report = uploads.load(
        file, mode=Mode.APPEND, primary_key=(), chunk_size=100, max_retries=10, observers=[retries, Ender()]
    )
    done.set()
    ending.join()
    assert report.is_success
    assert all(isinstance(error, ConnectionLostError) for error in retries.errors)
    assert told(report.counts) == {"read": ROWS, "inserted": ROWS}
    assert holds_each_row_once(uploads)


def test_a_deadlock_is_tried_again(uploads: Uploads, quick_retries: list[float]) -> None:
    uploads.execute(f"{WITH_KEY}; INSERT INTO t SELECT n, 'old' FROM generate_series(1, 10) AS n")
    file = uploads.numbered("a.csv", range(1, 11))
    retries = Retries()
    with closing(connect(uploads.settings)) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE t SET name = 'other' WHERE id = 10")

        def take_the_first_row_too() -> None:
            wait_until(uploads.settings, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted")
            cursor.execute("UPDATE t SET name = 'other' WHERE id = 1")
            connection.commit()

        other = threading.Thread(target=take_the_first_row_too)
        other.start()
        report = uploads.load(file, observers=[retries])
        other.join()
    assert report.is_success
    assert [type(error) for error in retries.errors] == [ContentionError]
    assert told(report.counts) == {"read": 10, "updated": 10}
    assert uploads.rows() == [(n, f"name {n}") for n in range(1, 11)]


def test_a_statement_that_takes_too_long(uploads: Uploads) -> None:
    uploads.execute(
        f"""{WITH_KEY};
        CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;
        CREATE TRIGGER dawdles BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION dawdle()"""
    )
    result = uploads.load_one(uploads.numbered("a.csv", (1, 2)), statement_timeout_seconds=1, max_retries=0)
    assert result.status is FileStatus.FAILED
    assert "statement timeout" in result.notes
    assert uploads.rows() == []


def test_two_runs_into_one_table_get_along(uploads: Uploads, quick_retries: list[float]) -> None:
    """The same keys in other orders, also by the index of another column."""
    uploads.execute("CREATE TABLE t (id bigint PRIMARY KEY, name text)")
    keys = [n * 7 % 1000 for n in range(1000)]
    files = [uploads.numbered("a.csv", keys, "a"), uploads.numbered("b.csv", keys[::-1], "b")]

    async def both() -> list[UploadReport]:
        runs = [uploads.options(file, chunk_size=50, concurrency=3, max_retries=10) for file in files]
        return await asyncio.gather(*(async_upsert(options, uploads.dsn) for options in runs))

    reports = asyncio.run(both())
    assert all(report.is_success for report in reports)
    for report in reports:
        assert told(report.counts)["read"] == 1000
    assert sum(report.counts.rows_inserted for report in reports) == 1000
    assert {(key, name.split()[1]) for key, name in uploads.rows()} == {(n, str(n)) for n in range(1000)}


def test_a_lock_that_is_not_given_up_in_time(uploads: Uploads) -> None:
    uploads.execute(f"{WITH_KEY}; INSERT INTO t VALUES (1, 'old')")
    with locked_table(uploads.settings, "t"):
        result = uploads.load_one(uploads.numbered("a.csv", (1, 2)), lock_timeout_seconds=1, max_retries=0)
    assert result.status is FileStatus.FAILED
    assert "lock timeout" in result.notes
    assert uploads.rows() == [(1, "old")]


@pytest.fixture(scope="module")
def own_server() -> Iterator[Layout]:
    """PostgreSQL alone, to be restarted."""
    with own_postgresql("restarted") as layout:
        yield layout


def test_a_server_that_breaks_down_and_comes_back_under_the_load(
    own_server: Layout, tmp_path: Path, quick_retries: list[float]
) -> None:
    uploads = Uploads(server_of(own_server), tmp_path)
    uploads.execute(WITHOUT_KEY)
    file = uploads.numbered("a.csv", range(ROWS))
    retries = Retries()

    def restart() -> None:
        (postmaster,) = Stack(own_server, say=print).status()[0].process_ids
        os.kill(postmaster, signal.SIGQUIT)
        psutil.Process(postmaster).wait(timeout=PATIENCE_SECONDS)
        start(own_server)

    restarting = threading.Thread(target=restart)

    class Restarter(Silent):
        def batch_done(self, batch: BatchDone) -> None:
            if batch.batch_index == 20:
                restarting.start()

    report = uploads.load(
        file, mode=Mode.APPEND, primary_key=(), chunk_size=20, max_retries=20, observers=[retries, Restarter()]
    )
    restarting.join()
    assert report.is_success
    assert retries.errors
    assert all(isinstance(error, TransientError) for error in retries.errors)
    assert told(report.counts) == {"read": ROWS, "inserted": ROWS}
    assert holds_each_row_once(uploads)
