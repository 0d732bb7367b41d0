"""What a terminal shows while files are loaded."""

from __future__ import annotations

import io

from rich.console import Console

from etl.errors import ContentionError
from etl.ingestion.model import BatchCounts, FileResult, FileStatus, FileType, UploadReport
from etl.ingestion.watch.observers import BatchDone
from etl.ingestion.watch.progress import ProgressBars, shortened


def batch(path: str, rows: int, bytes_read: int) -> BatchDone:
    return BatchDone(path, FileType.CSV, 0, 1, BatchCounts(rows_read=rows), rows, 0.1, bytes_read)


def shown(bars: ProgressBars, screen: io.StringIO) -> str:
    bars._progress.refresh()
    return screen.getvalue()


def bars_on(screen: io.StringIO) -> ProgressBars:
    return ProgressBars(Console(file=screen, force_terminal=True, width=160, color_system=None))


def test_a_file_has_a_bar_with_its_rows_and_retries() -> None:
    screen = io.StringIO()
    bars = bars_on(screen)
    bars.run_started("run", "people", 1)
    bars.file_started("data/people.csv", FileType.CSV, 1000)
    bars.batch_done(batch("data/people.csv", 1234, 500))
    assert "data/people.csv" in shown(bars, screen)
    assert "1,234 rows" in screen.getvalue()
    assert "50%" in screen.getvalue()
    bars.batch_retried("data/people.csv", 7, ContentionError("deadlock"), 1, 1.0)
    assert "retrying batch 7" in shown(bars, screen)
    bars.close()


def test_a_bar_does_not_go_back_when_batches_commit_out_of_order() -> None:
    bars = bars_on(io.StringIO())
    bars.run_started("run", "people", 1)
    bars.file_started("a.csv", FileType.CSV, 1000)
    bars.batch_done(batch("a.csv", 10, 700))
    bars.batch_done(batch("a.csv", 10, 500))
    assert (bars._progress.tasks[0].completed, bars._progress.tasks[0].fields["rows"]) == (700, 20)
    bars.close()


def test_ended_files_make_room_and_failures_stay() -> None:
    screen = io.StringIO()
    bars = bars_on(screen)
    bars.run_started("run", "people", 3)
    for name in ("a.csv", "[b].csv"):
        bars.file_started(name, FileType.CSV, 10)
    bars.batch_done(batch("a.csv", 1500, 10))
    assert "1,500 rows" in shown(bars, screen).splitlines()[-2]
    bars.file_finished(FileResult("a.csv", FileType.CSV, FileStatus.SUCCESS))
    bars.file_finished(FileResult("[b].csv", FileType.CSV, FileStatus.FAILED, notes="password=hush line 3 [red]"))
    bars.file_finished(FileResult("never-started.csv", FileType.CSV, FileStatus.SKIPPED))
    assert len(bars._progress.tasks) == 1
    assert bars._progress.tasks[0].completed == 3
    bars.run_finished(UploadReport("run", "people", ()))
    assert "[b].csv: password=*** line 3 [red]" in screen.getvalue()
    assert "hush" not in screen.getvalue()


def test_a_batch_after_its_files_end_is_no_matter() -> None:
    bars = bars_on(io.StringIO())
    bars.run_started("run", "people", 1)
    bars.batch_done(batch("gone.csv", 1, 1))
    bars.close()


def test_a_long_path_is_told_by_its_end() -> None:
    path = "/very/long/" * 10 + "file-2026-11-21.csv"
    assert len(shortened(path)) == 48
    assert shortened(path).startswith("…")
    assert shortened(path).endswith("file-2026-11-21.csv")
    assert shortened("a.csv") == "a.csv"
