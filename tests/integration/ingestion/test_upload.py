"""What an upload leaves in the table and in the manifest, once, again, and taken up."""

from __future__ import annotations

import hashlib

import pytest

from etl.errors import UsageError
from etl.ingestion.model import BadRows, FileStatus, Mode
from etl.ingestion.watch.observers import BatchDone
from tests.integration.ingestion.conftest import Silent, Uploads, headers_of, told

pytestmark = pytest.mark.stack

VERSIONS = "id, xmin::text"


def test_a_small_file_and_its_line_in_the_manifest(uploads: Uploads) -> None:
    file = uploads.csv("people.csv", "id,name", "1,Ann", "2,", '3,""')
    report = uploads.load(file, run_id="first")
    assert report.is_success
    assert told(report.counts) == {"read": 3, "inserted": 3}
    assert uploads.rows() == [("1", "Ann"), ("2", None), ("3", "")]
    columns = "filename, target_table, checksum, filesize, rows, status, run_id, notes, mode, processed_at IS NOT NULL"
    content = file.read_bytes()
    checksum = hashlib.sha256(content).hexdigest()
    assert uploads.manifest(columns) == [
        (str(file), "public.t", checksum, len(content), 3, "success", "first", "", "upsert", True)
    ]


def test_the_same_file_again_touches_no_row(uploads: Uploads) -> None:
    file = uploads.numbered("a.csv", range(100))
    uploads.load(file, chunk_size=30)
    before = uploads.rows(columns=VERSIONS)
    assert told(uploads.load(file, chunk_size=30).counts) == {"read": 100, "unchanged": 100}
    assert uploads.rows(columns=VERSIONS) == before


def test_only_rows_that_differ_are_written(uploads: Uploads) -> None:
    uploads.load(uploads.csv("a.csv", "id,name", "1,one", "2,two", "3,", '4,""'))
    before = dict(uploads.rows(columns=VERSIONS))
    file = uploads.csv("b.csv", "id,name", "1,one", "2,zwei", "3,", "4,", "5,five")
    assert told(uploads.load(file).counts) == {"read": 5, "inserted": 1, "updated": 2, "unchanged": 2}
    assert uploads.rows() == [("1", "one"), ("2", "zwei"), ("3", None), ("4", None), ("5", "five")]
    after = dict(uploads.rows(columns=VERSIONS))
    assert {key for key, version in before.items() if after[key] == version} == {"1", "3"}


def test_a_changed_file_is_loaded_again_also_when_resuming(uploads: Uploads) -> None:
    file = uploads.csv("a.csv", "id,name", "1,one")
    uploads.load(file)
    file.write_text("id,name\n1,uno\n")
    assert told(uploads.load(file, resume=True).counts) == {"read": 1, "updated": 1}
    assert uploads.rows() == [("1", "uno")]


def test_a_file_that_changes_while_it_is_read_is_no_success(uploads: Uploads) -> None:
    file = uploads.numbered("a.csv", range(100))

    class Writer(Silent):
        def batch_done(self, batch: BatchDone) -> None:
            with file.open("a") as lines:
                lines.write(f"{1000 + batch.batch_index},late\n")

    (result,) = uploads.load(file, observers=[Writer()], chunk_size=30).files
    assert result.status is FileStatus.FAILED
    assert "was changed while it was read" in result.notes
    assert uploads.manifest("status") == [("failed",)]
    assert uploads.load_one(file, resume=True).status is FileStatus.SUCCESS


def test_resume_skips_what_stands_there_by_its_checksum(uploads: Uploads) -> None:
    file = uploads.csv("a.csv", "id,name", "1,one")
    uploads.load(file, run_id="first")
    uploads.execute("UPDATE t SET name = 'changed by hand'")
    result = uploads.load_one(file, resume=True, run_id="second")
    assert (result.status, result.counts.rows_read) == (FileStatus.SKIPPED, 0)
    assert "first" in result.notes
    assert uploads.rows() == [("1", "changed by hand")]
    assert uploads.manifest("status, run_id") == [("success", "first")]


