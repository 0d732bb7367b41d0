"""Where each run of a cycle stands at one moment, and why: what `run watch` draws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from etl.orchestrator.command.finding import Cycles, Row
from etl.orchestrator.command.moments import clock
from etl.orchestrator.command.rendering import layer_order
from etl.orchestrator.database.database import OrchestratorDatabase

STATES = ("running", "ready", "again", "waiting", "success", "failed", "skipped", "cancelled")
"""`ready`: a worker may take it; `again`: after a failed attempt, when its wait is over; `waiting`: for its parents."""

ENDED = ("success", "failed", "skipped", "cancelled")

_URGENCY = {state: n for n, state in enumerate(("failed", "running", "again", "ready", "cancelled", "waiting"))}


@dataclass(frozen=True)
class Line:
    """One run; `told` says what there is to say of its state."""

    run_id: int
    slug: str
    label: str
    layer: str
    state: str
    seconds: float | None
    """Of its work so far, or of all of it; None: it has not begun."""
    attempt: str
    told: str
    ended_at: datetime | None = None
    because: int | None = None
    """The run that it was skipped for."""

    @property
    def urgency(self) -> tuple[int, float]:
        """What a person wants to see first where not all fits: then those that ended last."""
        ended = -self.ended_at.timestamp() if self.ended_at else 0.0
        return (_URGENCY.get(self.state, len(_URGENCY)), ended)


@dataclass(frozen=True)
class Board:
    name: str
    seconds: float
    lines: tuple[Line, ...]

    @property
    def counts(self) -> dict[str, int]:
        found = Counter(line.state for line in self.lines)
        return {state: found[state] for state in STATES if found[state]}

    @property
    def ended(self) -> int:
        return sum(line.state in ENDED for line in self.lines)

    @property
    def has_ended(self) -> bool:
        return self.ended == len(self.lines)

    @property
    def is_success(self) -> bool:
        """Nothing failed, was cancelled, or was left out for a run of another cycle that had. What was skipped for a
        reason of its own (its job is disabled, its tick was missed) is no failure."""
        own = {line.run_id for line in self.lines}
        return not any(
            line.state in ("failed", "cancelled") or (line.because is not None and line.because not in own)
            for line in self.lines
        )

    @property
    def layers(self) -> dict[str, list[Line]]:
        names = sorted({line.layer for line in self.lines}, key=layer_order)
        return {name: [line for line in self.lines if line.layer == name] for name in names}


def board_of(database: OrchestratorDatabase, cycles: Cycles) -> Board:
    return drawn(cycles.name, database.at_once("cycle_watched", {"cycle_ids": list(cycles.ids)}))


def drawn(name: str, runs: Sequence[Row]) -> Board:
    """Of several cycles each run is called by its tick, too."""
    are_many = len({run["scheduled_at"] for run in runs}) > 1
    lines = [_line(run, f" {run['scheduled_at']:%Y-%m-%d %H:%M}" if are_many else "") for run in runs]
    return Board(name, _elapsed(runs), tuple(sorted(lines, key=lambda line: (layer_order(line.layer), line.label))))


def _line(run: Row, tick: str) -> Line:
    state = state_of(run)
    attempt = f"{run['attempts']} of {run['maximum_attempts']}" if run["attempts"] > 1 or state == "again" else ""
    told = _told(run, state)
    return Line(
        run["run_id"],
        run["slug"],
        run["slug"] + tick,
        run["layer"],
        state,
        _seconds(run),
        attempt,
        told,
        run["ended_at"],
        run["because_run_id"],
    )


def state_of(run: Row) -> str:
    if run["status"] != "queued":
        return str(run["status"])
    if run["ready_at"] is None:
        return "waiting"
    return "again" if run["ready_at"] > run["seen_at"] and run["attempts"] else "ready"


def _seconds(run: Row) -> float | None:
    if run["started_at"] is None:
        return None
    return float(((run["ended_at"] or run["seen_at"]) - run["started_at"]).total_seconds())


def _told(run: Row, state: str) -> str:
    if state == "running":
        return "is being cancelled" if run["cancel_requested_at"] else f"on {run['worker_id']}"
    if state == "failed":
        return ": ".join(filter(None, (run["error_class"], run["error_message"] or run["reason"])))
    if state == "skipped":
        return f"because of run {run['because_run_id']}" if run["because_run_id"] else run["reason"] or ""
    if state == "success":
        return f"{run['records_written']:,} rows" if run["records_written"] is not None else ""
    return _waiting(run, state) if state != "cancelled" else run["reason"] or ""


def _waiting(run: Row, state: str) -> str:
    if not run["is_enabled"]:
        return "its job is disabled"
    if state == "waiting":
        return _few("for ", run["waits_for"] or ())
    if state == "again":
        error = f" after {run['error_class']}" if run["error_class"] else ""
        return f"in {clock((run['ready_at'] - run['seen_at']).total_seconds() + 0.999)}{error}"
    if run["held_by"]:
        return f"its key is held by run {run['held_by']}"
    wait = (run["seen_at"] - run["ready_at"]).total_seconds()
    return f"for {clock(wait)}" if wait >= 0 else f"in {clock(0.999 - wait)}"


def _few(word: str, names: Sequence[str]) -> str:
    more = f", +{len(names) - 1}" if len(names) > 1 else ""
    return f"{word}{names[0]}{more}" if names else ""


def _elapsed(runs: Iterable[Row]) -> float:
    """From the first that began, or was asked for, to the last that ended."""
    runs = list(runs)
    if not runs:
        return 0.0
    begun = min(run["started_at"] or run["created_at"] for run in runs)
    is_open = any(run["ended_at"] is None for run in runs)
    ended = max(run["seen_at"] if is_open else run["ended_at"] for run in runs)
    return max(0.0, float((ended - begun).total_seconds()))
