"""A table that a run makes gets its primary key when its rows are there: what stands in the end, and what the manifest
says of it, is as if the key had stood there from the first row on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from etl.errors import UsageError
from etl.ingestion.model import BadRows, FileStatus, Mode, UploadReport
from etl.ingestion.uploader import async_upsert
from etl.ingestion.watch.observers import BatchDone
from etl.postgresql.connection import connect
from tests.integration.ingestion.conftest import Rows, Silent, Uploads, order_of, told, wait_until

pytestmark = pytest.mark.stack

WITH_KEY = "CREATE TABLE t (id text PRIMARY KEY, name text)"
IN_TURN: dict[str, Any] = {"chunk_size": 3, "concurrency": 1, "bad_rows": BadRows.REJECT}
AWAITS = "SELECT obj_description('t'::regclass) LIKE '%primary key%'"
BACKENDS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'ownlens-uploader%'"
KEYS = "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 't'::regclass AND contype = 'p'"

PROGRAM = """
import asyncio, os, re, signal, sys
from etl.ingestion.database.settings import find_dsn
from etl.ingestion.database.silence import WatchedConnection
from etl.ingestion.model import BadRows, Header, UploadOptions
from etl.ingestion.uploader import async_upsert

statement, left, *files = sys.argv[1:]
left, execute = int(left), WatchedConnection.execute

async def execute_unless_killed(self, query, *arguments, **options):
    global left
    if re.fullmatch(statement, query, re.DOTALL):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return await execute(self, query, *arguments, **options)

WatchedConnection.execute = execute_unless_killed
options = UploadOptions(
    tuple(files), "t", (Header("id"), Header("name")), primary_key=("id",), chunk_size=3, concurrency=1,
    bad_rows=BadRows.REJECT,
)
report = asyncio.run(async_upsert(options, find_dsn(None, None, os.environ)))
sys.exit(0 if report.is_success else 1)
"""


def clashing_files(uploads: Uploads) -> tuple[Path, Path]:
    """Keys that stand twice in a file and in both, alike and not, beside a row that is rejected."""
    first = ("1,one", ",nobody", "2,two", "3,three", "4,four", "5,five", "1,uno", "2,two", "6,six", "7,seven")
    return uploads.csv("a.csv", "id,name", *first), uploads.csv("b.csv", "id,name", "8,eight", "4,quatro", "9,nine")


def outcome(uploads: Uploads) -> dict[str, Rows]:
    return {
        "rows": uploads.rows(),
        "manifest": uploads.manifest("filename, status, rows, notes"),
        "batches": uploads.execute(
            "SELECT filename, batch_idx, b.rows_read, rows_inserted, rows_updated, rows_unchanged, rows_rejected "
            "FROM ingestion_batches AS b JOIN ingestion_manifest USING (load_id) ORDER BY filename, batch_idx"
        ),
        "rejects": uploads.execute("SELECT batch_idx, line, column_name, value, reason FROM ingestion_rejects"),
    }


def expected_outcome(uploads: Uploads, files: Sequence[Path]) -> dict[str, Rows]:
    """Of a table that has its key from the first row on."""
    uploads.execute(WITH_KEY)
    assert uploads.load(*files, **IN_TURN).is_success
    expected = outcome(uploads)
    uploads.execute("DROP TABLE t, ingestion_manifest, ingestion_batches, ingestion_rejects")
    return expected


class Meanwhile(Silent):
    """Does something once, when the first batch has committed."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act: Callable[[], None] | None = act

    def batch_done(self, batch: BatchDone) -> None:
        act, self._act = self._act, None
        if act is not None:
            with ThreadPoolExecutor(1) as thread:
                thread.submit(act).result()


def test_the_key_comes_when_the_rows_are_there(uploads: Uploads) -> None:
    seen: list[Rows] = []
    file = uploads.numbered("a.csv", range(50))
    look = Meanwhile(lambda: seen.extend((uploads.execute(AWAITS), uploads.execute(KEYS))))
    report = uploads.load(file, chunk_size=10, observers=[look])
    assert seen == [[(True,)], []]
    assert told(report.counts) == {"read": 50, "inserted": 50}
    assert uploads.execute(KEYS) == [("t_pkey", "PRIMARY KEY (id)")]
    assert uploads.execute("SELECT obj_description('t'::regclass)") == [(None,)]
    assert told(uploads.load(file).counts) == {"read": 50, "unchanged": 50}


def test_a_key_of_several_columns_keeps_their_order(uploads: Uploads) -> None:
    uploads.load(uploads.csv("a.csv", "id,name", "1,a", "1,b"), primary_key=("name", "id"))
    assert uploads.execute(KEYS) == [("t_pkey", "PRIMARY KEY (name, id)")]