def test_files_of_one_name_in_two_folders_are_two_files(uploads: Uploads) -> None:
    monday = uploads.csv("monday/people.csv", "id,name", "1,Ann")
    tuesday = uploads.csv("tuesday/people.csv", "id,name", "2,Bob")
    uploads.load(monday, resume=True)
    assert uploads.load_one(tuesday, resume=True).status is FileStatus.SUCCESS
    assert uploads.rows() == [("1", "Ann"), ("2", "Bob")]
    assert uploads.manifest() == [(str(monday), "success", 1), (str(tuesday), "success", 1)]


def test_one_file_into_two_tables_stands_twice_in_the_manifest(uploads: Uploads) -> None:
    file = uploads.csv("a.csv", "id,name", "1,one")
    uploads.load(file, table="first")
    assert uploads.load_one(file, table="second", resume=True).status is FileStatus.SUCCESS
    assert uploads.manifest("target_table, status") == [("public.first", "success"), ("public.second", "success")]


def test_one_table_is_one_however_it_is_called(uploads: Uploads) -> None:
    file = uploads.csv("a.csv", "id,name", "1,one")
    uploads.load(file, mode=Mode.APPEND, table="t")
    assert uploads.load_one(file, mode=Mode.APPEND, table="public.t", resume=True).status is FileStatus.SKIPPED
    assert uploads.rows() == [("1", "one")]


def test_what_stood_in_a_table_that_was_dropped_is_loaded_again(uploads: Uploads) -> None:
    whole = uploads.numbered("whole.csv", range(10))
    broken_off = uploads.csv("broken_off.csv", "id,name", *(f"{number},x" for number in range(10, 20)), "30")
    uploads.load(whole, broken_off, mode=Mode.APPEND, chunk_size=4)
    assert uploads.rows(columns="count(*), count(DISTINCT id)") == [(18, 18)]
    uploads.execute("DROP TABLE t")
    uploads.load(whole, broken_off, mode=Mode.APPEND, chunk_size=4, resume=True)
    assert uploads.rows(columns="count(*), count(DISTINCT id)") == [(18, 18)]


def test_an_emptied_table_is_told_and_not_filled_again(uploads: Uploads) -> None:
    file = uploads.csv("a.csv", "id,name", "1,one")
    uploads.load(file)
    uploads.execute("TRUNCATE t")
    skipped = uploads.load_one(file, resume=True)
    assert skipped.status is FileStatus.SKIPPED
    assert "the table is empty now" in skipped.notes
    assert told(uploads.load_one(file).counts) == {"read": 1, "inserted": 1}


def test_many_files_side_by_side(uploads: Uploads) -> None:
    for n in range(40):
        uploads.numbered(f"many/{n:02}.csv", range(n * 100, n * 100 + 100))
    report = uploads.load(str(uploads.folder / "many" / "*.csv"), chunk_size=30, concurrency=4)
    assert report.is_success
    assert [file.path for file in report.files] == sorted(file.path for file in report.files)
    assert told(report.counts) == {"read": 4000, "inserted": 4000}
    assert uploads.execute("SELECT count(DISTINCT id) FROM t") == [(4000,)]
    assert uploads.manifest("status, rows, notes") == [("success", 100, "")] * 40


def test_a_file_that_fails_stops_no_other(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id bigint PRIMARY KEY, name text)")
    good = uploads.csv("a.csv", "id,name", "1,one")
    bad = uploads.csv("b.csv", "id,name", "2,two", "x,three")
    also_good = uploads.csv("c.csv", "id,name", "4,four")
    report = uploads.load(good, bad, also_good)
    assert [file.status.value for file in report.files] == ["success", "failed", "success"]
    assert uploads.rows() == [(1, "one"), (4, "four")]
    ((status, notes),) = uploads.execute("SELECT status, notes FROM ingestion_manifest WHERE filename = %s", [str(bad)])
    assert status == "failed"
    assert "line 3, column id" in notes
    assert "'x'" in notes


def test_a_file_that_cannot_be_read_is_told_and_stops_no_other(uploads: Uploads) -> None:
    good = uploads.csv("a.csv", "id,name", "1,one")
    broken = uploads.folder / "b.parquet"
    broken.write_bytes(b"PAR1 this is no Parquet file PAR1")
    report = uploads.load(good, broken)
    assert [file.status.value for file in report.files] == ["success", "failed"]
    assert str(broken) in report.files[1].notes
    assert uploads.manifest("status") == [("success",), ("failed",)]


