"""What one stream has still to send. It holds states, never a history: a slow reader gets the newest of each batch, and
memory what the run has of batches at most."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson

from etl.api.reading.changes import change_of
from etl.api.reading.seen import NOTHING

BATCHES_OF_AN_EVENT = 1000


@dataclass
class State:
    """What is to be told of a run: JSON, made once for all streams. `batches`: lines by index."""

    id: str
    run: bytes
    batches: dict[int, bytes]
    is_last: bool
    is_complete: bool = False


@dataclass(eq=False)
class Outbox:
    """Filled by the hub's thread, emptied by the stream's task on `loop`. `since`: the last event that was seen."""

    run_id: str
    since: str | None
    loop: asyncio.AbstractEventLoop
    is_closed: bool = False
    """Nothing else will come; where the run has ended, its reader is told so."""
    has_ended: bool = False
    _pending: State | None = None
    _trouble: str | None = None
    _knows_trouble: bool = False
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _filled: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, state: State) -> None:
        with self._guard:
            before = self._pending
            if before is not None and not state.is_complete:
                batches = {**before.batches, **state.batches}
                state = State(state.id, state.run, batches, state.is_last, before.is_complete)
            self._pending, self._knows_trouble = state, False
            self.has_ended |= state.is_last
            self.is_closed |= state.is_last
        self._wake()

    def tell_trouble(self, detail: str) -> None:
        """Once, however long it lasts."""
        if not self._knows_trouble:
            self._trouble, self._knows_trouble = detail, True
            self._wake()

    def close(self, *, has_ended: bool = False) -> None:
        with self._guard:
            self.is_closed = True
            self.has_ended |= has_ended
        self._wake()

    async def wait(self, seconds: float) -> None:
        """Until there is something to send, or so long."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._filled.wait(), seconds)

    def take(self) -> list[bytes]:
        """All there is to send, as events. Where several are needed, only the last has the new id: whoever is cut off
        in between gets all of them again."""
        self._filled.clear()
        with self._guard:
            state, self._pending = self._pending, None
            trouble, self._trouble = self._trouble, None
        events = [] if trouble is None else [event("trouble", orjson.dumps({"detail": trouble}))]
        if state is not None:
            events += self._changes(state)
            self.since = state.id
        return events

    def _changes(self, state: State) -> list[bytes]:
        lines = [orjson.Fragment(line) for _, line in sorted(state.batches.items())]
        parts = [lines[at : at + BATCHES_OF_AN_EVENT] for at in range(0, len(lines), BATCHES_OF_AN_EVENT)] or [[]]
        before = NOTHING if state.is_complete or self.since is None else self.since
        changes = []
        for number, part in enumerate(parts, start=1):
            is_whole = number == len(parts)
            event_id = state.id if is_whole else before
            is_complete = state.is_complete and number == 1
            data = change_of(event_id, state.run, part, state.is_last and is_whole, is_complete=is_complete)
            changes.append(event("change", data, event_id))
        return changes

    def _wake(self) -> None:
        with suppress(RuntimeError):  # the loop has ended, and the stream with it
            self.loop.call_soon_threadsafe(self._filled.set)


def event(name: str, data: bytes, event_id: str | None = None) -> bytes:
    """As it goes over the wire; JSON has no line breaks."""
    written_id = b"" if event_id is None else b"id: " + event_id.encode() + b"\n"
    return written_id + b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


def ping() -> bytes:
    """A comment for proxies, and an event for scripts, which do not see comments."""
    return b": ping\n" + event("ping", orjson.dumps({"at": datetime.now(UTC)}, option=orjson.OPT_UTC_Z))
