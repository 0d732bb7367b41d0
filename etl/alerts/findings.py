"""What a run of a loading tool is told of: each finding is of one kind, and of one load or of the run as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from etl.config.alerts import AlertKind, LoadLimits
from etl.config.durations import spelled
from etl.config.limits import exceeds
from etl.errors import ReconciliationError, RejectedRowsError, ValidationError

FEWEST_ROWS = 10_000
SHORTEST_SECONDS = 5.0
"""Below, how long a load took says nothing of its speed."""

PACE_LOADS = 20
FEWEST_PACE_LOADS = 3
"""A load is held against the median of the last ones that read as many rows, more or less (a quarter to four times);
that of fewer says nothing."""

CAUSES = {
    RejectedRowsError.__name__: AlertKind.REJECTS,
    ReconciliationError.__name__: AlertKind.ROWS_MISMATCH,
    ValidationError.__name__: AlertKind.ROWS_MISMATCH,
}
"""Errors of loads that are a kind of their own; all others are failures."""


@dataclass(frozen=True)
class Place:
    """What it is about; without a table, the run as a whole. `destination` is None in tools that know but one,
    `source` (a staging job) where a table has one only."""

    table: str | None = None
    destination: str | None = None
    source: str | None = None

    def __str__(self) -> str:
        return " → ".join(name for name in (self.source, self.table or "the run", self.destination) if name)


@dataclass(frozen=True)
class Finding:
    kind: AlertKind
    place: Place
    expected: str
    found: str
    next_step: str
    """What to type."""


@dataclass
class Verdict:
    """What was found, and what was looked at and is fine."""

    found: list[Finding] = field(default_factory=list)
    fine: list[tuple[AlertKind, Place]] = field(default_factory=list)

    def add(self, kind: AlertKind, place: Place, finding: Finding | None) -> None:
        if finding is None:
            self.fine.append((kind, place))
        else:
            self.found.append(finding)


@dataclass(frozen=True)
class NextSteps:
    """What to type for a load that failed, whose rows were rejected, or that was slow."""

    failure: str
    rejects: str
    slow: str


@dataclass(frozen=True)
class LoadOutcome:
    """How one load ended. `error` where it failed; `usual_rows_per_second` is the median of the last ones, None where
    there are too few to say."""

    place: Place
    rows_read: int
    rows_rejected: int
    seconds: float
    error_class: str | None = None
    error: str | None = None
    usual_rows_per_second: float | None = None


@dataclass(frozen=True)
class Standing:
    """How a table stands in a destination that it was ever loaded into: when last, whatever that brought, and since
    when its watermark is where it is. `now` is by the clock that wrote the other times."""

    place: Place
    last_loaded_at: datetime
    now: datetime
    mark: str | None = None
    mark_since: datetime | None = None


def judge_load(verdict: Verdict, load: LoadOutcome, limits: LoadLimits, steps: NextSteps) -> None:
    """A load that failed is of one kind, and nothing is said of the others."""
    if load.error is not None:
        kind = CAUSES.get(load.error_class or "", AlertKind.FAILURE)
        step = steps.rejects if kind is AlertKind.REJECTS else steps.failure
        found = f"{load.error_class}: {load.error}" if load.error_class else load.error
        verdict.found.append(Finding(kind, load.place, "the load to be a success", found, step))
        return
    verdict.fine += [(AlertKind.FAILURE, load.place), (AlertKind.ROWS_MISMATCH, load.place)]
    if load.rows_read:
        verdict.add(AlertKind.REJECTS, load.place, _many_rejected(load, limits, steps))
    if limits.slow_below and load.usual_rows_per_second and load.rows_read >= FEWEST_ROWS:
        verdict.add(AlertKind.SLOW, load.place, _slow(load, limits.slow_below, load.usual_rows_per_second, steps))


def _many_rejected(load: LoadOutcome, limits: LoadLimits, steps: NextSteps) -> Finding | None:
    limit = limits.rejects_above
    if not exceeds(limit, load.rows_rejected, load.rows_read):
        return None
    expected = f"at most {limit} of the {load.rows_read:,} rows read to be rejected (alerts: rejects_above)"
    found = f"{load.rows_rejected:,}; the others are loaded"
    return Finding(AlertKind.REJECTS, load.place, expected, found, steps.rejects)


def _slow(load: LoadOutcome, limit: str, usual: float, steps: NextSteps) -> Finding | None:
    if load.seconds < SHORTEST_SECONDS:
        return None
    rate = load.rows_read / load.seconds
    share = float(limit.removesuffix("%")) / 100
    if rate >= usual * share:
        return None
    expected = f"at least {limit} of the {usual:,.0f} rows/s that is the median of its last loads (alerts: slow_below)"
    found = f"{rate:,.0f} rows/s: {load.rows_read:,} rows in {load.seconds:,.1f} s"
    return Finding(AlertKind.SLOW, load.place, expected, found, steps.slow)


def judge_standing(verdict: Verdict, standing: Standing, limits: LoadLimits, next_step: str) -> None:
    """One that never was a success has no standing: it is told of by its failures."""
    loaded_at, mark_since, now = standing.last_loaded_at, standing.mark_since, standing.now
    if limits.not_loaded_for:
        limit, kind = limits.not_loaded_for, AlertKind.NOT_LOADED
        expected = f"a load that is a success in the last {spelled(limit)} (alerts: not_loaded_for)"
        found = Finding(kind, standing.place, expected, f"none {_since(loaded_at, now)}", next_step)
        verdict.add(kind, standing.place, found if _age(loaded_at, now) > limit else None)
    if limits.watermark_stands_for and mark_since:
        limit, kind = limits.watermark_stands_for, AlertKind.STALE_WATERMARK
        expected = f"a watermark that moves within {spelled(limit)} (alerts: watermark_stands_for)"
        found = Finding(kind, standing.place, expected, f"{standing.mark}, {_since(mark_since, now)}", next_step)
        verdict.add(kind, standing.place, found if _age(mark_since, now) > limit else None)


def _age(since: datetime, now: datetime) -> float:
    return (now - since).total_seconds()


def _since(since: datetime, now: datetime) -> str:
    return f"since {since.astimezone(UTC):%Y-%m-%d %H:%M} UTC ({_roughly(_age(since, now))})"


def _roughly(seconds: float) -> str:
    """In the largest unit that it fills, rounded down."""
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} seconds"
