"""Sends events by OpenLineage's own client, as its variables and its file say; no failure of it is one of the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event, Thread
from typing import Any

import structlog
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import RunEvent

from etl.errors import UsageError

LONGEST_SECONDS = 30.0
"""For all events of a run together, whatever the client is told to try again: the loads are done by then."""

log = structlog.get_logger(__name__)


def open_client() -> OpenLineageClient:
    """Connects to nothing yet. UsageError where its configuration cannot be used."""
    try:
        return OpenLineageClient()
    except Exception as error:  # of transports there are many, each with errors of its own
        raise UsageError(
            f"OpenLineage's client cannot be used as the variables OPENLINEAGE_… say: {error}; mend them, or set "
            "OPENLINEAGE_DISABLED=true"
        ) from error


def send(events: Callable[[], Sequence[RunEvent]], seconds: float = LONGEST_SECONDS) -> None:
    """Says in one line of the log how it went."""
    sending = _Sending(events)
    thread = Thread(target=sending.run, name="lineage", daemon=True)
    thread.start()
    thread.join(seconds)
    sending.given_up.set()
    facts: dict[str, Any] = {"sent": sending.sent, "events": sending.total}
    if sending.failure is not None:
        log.warning("lineage not sent", **facts, error=f"{type(sending.failure).__name__}: {sending.failure}")
    elif thread.is_alive():
        log.warning("lineage not sent", **facts, error=f"the server took more than {seconds:g} s")
    else:
        log.info("lineage sent", **facts)


class _Sending:
    """One event after the other, in a thread that is left behind where it hangs."""

    def __init__(self, events: Callable[[], Sequence[RunEvent]]) -> None:
        self.given_up = Event()
        self.failure: BaseException | None = None
        self.sent = self.total = 0
        self._events = events

    def run(self) -> None:
        try:
            self._run()
        except Exception as error:  # noqa: BLE001 - of the transport, or of what is told: the run is over, and stands
            self.failure = error

    def _run(self) -> None:
        """The first that fails is the last: the next would fail likewise, and later."""
        events, client = self._events(), open_client()
        self.total = len(events)
        for event in events:
            if self.given_up.is_set():
                return
            client.emit(event)
            self.sent += 1
        client.close(timeout=LONGEST_SECONDS)