def test_one_file_is_written_by_all_workers(uploads: Uploads) -> None:
    workers: set[int] = set()

    class Watcher(Silent):
        def batch_done(self, batch: BatchDone) -> None:
            workers.add(batch.worker_id)

    file = uploads.numbered("a.csv", range(6000))
    report = uploads.load(file, chunk_size=100, concurrency=4, observers=[Watcher()])
    assert workers == {1, 2, 3, 4}
    assert told(report.counts) == {"read": 6000, "inserted": 6000}
    assert report.files[0].batches == 60
    assert uploads.execute("SELECT count(*), count(DISTINCT id) FROM t") == [(6000, 6000)]


def test_appending_twice_doubles_unless_resumed(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id bigint, name text)")
    file = uploads.numbered("a.csv", range(10))
    options = {"mode": Mode.APPEND, "primary_key": (), "chunk_size": 3}
    assert told(uploads.load(file, **options).counts) == {"read": 10, "inserted": 10}
    assert uploads.load_one(file, **options, resume=True).status is FileStatus.SKIPPED
    assert uploads.execute("SELECT count(*) FROM t") == [(10,)]
    assert told(uploads.load(file, **options).counts) == {"read": 10, "inserted": 10}
    assert uploads.execute("SELECT count(*), count(DISTINCT id) FROM t") == [(20, 10)]


def test_a_broken_off_append_is_neither_doubled_nor_forgotten(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id bigint CHECK (id <> 7), name text)")
    file = uploads.numbered("a.csv", range(10))
    options = {"mode": Mode.APPEND, "primary_key": (), "chunk_size": 2, "concurrency": 1}
    assert uploads.load_one(file, **options).status is FileStatus.FAILED
    assert [row[0] for row in uploads.rows()] == [0, 1, 2, 3, 4, 5]
    again = uploads.load_one(file, **options)
    assert again.status is FileStatus.FAILED
    assert "--resume" in again.notes
    assert "--restart" in again.notes
    uploads.execute("ALTER TABLE t DROP CONSTRAINT t_id_check")
    # another chunk size must not cut the rest otherwise
    resumed = uploads.load_one(file, **{**options, "chunk_size": 3}, resume=True)
    assert resumed.status is FileStatus.SUCCESS
    assert told(resumed.counts) == {"read": 10, "inserted": 10}
    assert [row[0] for row in uploads.rows()] == list(range(10))
    assert uploads.manifest() == [(str(file), "success", 10)]


def test_restart_appends_all_of_it_once_more(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id bigint CHECK (id <> 3), name text)")
    file = uploads.numbered("a.csv", range(4))
    options = {"mode": Mode.APPEND, "primary_key": (), "chunk_size": 2, "concurrency": 1}
    uploads.load(file, **options)
    uploads.execute("TRUNCATE t; ALTER TABLE t DROP CONSTRAINT t_id_check")
    assert told(uploads.load(file, **options, restart=True).counts) == {"read": 4, "inserted": 4}
    assert [row[0] for row in uploads.rows()] == [0, 1, 2, 3]


def test_what_a_broken_off_append_left_to_do_may_be_done_with_rejects(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id bigint, name text)")
    file = uploads.csv("a.csv", "id,name", "1,a", "2,b", "x,c", "4,d", "5,e")
    options = {"mode": Mode.APPEND, "primary_key": (), "chunk_size": 2, "concurrency": 1}
    assert "load the rest with --rejects reject" in uploads.load_one(file, **options).notes
    resumed = uploads.load_one(file, **options, resume=True, bad_rows=BadRows.REJECT)
    assert told(resumed.counts) == {"read": 5, "inserted": 4, "rejected": 1}
    assert [row[0] for row in uploads.rows()] == [1, 2, 4, 5]


def test_a_mended_file_is_not_appended_to_what_it_left(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id bigint, name text)")
    options = {"mode": Mode.APPEND, "primary_key": (), "chunk_size": 2, "concurrency": 1}
    file = uploads.csv("a.csv", "id,name", "1,a", "2,b", "x,c")
    assert uploads.load_one(file, **options).status is FileStatus.FAILED
    uploads.csv("a.csv", "id,name", "1,a", "2,b", "3,c")
    for resume in (True, False):
        assert "delete the rows that it left" in uploads.load_one(file, **options, resume=resume).notes
    assert [row[0] for row in uploads.rows()] == [1, 2]
    uploads.execute("TRUNCATE t")
    assert told(uploads.load(file, **options, restart=True).counts) == {"read": 3, "inserted": 3}
    assert [row[0] for row in uploads.rows()] == [1, 2, 3]


