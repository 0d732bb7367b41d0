"""Waits between attempts, and which failures get one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.orchestrator.queue.backoff import may_retry, retry_in_seconds, wait_seconds
from etl.orchestrator.values import Backoff, Claim, ErrorType, Failure, JobKind

SECONDS = st.floats(0, 1e6)
NOW = datetime(2026, 11, 26, tzinfo=UTC)
CLAIM = Claim(
    run_id=1,
    job_id=1,
    slug="a",
    layer="bronze",
    kind=JobKind.COMMAND,
    command={},
    parameters={},
    attempt=1,
    maximum_attempts=3,
    fencing_token=1,
    worker_id="worker",
    correlation_id="a",
    cycle_id="manual",
    scheduled_at=NOW,
    interval_from=None,
    interval_until=None,
    started_at=NOW,
    retry_until=None,
    backoff=Backoff(10, 300),
    timeout_seconds=None,
    grace_seconds=10,
)


@given(SECONDS, SECONDS, st.integers(1, 5000))
def test_a_wait_is_within_its_doubling_and_its_cap(first: float, longest: float, attempt: int) -> None:
    waited = wait_seconds(Backoff(first, longest), attempt)
    assert 0 <= waited <= longest
    if attempt < 60:
        assert waited <= first * 2 ** (attempt - 1)


def test_waits_are_spread_over_all_of_it() -> None:
    """Full jitter: a wait may be next to none and next to the longest."""
    waits = [wait_seconds(Backoff(10, 300), 4) for _ in range(2000)]
    assert min(waits) < 8
    assert 72 < max(waits) <= 80
    assert 35 < sum(waits) / len(waits) < 45


@pytest.mark.parametrize(("is_transient", "expected"), [(True, True), (None, True), (False, False)])
@given(attempt=st.integers(1, 9), maximum=st.integers(1, 9))
def test_permanent_failures_and_last_attempts_are_not_retried(
    is_transient: bool | None, expected: bool, attempt: int, maximum: int
) -> None:
    failure = Failure(ErrorType.EXIT_CODE, "exit 1", "it ended with 1", is_transient, 1)
    allowed = expected and attempt < maximum
    assert may_retry(failure, attempt, maximum) is allowed
    claim = replace(CLAIM, attempt=attempt, maximum_attempts=maximum)
    waited = retry_in_seconds(claim, failure)
    assert (waited is not None) is allowed
    assert waited is None or waited <= 10 * 2 ** (attempt - 1)
