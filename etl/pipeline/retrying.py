"""Questions to the source and the stores, asked again after a transient error; loads are retried by their loaders."""

from __future__ import annotations

import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from etl.errors import TransientError
from etl.model import Destination

LONGEST_WAIT_SECONDS = 30

log = structlog.get_logger(__name__)


def retrying(retries: int, table: str, destination: Destination) -> Retrying:
    """Backoff with jitter, as loads have it; only for what may be done twice."""

    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning("question retried", table=table, destination=str(destination), error=str(error))

    return Retrying(
        retry=retry_if_exception_type(TransientError),
        stop=stop_after_attempt(retries + 1),
        wait=wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT_SECONDS),
        before_sleep=say,
        reraise=True,
    )
