"""Being built."""

from __future__ import annotations

from etl.api.models import Job, JobPage
from etl.api.services import Services


def find_jobs(services: Services, query: str, limit: int, offset: int) -> JobPage:
    raise NotImplementedError


def get_job(services: Services, job_id: str) -> Job:
    raise NotImplementedError