@pytest.mark.parametrize(
    "changes", [{"dedup_order_by": order_of("name")}, {"mode": Mode.APPEND}], ids=["an order decides", "append"]
)
def test_where_each_batch_needs_the_key_it_stands_first(uploads: Uploads, changes: dict[str, Any]) -> None:
    seen: list[Rows] = []
    look = Meanwhile(lambda: seen.append(uploads.execute(KEYS)))
    assert uploads.load(uploads.numbered("a.csv", range(5)), observers=[look], **changes).is_success
    assert seen == [[("t_pkey", "PRIMARY KEY (id)")]]


def test_keys_that_clash_are_merged_as_if_the_key_had_stood_there(uploads: Uploads) -> None:
    files = clashing_files(uploads)
    expected = expected_outcome(uploads, files)
    report = uploads.load(*files, **IN_TURN)
    assert report.is_success, report
    assert outcome(uploads) == expected
    assert [told(each.counts) for each in report.files] == [
        {"read": 10, "inserted": 7, "updated": 1, "unchanged": 1, "rejected": 1},
        {"read": 3, "inserted": 2, "updated": 1},
    ]


def test_batches_whose_keys_clash_with_nobody_stay(uploads: Uploads) -> None:
    file = uploads.numbered("a.csv", [*range(30), 0])
    done: list[int] = []

    class Counting(Silent):
        def batch_done(self, batch: BatchDone) -> None:
            done.append(batch.batch_index)

    uploads.load(file, chunk_size=10, concurrency=1, observers=[Counting()])
    assert done == [0, 1, 2, 3, 0, 3]
    assert uploads.manifest("status, rows") == [("success", 31)]


def test_a_key_twice_in_a_batch_fails_its_file_alone(uploads: Uploads) -> None:
    twice = uploads.csv("a.csv", "id,name", "3,three", "4,four", "1,one", "1,uno")
    good = uploads.csv("b.csv", "id,name", "2,two")
    report = uploads.load(twice, good, chunk_size=2)
    assert [(each.status, told(each.counts)) for each in report.files] == [
        (FileStatus.FAILED, {"read": 2, "inserted": 2}),
        (FileStatus.SUCCESS, {"read": 1, "inserted": 1}),
    ]
    assert "(1) 2 times" in report.files[0].notes
    assert uploads.rows() == [("2", "two"), ("3", "three"), ("4", "four")]
    assert uploads.manifest("status, rows") == [("failed", 2), ("success", 1)]


def test_a_failed_file_is_told_without_the_batches_that_were_taken_out(uploads: Uploads) -> None:
    """They come with the rest, once it is mended."""
    failing = uploads.csv("a.csv", "id,name", "1,one", "2,two", ",nobody")
    good = uploads.csv("b.csv", "id,name", "1,uno")
    report = uploads.load(failing, good, chunk_size=1, concurrency=1)
    assert [(each.status, told(each.counts)) for each in report.files] == [
        (FileStatus.FAILED, {"read": 1, "inserted": 1}),
        (FileStatus.SUCCESS, {"read": 1, "inserted": 1}),
    ]
    assert uploads.manifest("status, rows") == [("failed", 1), ("success", 1)]
    assert uploads.rows() == [("1", "uno"), ("2", "two")]
    result = uploads.load_one(failing, chunk_size=1, resume=True, bad_rows=BadRows.REJECT)
    assert told(result.counts) == {"read": 3, "inserted": 1, "updated": 1, "rejected": 1}


def test_a_value_that_no_index_takes_fails_its_file_alone(uploads: Uploads) -> None:
    """Text that does not compress: a key of more than a third of a page."""
    long = "".join(chr(0x4E00 + n * 7919 % 20_000) for n in range(4000))
    wide, good = uploads.csv("a.csv", "id,name", f"{long},one"), uploads.csv("b.csv", "id,name", "2,two")
    report = uploads.load(wide, good)
    assert [each.status for each in report.files] == [FileStatus.FAILED, FileStatus.SUCCESS]
    assert "index row" in report.files[0].notes
    assert uploads.rows() == [("2", "two")]
    assert uploads.execute(KEYS) == [("t_pkey", "PRIMARY KEY (id)")]


# --- beside others --------------------------------------------------------------------------------------------------


def test_who_comes_second_adds_the_key_and_both_go_on_with_it(uploads: Uploads) -> None:
    """The first run's batch clashes with nothing yet; of its later ones one does."""
    first = uploads.numbered("a.csv", [*range(10), 3, 11])
    second = uploads.numbered("b.csv", [0, 20], word="other")
    others: list[FileStatus] = []

    def load_second() -> None:
        others.append(uploads.load_one(second, concurrency=1).status)
        assert uploads.execute(KEYS) == [("t_pkey", "PRIMARY KEY (id)")]

    report = uploads.load(first, chunk_size=5, concurrency=1, observers=[Meanwhile(load_second)])
    assert report.is_success, report
    assert others == [FileStatus.SUCCESS]
    assert told(report.counts) == {"read": 12, "inserted": 11, "unchanged": 1}
    assert uploads.execute("SELECT count(*), count(DISTINCT id) FROM t") == [(12, 12)]
    assert uploads.execute("SELECT name FROM t WHERE id = '0'") == [("other 0",)]
    assert uploads.manifest("status, rows") == [("success", 12), ("success", 2)]


