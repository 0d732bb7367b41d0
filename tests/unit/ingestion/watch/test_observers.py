from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from etl.errors import SourceError
from etl.ingestion.model import BatchCounts, FileResult, FileStatus, FileType, UploadReport
from etl.ingestion.watch.observers import BatchDone, Observers

CALLS: dict[str, tuple[Any, ...]] = {
    "run_started": ("run-1", "t", 1),
    "file_started": ("a.csv", FileType.CSV, 10),
    "batch_done": (BatchDone("a.csv", FileType.CSV, 0, 1, BatchCounts(), 0, 0.1),),
    "batch_retried": ("a.csv", 0, SourceError("no"), 1, 1.0),
    "batch_failed": ("a.csv", None, SourceError("no")),
    "file_finished": (FileResult("a.csv", FileType.CSV, FileStatus.SUCCESS),),
    "run_finished": (UploadReport("run-1", "t", ()),),
}


class Watcher:
    """Notes what it is told, or raises."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.told: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        def tell(*values: Any) -> None:
            self.told.append((name, values))
            if self.error is not None:
                raise self.error

        return tell


@pytest.mark.parametrize("name", CALLS)
def test_an_observer_that_raises_is_told_once_and_keeps_nothing_from_the_others(name: str) -> None:
    raising, other = Watcher(UnicodeEncodeError("utf-8", "\udce9", 0, 1, "surrogates not allowed")), Watcher()
    observers = Observers([raising, other])
    with capture_logs() as logs:
        getattr(observers, name)(*CALLS[name])
        getattr(observers, name)(*CALLS[name])
    assert [log["event"] for log in logs] == ["observer failed"]
    assert logs[0]["observer"] == "Watcher"
    assert raising.told == [(name, CALLS[name])]
    assert other.told == [(name, CALLS[name])] * 2


def test_being_interrupted_is_no_error_of_an_observer() -> None:
    class Interrupted(Watcher):
        def run_started(self, run_id: str, table: str, files: int) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Observers([Interrupted()]).run_started("run-1", "t", 1)
