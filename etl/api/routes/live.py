"""A run's changes as they happen: server-sent events."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse

from etl.api.live.stream import EventStream
from etl.api.reading.runs import require_run
from etl.api.reading.seen import EVENT_ID
from etl.api.routes.access import Asked, RunIdPath, Viewer

router = APIRouter(prefix="/runs/{etl_run_id}", tags=["runs"])

LastEventId = Annotated[str | None, Header(alias="Last-Event-ID", pattern=EVENT_ID)]


EVENTS: dict[int | str, dict[str, Any]] = {200: {"content": {EventStream.media_type: {"schema": {"type": "string"}}}}}


@router.get("/events", response_class=StreamingResponse, responses=EVENTS)
def watch_run(
    etl_run_id: RunIdPath,
    services: Asked,
    _: Viewer,
    last_event_id: LastEventId = None,
    last_seen: Annotated[
        str | None, Query(alias="last_event_id", pattern=EVENT_ID, description="As the header's.")
    ] = None,
) -> EventStream:
    """Events: `change` (a Change), `ping` ({"at"}), `trouble` ({"detail"}), `end`. Begins with the run as it stands, or
    with all that has changed since Last-Event-ID."""
    require_run(services.database, etl_run_id)
    services.hub.require_room()
    return EventStream(services.hub, etl_run_id, last_event_id or last_seen)