def test_two_runs_that_make_the_table_at_once_share_its_key(uploads: Uploads) -> None:
    """Whichever makes it, and whichever is through first."""
    uploads.load(uploads.csv("other.csv", "id,name"), table="makes_the_manifest")
    files = uploads.numbered("a.csv", range(60)), uploads.numbered("b.csv", range(40, 100))

    async def both() -> list[UploadReport]:
        options = [uploads.options(file, chunk_size=10, concurrency=2) for file in files]
        return await asyncio.gather(*(async_upsert(each, uploads.dsn) for each in options))

    reports = asyncio.run(both())
    assert all(report.is_success for report in reports), reports
    counts = reports[0].counts + reports[1].counts
    assert told(counts) == {"read": 120, "inserted": 100, "unchanged": 20}
    assert uploads.execute("SELECT count(*), count(DISTINCT id) FROM t") == [(100, 100)]
    assert uploads.execute(KEYS) == [("t_pkey", "PRIMARY KEY (id)")]
    assert uploads.execute("SELECT status, rows FROM ingestion_manifest WHERE rows > 0") == [("success", 60)] * 2


def test_a_file_that_was_through_is_loaded_again_where_another_run_had_to_take_its_batches_out(
    uploads: Uploads,
) -> None:
    """Its batches clash with one another, which the key brings to light while they are still coming."""
    first = uploads.csv("a.csv", "id,name", "1,one", "1,uno", "2,two")
    second = uploads.numbered("b.csv", [20])

    class Late(Silent):
        count = 0

        def batch_done(self, batch: BatchDone) -> None:
            self.count += 1
            if self.count == 2:
                with ThreadPoolExecutor(1) as thread:
                    assert thread.submit(uploads.load_one, second).result().status is FileStatus.SUCCESS

    report = uploads.load(first, chunk_size=1, concurrency=1, observers=[Late()])
    assert report.is_success, report
    assert told(report.counts) == {"read": 3, "inserted": 2, "updated": 1}
    assert uploads.rows() == [("1", "uno"), ("2", "two"), ("20", "name 20")]
    assert uploads.manifest("status, rows") == [("success", 3), ("success", 1)]


def test_rows_of_others_that_clash_are_told_and_kept(uploads: Uploads) -> None:
    file = uploads.numbered("a.csv", range(3))
    act = Meanwhile(lambda: uploads.execute("INSERT INTO t VALUES ('7', 'x'), ('7', 'y')") and None)
    report = uploads.load(file, observers=[act])
    assert not report.is_success
    assert "no primary key yet" in report.notes
    assert uploads.execute("SELECT count(*) FROM t") == [(5,)]
    assert uploads.execute(AWAITS) == [(True,)]
    with pytest.raises(UsageError, match="no primary key yet"):
        uploads.load(file)
    uploads.execute("DELETE FROM t WHERE name = 'y'")
    assert uploads.load_one(file, resume=True).status is FileStatus.SKIPPED
    assert uploads.execute(KEYS) == [("t_pkey", "PRIMARY KEY (id)")]


def test_a_key_that_somebody_else_has_added_will_do(uploads: Uploads) -> None:
    add = Meanwhile(lambda: uploads.execute("ALTER TABLE t ADD CONSTRAINT own PRIMARY KEY (id)") and None)
    report = uploads.load(uploads.numbered("a.csv", [1, 2, 1]), chunk_size=1, concurrency=1, observers=[add])
    assert told(report.counts) == {"read": 3, "inserted": 2, "unchanged": 1}
    assert uploads.execute(KEYS) == [("own", "PRIMARY KEY (id)")]
    assert uploads.execute("SELECT obj_description('t'::regclass)") == [(None,)]


def test_another_key_than_the_awaited_one_is_refused(uploads: Uploads) -> None:
    uploads.load(uploads.numbered("a.csv", range(3)))
    with pytest.raises(Exception, match="no unique index"):
        uploads.load(uploads.numbered("b.csv", range(3)), primary_key=("name",))


