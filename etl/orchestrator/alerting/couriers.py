"""Deliver what the outbox holds: a thread a channel, so that a dead one holds up neither another nor the scheduler."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import structlog
from tenacity import wait_random_exponential

from etl.alerts.channels import Channels
from etl.errors import EtlError, TerminalError
from etl.orchestrator.alerting.outbox import (
    GIVE_UP_AFTER_SECONDS,
    Alert,
    claim_alert,
    mark_not_sent,
    mark_sent,
)
from etl.orchestrator.alerting.wording import worded
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.watch.observers import Observer
from etl.repeating import Repeating
from etl.retrying import seconds_until_next

INTERVAL_SECONDS = 1.0
PATIENCE_SECONDS = 2.0
WAITS = wait_random_exponential(multiplier=10, max=15 * 60)
"""Anything up to 10, 20, 40 … seconds, at most a quarter of an hour."""

log = structlog.get_logger(__name__)


class Couriers:
    """While the block runs, alerts are delivered."""

    def __init__(
        self,
        database: OrchestratorDatabase,
        channels: Channels,
        secrets: Iterable[str] = (),
        observer: Observer | None = None,
        interval_seconds: float = INTERVAL_SECONDS,
    ) -> None:
        known = tuple(secrets)
        self._couriers = [
            Courier(database, channels, name, known, observer, interval_seconds) for name in channels.names
        ]
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
        database: OrchestratorDatabase,
        channels: Channels,
        channel: str,
        secrets: tuple[str, ...] = (),
        observer: Observer | None = None,
        interval_seconds: float = INTERVAL_SECONDS,
    ) -> None:
        super().__init__(f"alerts to {channel}", interval_seconds, PATIENCE_SECONDS)
        self._database = database
        self._channels = channels
        self._channel = channel
        self._secrets = secrets
        self._observer = observer or Observer()

    def again(self) -> bool:
        try:
            self.deliver()
        except EtlError as error:
            log.warning("alerts not looked for", channel=self._channel, error=str(error))
        except Exception:
            log.exception("alert not delivered", channel=self._channel)
        return True

    def deliver(self) -> int:
        """How many were sent: all that are due."""
        sent = 0
        while not self._ended.is_set() and (alert := claim_alert(self._database, self._channel)):
            sent += self._tell(alert)
        return sent

    def _tell(self, alert: Alert) -> bool:
        subject, body = self._texts(alert)
        try:
            self._channels.send(self._channel, subject, body)
        except EtlError as error:
            self._failed(alert, error)
            return False
        mark_sent(self._database, alert)
        self._observer.alert_sent(self._channel, alert.kind)
        return True

    def _texts(self, alert: Alert) -> tuple[str, str]:
        """Kept, so that all attempts say the same."""
        if alert.body:
            return alert.subject, alert.body
        (surroundings,) = self._database.at_once("alert_surroundings", {"run_id": alert.run_id})
        subject, body = worded(alert, surroundings, self._secrets)
        self._database.at_once("word_alert", {"alert_id": alert.alert_id, "subject": subject, "body": body})
        return subject, body

    def _failed(self, alert: Alert, error: EtlError) -> None:
        is_given_up = isinstance(error, TerminalError) or alert.age_seconds > GIVE_UP_AFTER_SECONDS
        facts = {"channel": self._channel, "alert_id": alert.alert_id, "run_id": alert.run_id}
        if is_given_up:
            log.error("alert given up", **facts, attempt=alert.attempts, error=error.message)
            wait_seconds = None
        else:
            wait_seconds = seconds_until_next(error, alert.attempts, WAITS, "alert sent again", **facts)
        mark_not_sent(self._database, alert, error.message, wait_seconds)
        self._observer.alert_not_sent(self._channel, alert.kind, is_given_up)
