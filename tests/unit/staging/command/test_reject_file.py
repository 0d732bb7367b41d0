from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from etl.errors import ConnectionLostError
from etl.staging.command.reject_file import write_reject_file
from etl.staging.ledger.ledger import StagingLedger


class Away(StagingLedger):
    """Gives so many rejects, and is lost."""

    def __init__(self, count: int) -> None:
        self.count = count

    def rejects(self, run_id: str) -> Iterator[dict[str, Any]]:
        yield from ({"ordinal": number} for number in range(self.count))
        raise ConnectionLostError("the server went away")


def test_a_run_that_has_ended_is_not_undone_by_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """Nor is half a file left under its name: the ledger has all of them."""
    for count in (0, 2):
        assert write_reject_file(Away(count), "run", tmp_path) is None
        assert not (tmp_path / "run.ndjson").exists()
