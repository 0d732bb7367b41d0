"""How much of a run's input may be bad before the run is given up."""

from __future__ import annotations

from dataclasses import dataclass, field

from etl.config.limits import excess
from etl.staging.batch.records import PreparedBatch
from etl.staging.ledger.values import Run

JUDGED_FROM = 10_000
"""A share says little of the first few records: until so many were read it is not judged."""


@dataclass
class Tolerance:
    """Of invalid and rejected records, or of rejected ones alone; None: any."""

    limit: str | None = None
    only_rejected: bool = False
    _read: int = field(default=0, init=False)
    _bad: int = field(default=0, init=False)

    def refuse(self, batch: PreparedBatch) -> str | None:
        """The sentence that ends the run, judged with this batch, which is then not stored."""
        self._read += batch.rows_attempted
        self._bad += len(batch.rejects) + (0 if self.only_rejected else batch.rows_invalid)
        is_share = self.limit is not None and self.limit.endswith("%")
        if is_share and self._read < JUDGED_FROM:
            return None
        refusal = self._judge(self._read, self._bad)
        is_told = refusal and self.only_rejected and batch.rejects
        return f"{refusal}; the last of them: {batch.rejects[-1].message}" if is_told else refusal

    def at_end(self, run: Run | None = None) -> str | None:
        """Over all that was read: of the whole run where its totals are given, which a retry is only a part of."""
        if run is None:
            return self._judge(self._read, self._bad)
        bad = run.rows_rejected + (0 if self.only_rejected else run.rows_invalid)
        return self._judge(run.rows_attempted, bad)

    def _judge(self, read: int, bad: int) -> str | None:
        if self.only_rejected:
            return excess(self.limit, bad, read, "records read to be rejected")
        return excess(self.limit, bad, read, "records read to be invalid or rejected", "maximum_invalid")


@dataclass(frozen=True)
class Tolerances:
    """Several as one."""

    limits: tuple[Tolerance, ...]

    def refuse(self, batch: PreparedBatch) -> str | None:
        refusals = [limit.refuse(batch) for limit in self.limits]  # each counts
        return next(filter(None, refusals), None)

    def at_end(self, run: Run) -> str | None:
        return next(filter(None, (limit.at_end(run) for limit in self.limits)), None)
