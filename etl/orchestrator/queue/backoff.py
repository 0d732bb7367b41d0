"""Which failures are tried again, and after which waits. Until when is judged by the database, whose clock counts."""

from __future__ import annotations

from tenacity import wait_random_exponential

from etl.orchestrator.values import Backoff, Claim, Failure
from etl.retrying import seconds_after


def wait_seconds(backoff: Backoff, attempt: int) -> float:
    """Full jitter, so that what failed together does not come back together."""
    waits = wait_random_exponential(multiplier=backoff.first_seconds, max=backoff.longest_seconds)
    return seconds_after(attempt, waits)


def may_retry(failure: Failure, attempt: int, maximum_attempts: int) -> bool:
    """What is permanent never; what nobody knows as what is transient."""
    return failure.is_transient is not False and attempt < maximum_attempts


def retry_in_seconds(claim: Claim, failure: Failure) -> float | None:
    """For `finish`; None: this was the last attempt."""
    if not may_retry(failure, claim.attempt, claim.maximum_attempts):
        return None
    return wait_seconds(claim.backoff, claim.attempt)
