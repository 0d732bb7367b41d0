"""Who begins what is queued."""

from __future__ import annotations

from fastapi import APIRouter

from etl.api.models import WorkerList
from etl.api.reading import workers
from etl.api.routes.access import Asked, Viewer

router = APIRouter(tags=["workers"])


@router.get("/workers")
def list_workers(services: Asked, _: Viewer) -> WorkerList:
    """Processes of `etl staging worker`, the latest heard of first."""
    return workers.list_workers(services.database)
