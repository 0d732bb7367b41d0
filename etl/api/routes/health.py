"""Whether the API and its database answer; for probes, without sign-in."""

from __future__ import annotations

from fastapi import APIRouter

from etl.api.models import Health
from etl.api.routes.access import Asked

router = APIRouter(tags=["health"])


@router.get("/health")
def get_health(services: Asked) -> Health:
    """503 where the database does not. Jobs whose configuration is broken are served as they were before."""
    services.configuration.now()
    with services.database.transaction("look at the database") as cursor:
        cursor.execute("SELECT 1")
    return Health(status="ok", is_configuration_current=services.configuration.is_current)
