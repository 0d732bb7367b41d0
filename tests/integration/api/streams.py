"""Reads server-sent events as a browser does, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import orjson

PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Event:
    name: str
    id: str | None
    data: Any


@dataclass
class Stream:
    """`store`: what a page holds of the batches, by index: of two states the later revision."""

    response: httpx2.Response
    comments: list[str] = field(default_factory=list)
    store: dict[int, dict[str, Any]] = field(default_factory=dict)
    last_id: str | None = None

    def __post_init__(self) -> None:
        self._events = self._read()

    def next(self, *names: str) -> Event:
        """The next one of these; waits for it. StopIteration where the server ends the stream before."""
        while True:
            event = next(self._events)
            if event.name in names or not names:
                return event

    def until(self, is_so: Callable[[Event], bool]) -> Event:
        """The first change of which it is so; all before it are taken in."""
        while True:
            event = self.next("change")
            if is_so(event):
                return event

    def names_to_the_end(self) -> list[str]:
        return [event.name for event in self._events if event.name != "ping"]

    def _read(self) -> Iterator[Event]:
        written: dict[str, str] = {}
        for line in self.response.iter_lines():
            if line.startswith(":"):
                self.comments.append(line)
            elif line:
                key, _, value = line.partition(": ")
                written[key] = value
            elif "data" in written:
                yield self._taken_in(Event(written["event"], written.get("id"), orjson.loads(written["data"])))
                written = {}
            else:
                written = {}

    def _taken_in(self, event: Event) -> Event:
        self.last_id = event.id or self.last_id
        if event.name == "change":
            assert event.data["id"] == event.id
            if event.data["is_complete"]:
                self.store.clear()
            for batch in event.data["batches"]:
                known = self.store.get(batch["index"])
                assert known is None or known["revision"] <= batch["revision"], "older than what was told before"
                self.store[batch["index"]] = batch
        return event


def next_transaction(event_id: str | None) -> int:
    """That comes first after all that the id's snapshot knows of; it grows."""
    return int((event_id or "").split(":")[1])


@contextmanager
def watching(url: str, run_id: str, last_id: str | None = None, **settings: Any) -> Iterator[Stream]:
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    with (
        httpx2.Client(base_url=url, timeout=PATIENCE_SECONDS, **settings) as client,
        client.stream("GET", f"/api/runs/{run_id}/events", headers=headers) as response,
    ):
        assert response.status_code == 200, response.read()
        yield Stream(response)
