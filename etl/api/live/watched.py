"""A run that somebody watches, and what its streams are told after a look at it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import orjson

from etl.api.live.outbox import Outbox, State
from etl.api.reading.batches import OPTIONS, lines_of, read_batches
from etl.api.reading.ledger import Look, Row
from etl.api.reading.runs import Figures, figures_of, run_of, run_row
from etl.api.reading.seen import Seen, earliest, since

REFRESH_SECONDS = 2.0
"""What changes without a change of the ledger: seconds, workers, how many are ahead in the queue."""
FIGURES_SECONDS = 1.0
"""Averages of all batches are the dearest: of a run under way they may be so old."""


@dataclass(eq=False)
class Watched:
    """Belongs to the hub's thread."""

    run_id: str
    outboxes: list[Outbox] = field(default_factory=list)
    joining: list[Outbox] = field(default_factory=list)
    seen: Seen | None = None
    """The latest look; None where it must be told anew from the beginning."""
    revision: int = -1
    _was_told: bool = False
    _read_at: float = float("-inf")
    _figures: Figures | None = None
    _figures_at: float = float("-inf")

    @property
    def is_due(self) -> bool:
        """Whether it has to be read whatever the ledger says."""
        return bool(self.joining) or self.seen is None or time.monotonic() - self._read_at > REFRESH_SECONDS

    def lose(self) -> None:
        """The database was away: it may have forgotten what it last said."""
        self.seen, self._figures = None, None

    def lose_another_incarnation(self, seen: Seen) -> None:
        """A crash that was over before the next look is told by nothing else."""
        if self.seen is not None and self.seen.incarnation != seen.incarnation:
            self.lose()

    def read(self, look: Look, seen: Seen) -> None:
        """Tells all streams what is new to them. Whoever joins is told of this look, and of each after it."""
        row = run_row(look, self.run_id)
        if row is None:
            for outbox in self.outboxes + self.joining:
                outbox.close(has_ended=True)
            return
        run = run_of(look, row, self._figures_of(look, row))
        told = run.model_dump_json().encode()
        is_anew = self._was_told and self.seen is None
        lines = self._lines(look, seen, is_anew)
        newest = {index: line for index, line, is_new in lines if is_new}
        everything = {index: line for index, line, _ in lines}
        for outbox in self.outboxes:
            outbox.put(State(seen.id, told, everything if is_anew else newest, run.is_ended, is_complete=is_anew))
        for outbox in self.joining:
            batches = {} if outbox.since is None else everything
            outbox.put(State(seen.id, told, batches, run.is_ended, is_complete=_is_to_forget(outbox, seen)))
        self.outboxes, self.joining = self.outboxes + self.joining, []
        self.seen, self.revision, self._read_at, self._was_told = seen, run.revision, time.monotonic(), True

    def _lines(self, look: Look, seen: Seen, is_anew: bool) -> list[tuple[int, bytes, bool]]:
        """Index, JSON, and whether it is new to those who are here already; back to what the last of all has seen."""
        known = [since(outbox.since, seen) for outbox in self.joining if outbox.since is not None]
        snapshot = self.seen.snapshot if self.seen else None
        if self.outboxes:
            known.append(snapshot)
        if not known:
            return []
        told = [each for each in known if each is not None]
        is_everything = is_anew or len(told) < len(known)
        rows = read_batches(look, self.run_id, since=None if is_everything else earliest(told), snapshot=snapshot)
        return [
            (line["index"], orjson.dumps(line, option=OPTIONS), row[-1] is not False)
            for line, row in zip(lines_of(rows), rows, strict=True)
        ]

    def _figures_of(self, look: Look, row: Row) -> Figures:
        now = time.monotonic()
        if self._figures is None or row["status"] != "running" or now - self._figures_at > FIGURES_SECONDS:
            self._figures, self._figures_at = figures_of(look, row), now
        return self._figures


def _is_to_forget(outbox: Outbox, seen: Seen) -> bool:
    return outbox.since is not None and since(outbox.since, seen) is None
