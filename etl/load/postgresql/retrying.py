"""Which errors are tried again, and how long to wait: backoff with jitter, bounded by `settings.run.retries`."""

from __future__ import annotations

import structlog
from tenacity import RetryCallState, Retrying, stop_after_attempt, wait_random_exponential

from etl.errors import TransientError
from etl.load.postgresql.door import sqlstate
from etl.statements.postgresql.sqlstates import CANCELED

log = structlog.get_logger(__name__)

LONGEST_WAIT_SECONDS = 30


def retrying(retries: int, table: str) -> Retrying:
    return Retrying(
        retry=_again,
        stop=stop_after_attempt(retries + 1),
        wait=wait_random_exponential(multiplier=0.2, max=LONGEST_WAIT_SECONDS),
        before_sleep=lambda state: _say(state, table),
        reraise=True,
    )


def _again(state: RetryCallState) -> bool:
    """A cancelled statement is tried once more: an administrator who cancels twice means it."""
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, TransientError):
        return False
    return sqlstate(error) != CANCELED or state.attempt_number < 2


def _say(state: RetryCallState, table: str) -> None:
    error = state.outcome.exception() if state.outcome else None
    wait_seconds = round(state.next_action.sleep, 3) if state.next_action else 0
    log.warning("load retried", table=table, attempt=state.attempt_number, wait_seconds=wait_seconds, error=str(error))