def test_a_file_of_another_content_is_no_continuation(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id bigint PRIMARY KEY CHECK (id <> 3), name text)")
    file = uploads.numbered("a.csv", range(4))
    assert uploads.load_one(file, chunk_size=2, concurrency=1).status is FileStatus.FAILED
    uploads.numbered("a.csv", (0, 1, 2), word="new")
    resumed = uploads.load_one(file, chunk_size=2, resume=True)
    assert told(resumed.counts) == {"read": 3, "inserted": 1, "updated": 2}
    assert uploads.rows() == [(0, "new 0"), (1, "new 1"), (2, "new 2")]


def test_a_dry_run_checks_and_writes_nothing(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id bigint PRIMARY KEY, name text); INSERT INTO t VALUES (1, 'before')")
    state = "SELECT n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE relname = 't'"
    before = uploads.rows(columns="*, xmin::text"), uploads.execute(state)
    good = uploads.csv("a.csv", "id,name", "1,after", "2,two")
    bad = uploads.csv("b.csv", "id,name", "3,three", "x,four")
    report = uploads.load(good, bad, dry_run=True)
    assert [file.status.value for file in report.files] == ["success", "failed"]
    assert report.files[0].counts.rows_read == 2
    assert "line 3, column id" in report.files[1].notes
    assert (uploads.rows(columns="*, xmin::text"), uploads.execute(state)) == before
    assert uploads.execute("SELECT count(*) FROM pg_class WHERE relname ~ 'ingestion_|_uploader'") == [(0,)]


def test_a_dry_run_makes_no_table(uploads: Uploads) -> None:
    file = uploads.csv("a.csv", "id,name", "1,one", "1,uno")
    result = uploads.load_one(file, dry_run=True)
    assert result.status is FileStatus.FAILED
    assert "(1) 2 times" in result.notes
    assert uploads.execute("SELECT count(*) FROM pg_class WHERE relname = 't'") == [(0,)]


def test_a_dry_run_counts_the_rows_that_would_be_rejected(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id bigint PRIMARY KEY, name text)")
    file = uploads.csv("a.csv", "id,name", "1,one", "x,two", "3,three,more", "4,four")
    result = uploads.load_one(file, dry_run=True, bad_rows=BadRows.REJECT)
    assert result.status is FileStatus.SUCCESS
    assert (result.counts.rows_read, result.counts.rows_rejected) == (4, 2)
    assert uploads.rows() == []


def test_a_missing_table_is_made_of_text_and_its_key(uploads: Uploads) -> None:
    uploads.load(uploads.csv("a.csv", "id,day,name", "1,2026-01-01,one"), headers=headers_of("id day name"))
    assert column_types(uploads) == [("id", "text", True), ("day", "text", False), ("name", "text", False)]
    assert uploads.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 't'::regclass") == [
        ("PRIMARY KEY (id)",)
    ]


def test_a_missing_table_is_made_of_the_types_asked_for(uploads: Uploads) -> None:
    file = uploads.csv("a.csv", "id,day,price", "1,2026-01-01,9.50")
    uploads.load(file, headers=headers_of("id:bigint day:date price:numeric(10,2)"), preserve_types=True)
    assert column_types(uploads) == [("id", "bigint", True), ("day", "date", False), ("price", "numeric(10,2)", False)]


def test_no_table_is_made_where_none_may_be(uploads: Uploads) -> None:
    with pytest.raises(UsageError, match="the table t is not there"):
        uploads.load(uploads.csv("a.csv", "id,name", "1,one"), create_table=False)
    assert uploads.execute("SELECT count(*) FROM pg_class WHERE relname = 't'") == [(0,)]


def column_types(uploads: Uploads) -> list[tuple[object, ...]]:
    return uploads.execute(
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute "
        "WHERE attrelid = 't'::regclass AND attnum > 0 ORDER BY attnum"
    )
