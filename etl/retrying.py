"""What is tried again, after which waits and until when; each retry is told in the same words, and counted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from prometheus_client import Counter
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    stop_all,
    stop_any,
    stop_never,
    stop_when_event_set,
    wait_exponential,
    wait_random,
    wait_random_exponential,
)
from tenacity.nap import sleep, sleep_using_event
from tenacity.stop import stop_base
from tenacity.wait import wait_base

from etl.errors import TransientError
from etl.interruption import INTERRUPTED
from etl.model import Destination

if TYPE_CHECKING:  # the uploader has no servers to configure
    from etl.config.settings import RunSettings

LONGEST_WAIT_SECONDS = 60

OF_A_RUN = wait_random_exponential(multiplier=0.5, max=10)
"""The main job's: anything up to 0.5, 1, 2 … 10 seconds, so that its tables do not come back all at once."""
OF_A_STORE = wait_random_exponential(multiplier=1, max=20)
"""The object store's: anything up to 1, 2, 4 … 20 seconds."""
OF_STAGING = wait_exponential(multiplier=0.2, max=30) + wait_random(0, 0.5)
"""0.2, 0.4, 0.8 … 30 seconds, and up to half a second more."""
OF_AN_UPLOAD = wait_exponential(multiplier=1, max=LONGEST_WAIT_SECONDS) + wait_random(0, 0.5)
"""1, 2, 4 … 60 seconds, and up to half a second more."""

RETRIES = Counter("etl_retries", "Attempts made again, by what was tried.", ["event"], registry=None)
"""Those of this process; a registry of metrics takes it in as it is. Spark's executors log theirs."""

_TRANSIENT: Any = retry_if_exception_type(TransientError)
_ONCE = stop_after_attempt(1)

log = structlog.get_logger(__name__)


class Retry(NamedTuple):
    """An attempt that failed, and how long it is until the next."""

    error: Exception
    attempt: int
    wait_seconds: float

    def say(self, event: str, **facts: Any) -> None:
        wait_seconds = round(self.wait_seconds, 3)
        log.warning(event, **facts, attempt=self.attempt, wait_seconds=wait_seconds, error=str(self.error))


Heard = Callable[[Retry], None]


def retrying(
    retries: int,
    for_seconds: float,
    event: str,
    *,
    again: Any = _TRANSIENT,
    waits: wait_base = OF_A_RUN,
    ended: threading.Event | None = INTERRUPTED,
    heard: Heard | None = None,
    **facts: Any,
) -> Retrying:
    """At least `retries` times and, if there is any, at least for so long; `ended` ends it at once.

    Each time the log says `event` with these facts, the attempt, its error and the wait; or `heard` says it.
    """
    return Retrying(
        retry=again,
        stop=stop_any(_enough(retries, for_seconds), stop_when_event_set(ended) if ended else stop_never),
        wait=waits,
        sleep=sleep_using_event(ended) if ended else sleep,
        before_sleep=_telling(event, heard, facts),
        reraise=True,
    )


def retrying_async(retries: int, event: str, *, heard: Heard | None = None, **facts: Any) -> AsyncRetrying:
    """`retrying`, for the uploader: so often, after 1, 2, 4 … seconds."""
    return AsyncRetrying(
        retry=_TRANSIENT,
        stop=stop_after_attempt(retries + 1),
        wait=OF_AN_UPLOAD,
        before_sleep=_telling(event, heard, facts),
        reraise=True,
    )


def as_configured(
    run: RunSettings, event: str, table: str, destination: Destination, *, again: Any = _TRANSIENT
) -> Retrying:
    """`retrying` as `settings.run` says, of a table on its way into a destination."""
    return retrying(run.retries, run.retry_for_seconds, event, again=again, table=table, destination=str(destination))


def seconds_until_next(error: Exception, attempt: int, waits: wait_base, event: str, **facts: Any) -> float:
    """For a library that does the waiting itself and asks how long: told and counted as any other retry."""
    retry = Retry(error, attempt, seconds_after(attempt, waits))
    RETRIES.labels(event).inc()
    retry.say(event, **facts)
    return retry.wait_seconds


def seconds_after(attempt: int, waits: wait_base) -> float:
    """How long it is from this attempt to the next."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    return waits(state)


def retries_counted() -> int:
    """All of this process so far, whatever was tried."""
    samples = [sample for metric in RETRIES.collect() for sample in metric.samples]
    return int(sum(sample.value for sample in samples if sample.name == "etl_retries_total"))


def _enough(retries: int, for_seconds: float) -> stop_base:
    return stop_all(stop_after_attempt(retries + 1), stop_after_delay(for_seconds)) if retries else _ONCE


def _telling(event: str, heard: Heard | None, facts: dict[str, Any]) -> Callable[[RetryCallState], None]:
    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if not isinstance(error, Exception):
            return
        retry = Retry(error, state.attempt_number, state.upcoming_sleep)
        RETRIES.labels(event).inc()
        if heard:
            heard(retry)
        else:
            retry.say(event, **facts)

    return tell