def test_a_reader_waits_until_the_key_stands(uploads: Uploads) -> None:
    """Nobody reads rows that are about to be taken out: the transaction holds the table alone."""
    file = uploads.numbered("a.csv", [1, 2, 1])
    with closing(connect(uploads.settings)) as connection, connection.cursor() as cursor, ThreadPoolExecutor(1) as runs:

        def read() -> None:
            cursor.execute("SELECT count(*) FROM t")

        run = runs.submit(uploads.load, file, chunk_size=1, concurrency=1, observers=[Meanwhile(read)])
        wait_until(uploads.settings, f"SELECT count(*) = 1 {BACKENDS} AND wait_event_type = 'Lock'")
        assert uploads.execute("SELECT count(*) FROM ingestion_batches") == [(3,)]
        connection.rollback()
        assert told(run.result().counts) == {"read": 3, "inserted": 2, "unchanged": 1}


def test_a_dry_run_looks_and_adds_nothing(uploads: Uploads) -> None:
    file = uploads.numbered("a.csv", range(3))
    assert kill_before(uploads, "COMMENT ON TABLE .* IS NULL", 1, file)
    assert uploads.load_one(file, dry_run=True).status is FileStatus.SUCCESS
    assert uploads.execute(AWAITS) == [(True,)]


def test_a_role_that_may_take_nothing_out_makes_the_table_with_its_key(uploads: Uploads) -> None:
    """Its grants are those of `uploader init`, before a key came last."""
    seen: list[Rows] = []
    uploads.load(uploads.csv("other.csv", "id,name"), table="other")
    uploads.execute(f"REVOKE DELETE ON ingestion_batches FROM {uploads.settings.user}")
    look = Meanwhile(lambda: seen.append(uploads.execute(KEYS)))
    assert uploads.load(uploads.numbered("a.csv", range(5)), observers=[look]).is_success
    assert seen == [[("t_pkey", "PRIMARY KEY (id)")]]


# --- killed ---------------------------------------------------------------------------------------------------------


def kill_before(uploads: Uploads, statement: str, number: int, *files: Path) -> bool:
    """Loads the files in a process that is killed before it says so many statements like this one; False where it
    ended first, with success."""
    settings = uploads.settings
    variables = {
        "PGHOST": str(settings.host),
        "PGPORT": str(settings.port),
        "PGUSER": settings.user,
        "PGDATABASE": settings.database,
        "PGPASSWORD": settings.password.get_secret_value(),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, statement, str(number), *map(str, files)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    wait_until(settings, f"SELECT count(*) = 0 {BACKENDS}")
    return done.returncode != 0


@pytest.mark.parametrize("statement", ["LOCK TABLE .*", "COMMENT ON TABLE .* IS NULL"], ids=["before", "while"])
def test_what_was_killed_before_its_key_came_is_finished(uploads: Uploads, statement: str) -> None:
    files = clashing_files(uploads)
    expected = expected_outcome(uploads, files)
    assert kill_before(uploads, statement, 1, *files)
    assert uploads.execute(AWAITS) == [(True,)]
    assert uploads.manifest("status") == [("success",), ("success",)]
    assert uploads.load(*files, **IN_TURN, resume=True).is_success
    assert outcome(uploads) == expected


def test_a_vacuum_meanwhile_hides_no_batch(uploads: Uploads) -> None:
    """Frozen rows tell their transaction, too."""
    files = clashing_files(uploads)
    expected = expected_outcome(uploads, files)
    assert kill_before(uploads, "LOCK TABLE .*", 1, *files)
    with closing(connect(uploads.settings)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("VACUUM (FREEZE) t, ingestion_batches")
    assert uploads.load(*files, **IN_TURN, resume=True).is_success
    assert outcome(uploads) == expected


def test_a_run_that_loads_another_file_finishes_the_key_and_says_what_is_missing(uploads: Uploads) -> None:
    files = clashing_files(uploads)
    assert kill_before(uploads, "LOCK TABLE .*", 1, *files)
    assert uploads.load_one(uploads.csv("c.csv", "id,name", "100,hundred")).status is FileStatus.SUCCESS
    assert uploads.execute(KEYS) == [("t_pkey", "PRIMARY KEY (id)")]
    (a, b, c) = uploads.manifest("status, rows, notes")
    assert (a[0], b[0], c[0]) == ("pending", "pending", "success")
    assert "--resume" in a[2]
    assert uploads.execute("SELECT count(*) FROM t") == [(a[1] + b[1] + c[1],)]


@pytest.mark.slow
@pytest.mark.parametrize("resume", [True, False], ids=["resumed", "from the start"])
def test_killed_before_any_commit_the_next_run_finishes_the_same_table(uploads: Uploads, resume: bool) -> None:
    files = clashing_files(uploads)
    expected = expected_outcome(uploads, files)
    uploads.execute("DROP TABLE IF EXISTS t")
    number = 1
    while kill_before(uploads, "COMMIT", number, *files):
        report = uploads.load(*files, **IN_TURN, resume=resume)
        assert report.is_success, (number, report)
        found = outcome(uploads)
        assert (found if resume else found["rows"]) == (expected if resume else expected["rows"]), number
        uploads.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        number += 1
    assert number > 20, "expected more commits than that"
