"""Being built."""

from __future__ import annotations

from etl.api.models import WorkerList
from etl.api.services import Services


def list_workers(services: Services) -> WorkerList:
    raise NotImplementedError
