"""How much of a run's input may be bad before the run is given up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from etl.staging.records import PreparedBatch

JUDGED_FROM = 10_000
"""A share says little of the first few records: until so many were read it is not judged."""


@dataclass
class Tolerance:
    """`count` or `share` (0 to 1) of invalid and rejected records, or of rejected ones alone; None: any, but not all
    of a run may be rejected."""

    count: int | None = None
    share: float | None = None
    only_rejected: bool = False
    _read: int = field(default=0, init=False)
    _bad: int = field(default=0, init=False)

    def refuse(self, batch: PreparedBatch) -> str | None:
        """The sentence that ends the run, judged with this batch, which is then not stored."""
        self._read += batch.rows_attempted
        self._bad += len(batch.rejects) + (0 if self.only_rejected else batch.rows_invalid)
        refusal = self._judge_count(self._read, self._bad)
        if refusal is None and self._read >= JUDGED_FROM:
            refusal = self._judge_share(self._read, self._bad)
        is_told = refusal and self.only_rejected and batch.rejects
        return f"{refusal}; the last of them: {batch.rejects[-1].message}" if is_told else refusal

    def at_end(self, run: Mapping[str, Any] | None = None) -> str | None:
        """Over all that was read: of the whole run where its totals are given, which a retry is only a part of."""
        read, bad = self._read, self._bad
        if run is not None:
            read, bad = run["rows_attempted"], run["rows_rejected"] + (0 if self.only_rejected else run["rows_invalid"])
        return self._judge_count(read, bad) or self._judge_share(read, bad) or self._judge_all(read, bad)

    @property
    def _kind(self) -> str:
        return "rejected" if self.only_rejected else "invalid"

    def _judge_count(self, read: int, bad: int) -> str | None:
        if self.count is None or bad <= self.count:
            return None
        return f"expected at most {self.count} {self._kind} records, found {bad} among the first {read}"

    def _judge_share(self, read: int, bad: int) -> str | None:
        if self.share is None or bad <= self.share * read:
            return None
        return f"expected at most {self.share:.2%} {self._kind} records, found {bad} of {read} ({bad / read:.2%})"

    def _judge_all(self, read: int, bad: int) -> str | None:
        has_limit = self.count is not None or self.share is not None
        if has_limit or not self.only_rejected or not read or bad < read:
            return None
        return f"expected records that can be stored, found that all {read} were rejected"


@dataclass(frozen=True)
class Tolerances:
    """Several as one."""

    limits: tuple[Tolerance, ...]

    def refuse(self, batch: PreparedBatch) -> str | None:
        refusals = [limit.refuse(batch) for limit in self.limits]  # each counts
        return next(filter(None, refusals), None)

    def at_end(self, run: Mapping[str, Any]) -> str | None:
        return next(filter(None, (limit.at_end(run) for limit in self.limits)), None)
