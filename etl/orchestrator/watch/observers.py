"""What a scheduler and a worker tell of while they work. Whoever listens raises nothing and takes no time."""

from __future__ import annotations

from etl.orchestrator.values import Claim, Failure


class Observer:
    """Hears nothing; whoever wants to overrides what he wants to hear."""

    def attempt_began(self, claim: Claim) -> None:
        """It was claimed."""

    def attempt_ended(self, claim: Claim, how: str, seconds: float, failure: Failure | None) -> None:
        """`how`: success, failed, cancelled, queued (it will be tried again), `handed back` or fenced."""

    def run_taken_away(self, slug: str, how: str) -> None:
        """From a worker that was not heard of; `how`: what the run is now."""

    def ticks_seen(self, made: int, missed: int) -> None:
        """Runs that ticks made, and those that are skipped because nobody saw to them in time."""

    def alert_sent(self, channel: str, kind: str) -> None:
        """The channel has it."""

    def alert_not_sent(self, channel: str, kind: str, is_given_up: bool) -> None:
        """This attempt failed."""
