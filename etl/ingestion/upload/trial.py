"""How many rows of a file are bad, found out before the first good one is loaded: batches that have committed stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from etl.config.limits import DEFAULT_MAXIMUM_REJECTED, exceeds, excess
from etl.errors import DataError
from etl.ingestion.model import BatchCounts, Reject
from etl.ingestion.upload.diagnosis import place_of

MOST_KEPT = 1000
"""Rejected rows of a refused file that the manifest shows."""


class TooManyRejectedError(DataError):
    """More rows of a file are bad than --maximum-rejected allows; `counts` are of the rows that were read."""

    def __init__(self, message: str, counts: BatchCounts) -> None:
        super().__init__(message)
        self.counts = counts


@dataclass
class Trial:
    """Of a file all of whose batches are checked and none is written. `limit` is a number of rows or a share."""

    limit: str
    _kept: list[tuple[int, Reject]] = field(default_factory=list)

    def heard(self, batch_index: int, rejects: Sequence[Reject]) -> None:
        self._kept += [(batch_index, reject) for reject in rejects[: MOST_KEPT - len(self._kept)]]

    def is_over(self, counts: BatchCounts) -> bool:
        """A number may be exceeded before the file has been read to its end; a share is one of the whole file."""
        return not self.limit.endswith("%") and self.refuses(counts)

    def refuses(self, counts: BatchCounts) -> bool:
        return exceeds(self.limit, counts.rows_rejected, counts.rows_read)

    def rejects_by_batch(self) -> dict[int, list[Reject]]:
        kept = sorted(self._kept, key=lambda each: each[0])
        return {index: [reject for _, reject in group] for index, group in groupby(kept, key=lambda each: each[0])}

    def refusal(self, path: Path, counts: BatchCounts, committed: BatchCounts) -> TooManyRejectedError:
        fate = "nothing of it was loaded"
        if committed.rows_read:
            fate = f"nothing was loaded beside the {committed.rows_read:,} rows that an earlier run has committed"
        first = next((reject for rejects in self.rejects_by_batch().values() for reject in rejects), None)
        such_as = f"; the first: {place_of(first)}, column {first.column}: {first.reason}" if first else ""
        return TooManyRejectedError(
            f"{path}: {_excess(self.limit, counts)}; {fate}{such_as}; mend the file, or allow more",
            counts,
        )


def refuse_most_rejected(path: Path, counts: BatchCounts, *, is_written: bool) -> None:
    """Where nobody has said how many may be bad, a file is read once: its good rows have been loaded by then. Raises
    TooManyRejectedError."""
    if refusal := _excess(DEFAULT_MAXIMUM_REJECTED, counts):
        good = counts.rows_read - counts.rows_rejected
        fate = f"the {good:,} good rows are loaded and stay" if good and is_written else "nothing was loaded"
        raise TooManyRejectedError(
            f"{path}: {refusal}; {fate}; `uploader status --file {path}` shows why; mend the file, or allow more "
            "(--resume --maximum-rejected 100%)",
            counts,
        )


def _excess(limit: str, counts: BatchCounts) -> str | None:
    return excess(limit, counts.rows_rejected, counts.rows_read, "rows read to be bad", "--maximum-rejected")
