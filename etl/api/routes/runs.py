"""One run: as it stands, its batches, and what can be done about it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from etl.api.models import Batch, BatchPage, BatchStatus, Change, RetryRun, Run
from etl.api.reading import batches, changes, runs
from etl.api.reading.seen import EVENT_ID
from etl.api.routes.access import LARGEST_INTEGER, Asked, RunIdPath, Viewer, Words
from etl.api.routes.asking import ByOperator

router = APIRouter(prefix="/runs/{etl_run_id}", tags=["runs"])

EventId = Annotated[str, Query(pattern=EVENT_ID, description="`id` of a change that was seen.")]


@router.get("")
def get_run(etl_run_id: RunIdPath, services: Asked, _: Viewer) -> Run:
    """The run as it stands."""
    return runs.get_run(services.database, etl_run_id)


class Json(Response):
    """What is JSON already."""

    media_type = "application/json"


@router.get("/batches", response_model=BatchPage)
def list_batches(
    etl_run_id: RunIdPath,
    services: Asked,
    _: Viewer,
    after: Annotated[int, Query(ge=-1, le=LARGEST_INTEGER)] = -1,
    limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
    status: Annotated[list[BatchStatus] | None, Query(max_length=5)] = None,
    text: Annotated[str | None, Words] = None,
) -> Json:
    """A page of the run's batches; `after`: what the page before called `next_after`; `text`: in an error's code or
    message."""
    return Json(batches.page_of_batches(services.database, etl_run_id, after, limit, status, text))


@router.get("/batches/{index}")
def get_batch(
    etl_run_id: RunIdPath, index: Annotated[int, Path(ge=0, le=LARGEST_INTEGER)], services: Asked, _: Viewer
) -> Batch:
    """One batch with its log, its retries and its first invalid records."""
    return batches.get_batch(services.database, etl_run_id, index)


@router.get("/changes", response_model=Change)
def get_changes(etl_run_id: RunIdPath, services: Asked, _: Viewer, since: EventId | None = None) -> Json:
    """What has changed since an event's id; without one the run with all its batches. For who cannot keep a stream."""
    return Json(changes.changes_since(services.database, etl_run_id, since))


@router.post("/retry", status_code=202)
def retry_run(etl_run_id: RunIdPath, asked: RetryRun, asking: ByOperator) -> Run:
    """Queues a retry of what the run has left."""
    return asking.retry(etl_run_id, asked)


@router.post("/cancel", status_code=202)
def cancel_run(etl_run_id: RunIdPath, asking: ByOperator) -> Run:
    """Ends the run after the batches in flight; one that is queued at once."""
    return asking.cancel(etl_run_id)
