"""Which errors are tried again, and how long: backoff with jitter, long enough for a server to restart."""

from __future__ import annotations

from typing import Any

import structlog
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    stop_all,
    stop_any,
    stop_when_event_set,
    wait_random_exponential,
)
from tenacity.nap import sleep_using_event

from etl.config.settings import RunSettings
from etl.errors import TransientError
from etl.interruption import INTERRUPTED
from etl.model import Destination

LONGEST_WAIT_SECONDS = 10

_TRANSIENT: Any = retry_if_exception_type(TransientError)

log = structlog.get_logger(__name__)


def retrying(retries: int, for_seconds: float, event: str, *, again: Any = _TRANSIENT, **facts: str) -> Retrying:
    """At least `retries` times and, if there is any, at least for so long; an interruption ends it at once.

    Each time the log says `event` with these facts, the error, and how long it waits.
    """

    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        wait_seconds = round(state.next_action.sleep, 3) if state.next_action else 0
        log.warning(event, **facts, attempt=state.attempt_number, wait_seconds=wait_seconds, error=str(error))

    enough = stop_all(stop_after_attempt(retries + 1), stop_after_delay(for_seconds)) if retries else _ONCE
    return Retrying(
        retry=again,
        stop=stop_any(enough, stop_when_event_set(INTERRUPTED)),
        wait=wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT_SECONDS),
        sleep=sleep_using_event(INTERRUPTED),
        before_sleep=say,
        reraise=True,
    )


def as_configured(
    run: RunSettings, event: str, table: str, destination: Destination, *, again: Any = _TRANSIENT
) -> Retrying:
    """`retrying` as `settings.run` says, of a table on its way into a destination."""
    return retrying(run.retries, run.retry_for_seconds, event, again=again, table=table, destination=str(destination))


_ONCE = stop_after_attempt(1)
