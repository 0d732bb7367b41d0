"""What attempts tell while they run: events, and their jobs' output. A thread stores it, so that none waits for it.

Where the database cannot be reached all of it is kept, and stored when it can be again.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

import structlog

from etl.errors import EtlError, TransientError
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.queue.claims import record
from etl.orchestrator.values import Claim, EventType
from etl.orchestrator.work.output import Output, Piece

INTERVAL_SECONDS = 1.0

log = structlog.get_logger(__name__)


class _Event(NamedTuple):
    claim: Claim
    event_type: EventType
    details: Mapping[str, Any]


class Journal:
    """Events are stored at once, output about once a second."""

    def __init__(self, database: OrchestratorDatabase) -> None:
        self._database = database
        self._guard = threading.Lock()
        """Of what waits; `_storing` of the order in which it is stored."""
        self._storing = threading.Lock()
        self._events: list[_Event] = []
        self._outputs: dict[int, Output] = {}
        self._pieces: list[tuple[int, Piece]] = []
        self._woken = threading.Event()
        self._is_ended = False
        self._is_waiting = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_ended = True
        self._woken.set()
        self._thread.join()

    def follow(self, claim: Claim, output: Output) -> None:
        with self._guard:
            self._outputs[claim.fencing_token] = output

    def leave(self, claim: Claim) -> None:
        """After the last `store`: its attempt has ended."""
        with self._guard:
            self._outputs.pop(claim.fencing_token, None)

    def tell(self, claim: Claim, event_type: EventType, **details: Any) -> None:
        with self._guard:
            self._events.append(_Event(claim, event_type, details))
        self._woken.set()

    def store(self) -> None:
        """All that waits; raises TransientError where it goes on waiting."""
        with self._storing:
            self._store_events()
            self._store_output()

    def _run(self) -> None:
        while not self._is_ended:
            self._woken.wait(INTERVAL_SECONDS)
            self._woken.clear()
            try:
                self.store()
                self._is_waiting = False
            except TransientError as error:
                if not self._is_waiting:
                    log.warning("events and output wait for the server", error=error.message)
                self._is_waiting = True
                self._woken.wait(INTERVAL_SECONDS)
            except Exception:  # no attempt ends because its output cannot be stored
                log.exception("journal failed")

    def _store_events(self) -> None:
        while self._events:
            event = self._events[0]
            try:
                record(self._database, event.claim.run_id, event.event_type, event.claim, event.details)
            except TransientError:
                raise
            except EtlError as error:
                log.error("event not stored", run_id=event.claim.run_id, error=error.message)
            with self._guard:
                del self._events[0]

    def _store_output(self) -> None:
        with self._guard:
            outputs = list(self._outputs.items())
        self._pieces += [(token, piece) for token, output in outputs for piece in output.take()]
        if self._pieces:
            try:
                self._database.at_once("store_output", _columns(self._pieces))
            except TransientError:
                raise
            except EtlError as error:
                log.error("output not stored", error=error.message)
            self._pieces = []


def _columns(pieces: list[tuple[int, Piece]]) -> dict[str, list[Any]]:
    return {
        "tokens": [token for token, _ in pieces],
        "numbers": [piece.number for _, piece in pieces],
        "streams": [piece.stream for _, piece in pieces],
        "texts": [piece.text for _, piece in pieces],
    }
