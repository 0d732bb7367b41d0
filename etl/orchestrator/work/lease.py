"""How long an attempt is its worker's without a word from PostgreSQL, and what follows from that."""

from __future__ import annotations

from dataclasses import dataclass

from etl.orchestrator.queue.claims import LEASE_SECONDS


@dataclass(frozen=True)
class Lease:
    seconds: float = LEASE_SECONDS

    @property
    def beat_seconds(self) -> float:
        """Between two renewals."""
        return self.seconds / 6

    @property
    def here_seconds(self) -> float:
        """On the worker's machine it ends a little earlier: to kill processes takes its moment."""
        return self.seconds * 0.95

    @property
    def notice_seconds(self) -> float:
        """So long before its end the job is asked to end, and is killed at its end: never do two attempts of a run
        run side by side, even where the job takes its time to end."""
        return self.seconds / 3
