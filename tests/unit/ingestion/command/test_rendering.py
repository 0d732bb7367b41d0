"""The summary, and the same as JSON."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import orjson
from rich.console import Console

from etl.ingestion.command.rendering import manifest_json, print_files, print_rejects, print_summary, report_json
from etl.ingestion.model import BatchCounts, FileResult, FileStatus, FileType, UploadReport
from etl.ingestion.upload.manifest import ManifestFile, RejectedRow

GOOD = FileResult("a.csv", FileType.CSV, FileStatus.SUCCESS, BatchCounts(5, 3, 1, 1), 1, 0.5)
BAD = FileResult("b[1].csv", FileType.CSV, FileStatus.FAILED, notes="line 3: postgresql://u:hush@h/d [oops]")
REPORT = UploadReport("run-1", "people", (GOOD, BAD), seconds=2.0, retries=3)
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ENTRY = ManifestFile(
    "/data/a.csv", "people", FileStatus.FAILED, 5, 1, 1, 10, "abc", "csv", "upsert", "run-1", "why [not]", NOW, NOW
)


def text_of(report: UploadReport, **options: bool) -> str:
    screen = io.StringIO()
    print_summary(report, Console(file=screen, width=200), **options)
    return screen.getvalue()


def test_the_summary_has_a_line_a_file_sums_and_the_next_step() -> None:
    text = text_of(REPORT)
    assert "a.csv" in text
    assert "b[1].csv: line 3: postgresql://u:***@h/d [oops]" in text
    assert "run run-1: 5 rows in 2.0 s (2/s), 3 retries; 1 of 2 files failed; next: uploader retry-failed" in text
    assert "--table people" in text


def test_failed_files_come_first_where_there_are_many() -> None:
    many = tuple(FileResult(f"{n}.csv", FileType.CSV, FileStatus.SUCCESS) for n in range(100))
    text = text_of(UploadReport("run-1", "people", (*many, BAD)))
    assert text.index("b[1].csv") < text.index("0.csv")
    assert "… and 61 more" in text


def test_a_dry_run_says_so() -> None:
    assert "nothing was written" in text_of(UploadReport("r", "people", (GOOD,)), is_dry_run=True)


def test_a_dry_run_tells_of_what_would_fail_and_of_nothing_to_retry() -> None:
    text = text_of(REPORT, is_dry_run=True)
    assert "1 of 2 files failed; a dry run: nothing was written" in text
    assert "retry-failed" not in text


def test_json_has_counts_of_the_run_and_of_each_file() -> None:
    told = json.loads(orjson.dumps(report_json(REPORT)))
    assert told["status"] == "failed"
    assert (told["rows_read"], told["rows_inserted"], told["retries"]) == (5, 3, 3)
    assert [file["status"] for file in told["files"]] == ["success", "failed"]
    assert told["files"][0]["rows_updated"] == 1
    assert "hush" not in json.dumps(told)


def test_the_manifest_and_rejects_are_shown_as_they_are() -> None:
    screen = io.StringIO()
    print_files([ENTRY], Console(file=screen, width=200))
    print_rejects([RejectedRow(3, 2, "id", "[x]", "no integer", 0)], Console(file=screen, width=200))
    for told in ("/data/a.csv", "failed", "2026-11-21 12:00:00", "why [not]", "[x]", "no integer"):
        assert told in screen.getvalue()
    told = json.loads(orjson.dumps(manifest_json([ENTRY], [RejectedRow(3, 2, "id", "x", "no integer", 0)])))
    assert told["files"][0]["checksum"] == "abc"
    assert told["rejects"][0]["line"] == 3
