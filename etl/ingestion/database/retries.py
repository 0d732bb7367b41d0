"""Again, where that may help: connection lost, server restarted, deadlock, lock or statement timeout."""

from __future__ import annotations

from collections.abc import Callable

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt, wait_exponential
from tenacity.wait import wait_random

from etl.errors import TransientError

LONGEST_WAIT_SECONDS = 60


def retrying(max_retries: int, heard: Callable[[Exception, int, float], None]) -> AsyncRetrying:
    """Waits 2**attempt seconds (1, 2, 4, …) and up to half a second more; `heard` is told (error, attempt, wait)."""

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, Exception):
            heard(error, state.attempt_number, state.upcoming_sleep)

    return AsyncRetrying(
        retry=retry_if_exception_type(TransientError),
        stop=stop_after_attempt(max_retries + 1),
        wait=wait_exponential(multiplier=1, max=LONGEST_WAIT_SECONDS) + wait_random(0, 0.5),
        before_sleep=tell,
        reraise=True,
    )
