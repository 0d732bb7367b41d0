"""How much of a run's input may be bad before the run is given up."""

from __future__ import annotations

from dataclasses import dataclass, field

from etl.staging.records import PreparedBatch

JUDGED_FROM = 10_000
"""A share says little of the first few records: until so many were read it is not judged."""


@dataclass
class Tolerance:
    """`count` or `share` (0 to 1) of invalid and rejected records; None: any."""

    count: int | None = None
    share: float | None = None
    _read: int = field(default=0, init=False)
    _bad: int = field(default=0, init=False)

    def refuse(self, batch: PreparedBatch) -> str | None:
        """The sentence that ends the run, judged with this batch, which is then not stored."""
        self._read += batch.rows_attempted
        self._bad += batch.rows_invalid + len(batch.rejects)
        if self.count is not None and self._bad > self.count:
            return f"expected at most {self.count} invalid records, found {self._bad} among the first {self._read}"
        return self._judge_share() if self._read >= JUDGED_FROM else None

    def at_end(self) -> str | None:
        """The share over all that was read."""
        return self._judge_share()

    def _judge_share(self) -> str | None:
        if self.share is None or self._bad <= self.share * self._read:
            return None
        return (
            f"expected at most {self.share:.2%} invalid records, found {self._bad} of {self._read} "
            f"({self._bad / self._read:.2%})"
        )
