"""A stream of server-sent events, for as long as its run goes on or its reader stays."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from etl.api.live.hub import Hub
from etl.api.live.outbox import Outbox, event, ping

PING_SECONDS = 2.0
LONGEST_SECONDS = 15 * 60.0
"""Then its reader comes again, with the id it has seen, and is asked who he is."""
RETRY = b"retry: 1000\n\n"
"""Milliseconds until a browser that was cut off comes again."""

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class EventStream(StreamingResponse):
    """Joins the hub when it begins, and leaves it however it ends."""

    media_type = "text/event-stream"

    def __init__(self, hub: Hub, run_id: str, since: str | None) -> None:
        super().__init__(iter(()), headers=_HEADERS)
        self._hub, self._run_id, self._since = hub, run_id, since

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        outbox = self._hub.join(self._run_id, self._since)
        self.body_iterator = _events(outbox)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._hub.leave(outbox)


async def _events(outbox: Outbox) -> AsyncIterator[bytes]:
    yield RETRY
    end = time.monotonic() + LONGEST_SECONDS
    next_ping = time.monotonic()
    while time.monotonic() < end:
        if time.monotonic() >= next_ping:
            yield ping()
            next_ping = time.monotonic() + PING_SECONDS
        await outbox.wait(next_ping - time.monotonic())
        is_closed = outbox.is_closed
        for each in outbox.take():
            yield each
        if is_closed:
            break
    if outbox.has_ended:
        yield event("end", b"{}")
