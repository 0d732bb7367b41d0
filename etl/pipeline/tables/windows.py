"""Which part of a table a run reads for a destination, and where its watermark stands afterwards. Pure decisions.

A mark is the text of the greatest watermark value that a destination holds: an instant in ISO 8601 (UTC), a date or a
whole number. Extraction starts at the mark less an overlap, because a transaction that began earlier may commit later.
Where transactions are followed, a destination also has what a snapshot saw up to the mark, and takes what that did not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from etl.config.tables.models import ExtractConfig
from etl.extract.values import Transactions, Unseen
from etl.model import ExtractMode
from etl.pipeline.options import RunOptions
from etl.statements.source.transactions import spanning

ONE_MICROSECOND = timedelta(microseconds=1)
NOTHING_UNSEEN = Unseen()


@dataclass(frozen=True)
class Bounds:
    """`lower` is exclusive, `upper` inclusive; None leaves that side open. The overlap reaches back behind `lower`; the
    rows of `unseen` transactions are within, however far behind it."""

    lower: str | None = None
    upper: str | None = None
    overlap_seconds: int = 0
    unseen: Transactions | None = None

    @property
    def is_whole_table(self) -> bool:
        return self.lower is None and self.upper is None

    @property
    def first(self) -> str | None:
        """The exclusive start once the overlap is taken off."""
        return less_overlap(self.lower, self.overlap_seconds) if self.overlap_seconds else self.lower


def bounds_for(
    extract: ExtractConfig,
    mark: str | None,
    options: RunOptions,
    frozen_upper: str | None,
    unseen: Unseen = NOTHING_UNSEEN,
) -> Bounds:
    """What to read for a destination whose mark is `mark`, and which has not seen `unseen`; a resumed run never reads
    past its frozen upper mark."""
    if extract.mode is ExtractMode.FULL:
        return Bounds()
    upper = _earliest(frozen_upper, _before(options.until))
    if options.full_refresh:
        return Bounds(None, upper)
    if options.since:
        return Bounds(_before(options.since), upper)
    if mark is None or unseen.lost:
        return Bounds(None, upper)
    return Bounds(mark, upper, extract.overlap_seconds, unseen.transactions)


def less_overlap(mark: str | None, overlap_seconds: int) -> str | None:
    """A date loses whole days, at least one; a number has no overlap in time and stays."""
    if mark is None or _is_number(mark):
        return mark
    if len(mark) == len("2026-06-30"):
        days = max(1, -(-overlap_seconds // 86_400))
        return (date.fromisoformat(mark) - timedelta(days=days)).isoformat()
    return _as_text(_as_instant(mark) - timedelta(seconds=overlap_seconds))


def next_mark(
    mark: str | None, bounds: Bounds, upper_seen: str | None, options: RunOptions, overlap_seconds: int = 0
) -> str | None:
    """The greatest of the old mark and what was read; None where the mark must not move.

    A backfill moves it only if it leaves no gap: it began at or before the old mark less its overlap, behind which
    rows may still be committed late.
    """
    if options.since and (
        mark is None or (bounds.lower is not None and _leaves_gap(mark, bounds.lower, overlap_seconds))
    ):
        return mark
    if upper_seen is None or (mark is not None and is_after(mark, upper_seen)):
        return mark
    return upper_seen


def holds_all_seen(mark: str | None, bounds: Bounds, options: RunOptions) -> bool:
    """Whether whatever the run's snapshot sees up to `mark` was within these bounds, or had been loaded before."""
    if mark is None or options.since:
        return False
    return bounds.upper is None or not is_after(mark, bounds.upper)


def _leaves_gap(mark: str, lower: str, overlap_seconds: int) -> bool:
    return is_after(lower, less_overlap(mark, overlap_seconds) or mark)


def is_after(one: str, other: str) -> bool:
    return _comparable(one) > _comparable(other)


def widest(all_bounds: Sequence[Bounds]) -> Bounds:
    """Those that start first, with what any of the others has not seen."""
    unseen = spanning([bounds.unseen for bounds in all_bounds if bounds.unseen])
    return replace(earliest(all_bounds), unseen=unseen)


def earliest(all_bounds: Sequence[Bounds]) -> Bounds:
    """The bounds that start first; an open start wins. All end at the same upper mark."""
    opened = [bounds for bounds in all_bounds if bounds.lower is None]
    return opened[0] if opened else min(all_bounds, key=lambda bounds: _comparable(bounds.first or ""))


def _earliest(one: str | None, other: str | None) -> str | None:
    known = [bound for bound in (one, other) if bound is not None]
    return min(known, key=_comparable) if known else None


def _before(instant: datetime | None) -> str | None:
    return None if instant is None else _as_text(instant - ONE_MICROSECOND)


def _comparable(mark: str) -> tuple[int, float | datetime]:
    return (0, int(mark)) if _is_number(mark) else (1, _as_instant(mark))


def _is_number(mark: str) -> bool:
    return mark.lstrip("-").isdigit()


def _as_instant(mark: str) -> datetime:
    instant = datetime.fromisoformat(mark)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _as_text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds")
