"""Being built."""

from __future__ import annotations

from etl.api.models import Run, RunPage
from etl.api.services import Services


def runs_of_job(services: Services, job_id: str, limit: int, before: int | None) -> RunPage:
    raise NotImplementedError


def get_run(services: Services, run_id: str) -> Run:
    raise NotImplementedError
