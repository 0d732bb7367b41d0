"""How many bad rows a file may have before none of it is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.ingestion.model import BadRows, CopyPath, FileResult, FileStatus, Mode
from tests.integration.ingestion.conftest import Uploads, told

pytestmark = pytest.mark.stack


@pytest.fixture
def file(uploads: Uploads) -> Path:
    """Twelve rows, eight of them bad: too few fields, no number, NULL."""
    uploads.execute("CREATE TABLE t (id bigint PRIMARY KEY, name text NOT NULL)")
    bad = ["x,a", "y,b", "3", "4", "5,", "6,", "z,z", "w,w"]
    return uploads.csv("a.csv", "id,name", "101,one", "102,two", *bad, "103,three", "104,four")


def load(uploads: Uploads, file: Path, limit: str | None, **options: object) -> FileResult:
    return uploads.load_one(file, bad_rows=BadRows.REJECT, maximum_rejected=limit, chunk_size=3, **options)


@pytest.mark.parametrize("limit", ["7", "0", "66.6%", "5%"])
@pytest.mark.parametrize("options", [{}, {"mode": Mode.APPEND}, {"copy_path": CopyPath.RECORDS}, {"dry_run": True}])
def test_above_the_limit_nothing_of_the_file_is_loaded(
    uploads: Uploads, file: Path, limit: str, options: dict[str, object]
) -> None:
    result = load(uploads, file, limit, **options)
    assert result.status is FileStatus.FAILED
    assert f"expected at most {limit} of the " in result.notes
    assert "rows read to be bad (--maximum-rejected), found " in result.notes
    assert "; nothing of it was loaded" in result.notes
    assert "the first: line 4, column id: invalid input syntax for type bigint" in result.notes
    assert uploads.rows() == []
    assert result.counts.rows_rejected > result.counts.rows_inserted == 0
    if not options.get("dry_run"):
        assert uploads.manifest("status, rows, notes") == [("failed", 0, result.notes)]
        assert uploads.execute("SELECT count(*) FROM ingestion_batches") == [(0,)]
        assert uploads.execute("SELECT DISTINCT line FROM ingestion_rejects ORDER BY line LIMIT 1") == [(4,)]


@pytest.mark.parametrize("limit", ["8", "66.7%", "100%"])
@pytest.mark.parametrize("is_dry_run", [False, True])
def test_up_to_the_limit_the_rest_is_loaded(uploads: Uploads, file: Path, limit: str, is_dry_run: bool) -> None:
    result = load(uploads, file, limit, dry_run=is_dry_run)
    assert (result.status, result.notes) == (FileStatus.SUCCESS, "8 rows rejected")
    assert len(uploads.rows()) == (0 if is_dry_run else 4)
    if not is_dry_run:
        assert told(result.counts) == {"read": 12, "inserted": 4, "rejected": 8}


def test_a_share_is_one_of_the_whole_file_and_tells_all_of_it(uploads: Uploads, file: Path) -> None:
    result = load(uploads, file, "50%")
    assert result.notes.startswith(
        f"{file}: expected at most 50% of the 12 rows read to be bad (--maximum-rejected), found 8; "
    )
    assert (result.counts.rows_read, result.counts.rows_rejected) == (12, 8)
    assert uploads.execute("SELECT line FROM ingestion_rejects ORDER BY line") == [(n,) for n in range(4, 12)]


def test_a_refused_file_is_loaded_when_it_is_mended_or_more_is_allowed(uploads: Uploads, file: Path) -> None:
    good = uploads.csv("b.csv", "id,name", "1,one")
    report = uploads.load(file, good, bad_rows=BadRows.REJECT, maximum_rejected="5")
    assert [each.status.value for each in report.files] == ["failed", "success"]
    assert not report.is_success
    assert load(uploads, file, "8", resume=True).notes == "8 rows rejected"
    assert uploads.execute("SELECT count(*) FROM ingestion_rejects JOIN ingestion_manifest USING (load_id)") == [(8,)]
    assert len(uploads.rows()) == 5


def test_what_an_earlier_run_has_committed_counts_and_stays(uploads: Uploads, file: Path) -> None:
    uploads.execute("ALTER TABLE t ADD CHECK (id <> 103)")
    assert load(uploads, file, None).status is FileStatus.FAILED
    stored = uploads.rows()
    result = load(uploads, file, "50%", resume=True)
    assert "of the 12 rows read to be bad (--maximum-rejected), found 8" in result.notes
    assert "nothing was loaded beside the 9 rows that an earlier run has committed" in result.notes
    assert uploads.rows() == stored
    uploads.execute("ALTER TABLE t DROP CONSTRAINT t_id_check")
    assert told(load(uploads, file, "8", resume=True).counts) == {"read": 12, "inserted": 4, "rejected": 8}


@pytest.mark.parametrize("mode", Mode)
def test_a_file_most_of_whose_rows_are_bad_fails_where_nothing_is_said(
    uploads: Uploads, file: Path, mode: Mode
) -> None:
    """It is read once: what is good of it is loaded by then, and stays, once."""
    result = load(uploads, file, None, mode=mode)
    assert result.status is FileStatus.FAILED
    assert "at most 50% of the 12 rows read to be bad (--maximum-rejected), found 8; the 4 good rows are loaded" in (
        result.notes
    )
    assert len(uploads.rows()) == 4
    assert uploads.execute("SELECT count(*) FROM ingestion_rejects") == [(8,)]
    assert load(uploads, file, None, mode=mode, resume=True).status is FileStatus.FAILED
    allowed = load(uploads, file, "100%", mode=mode, resume=True)
    assert (allowed.status, told(allowed.counts)) == (FileStatus.SUCCESS, {"read": 12, "inserted": 4, "rejected": 8})
    assert len(uploads.rows()) == 4
    half = uploads.csv("half.csv", "id,name", "1,a", "x,b")
    assert load(uploads, half, None, mode=mode).status is FileStatus.SUCCESS


@pytest.mark.parametrize("mode", Mode)
def test_a_file_without_a_good_row_fails_and_is_loaded_when_the_table_is_mended(uploads: Uploads, mode: Mode) -> None:
    uploads.execute("CREATE TABLE t (id bigint PRIMARY KEY, name text)")
    file = uploads.csv("a.csv", "id,name", *(f"x{n},a" for n in range(7)))
    for is_dry_run in (True, False):
        result = load(uploads, file, None, mode=mode, dry_run=is_dry_run)
        assert result.status is FileStatus.FAILED
        assert (
            "expected at most 50% of the 7 rows read to be bad (--maximum-rejected), found 7; nothing was loaded"
            in result.notes
        )
        assert (result.counts.rows_read, result.counts.rows_rejected) == (7, 7)
    assert uploads.execute("SELECT count(*) FROM ingestion_rejects") == [(7,)]
    uploads.execute("ALTER TABLE t ALTER id TYPE text")
    assert told(load(uploads, file, None, mode=mode, resume=True).counts) == {"read": 7, "inserted": 7}


def test_an_empty_file_has_no_bad_rows(uploads: Uploads) -> None:
    result = load(uploads, uploads.csv("a.csv", "id,name"), "0%")
    assert result.status is FileStatus.SUCCESS
