"""Deliver what an outbox holds: a thread a channel, so that a dead one holds up neither another nor the tool."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Protocol, Self

import structlog
from tenacity import wait_random_exponential

from etl.alerts.channels import Channels
from etl.alerts.outbox import (
    GIVE_UP_AFTER_SECONDS,
    Alert,
    Outbox,
    claim_alerts,
    mark_not_sent,
    mark_sent,
    word_alerts,
)
from etl.errors import EtlError, TerminalError
from etl.repeating import Repeating
from etl.retrying import seconds_until_next

INTERVAL_SECONDS = 1.0
PATIENCE_SECONDS = 2.0
WAITS = wait_random_exponential(multiplier=10, max=15 * 60)
"""Anything up to 10, 20, 40 … seconds, at most a quarter of an hour."""

log = structlog.get_logger(__name__)

Words = Callable[[Sequence[Alert]], tuple[str, str]]
"""Subject and body of one message."""


class DeliveryObserver(Protocol):
    def alert_sent(self, channel: str, kind: str) -> None: ...

    def alert_not_sent(self, channel: str, kind: str, is_given_up: bool) -> None: ...


class Couriers:
    """While the block runs, alerts are delivered."""

    def __init__(
        self,
        outbox: Outbox,
        channels: Channels,
        words: Words,
        observer: DeliveryObserver | None = None,
        interval_seconds: float = INTERVAL_SECONDS,
    ) -> None:
        self._couriers = [Courier(outbox, channels, name, words, observer, interval_seconds) for name in channels.names]
        self._running = ExitStack()

    def __enter__(self) -> Self:
        for courier in self._couriers:
            self._running.enter_context(courier)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()


class Courier(Repeating):
    """Of one channel. What was sent and not marked is sent again: at least once."""

    def __init__(
        self,
        outbox: Outbox,
        channels: Channels,
        channel: str,
        words: Words,
        observer: DeliveryObserver | None = None,
        interval_seconds: float = INTERVAL_SECONDS,
    ) -> None:
        super().__init__(f"alerts to {channel}", interval_seconds, PATIENCE_SECONDS)
        self._outbox = outbox
        self._channels = channels
        self._channel = channel
        self._words = words
        self._observer = observer

    def again(self, until: float | None = None) -> bool:
        try:
            self.deliver(until)
        except EtlError as error:
            log.warning("alerts not looked for", channel=self._channel, error=str(error))
        except Exception:
            log.exception("alert not delivered", channel=self._channel)
        return True

    def deliver(self, until: float | None = None) -> int:
        """How many messages were sent: all that are due, and none begun after `until` (time.monotonic)."""
        sent = 0
        while not self._ended.is_set() and not _is_over(until):
            alerts = claim_alerts(self._outbox, self._channel)
            if not alerts:
                break
            sent += self._tell(alerts)
        return sent

    def _tell(self, alerts: Sequence[Alert]) -> bool:
        subject, body = self._texts(alerts)
        try:
            self._channels.send(self._channel, subject, body)
        except EtlError as error:
            self._failed(alerts, error)
            return False
        mark_sent(self._outbox, alerts)
        if self._observer:
            self._observer.alert_sent(self._channel, alerts[0].kind)
        return True

    def _texts(self, alerts: Sequence[Alert]) -> tuple[str, str]:
        """Kept, so that all attempts say the same."""
        if alerts[0].body:
            return alerts[0].subject, alerts[0].body
        subject, body = self._words(alerts)
        word_alerts(self._outbox, alerts, subject, body)
        return subject, body

    def _failed(self, alerts: Sequence[Alert], error: EtlError) -> None:
        first = alerts[0]
        is_given_up = isinstance(error, TerminalError) or first.age_seconds > GIVE_UP_AFTER_SECONDS
        facts = {"channel": self._channel, "alert_id": first.alert_id, "run_id": first.run_id}
        if is_given_up:
            log.error("alert given up", **facts, attempt=first.attempts, error=error.message)
            wait_seconds = None
        else:
            wait_seconds = seconds_until_next(error, first.attempts, WAITS, "alert sent again", **facts)
        mark_not_sent(self._outbox, alerts, error.message, wait_seconds)
        if self._observer:
            self._observer.alert_not_sent(self._channel, first.kind, is_given_up)


def _is_over(until: float | None) -> bool:
    return until is not None and time.monotonic() >= until
