"""Jobs, their history, and a new run of one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from etl.api.models import Job, JobOrder, JobPage, Run, RunPage, StartRun
from etl.api.reading import jobs, runs
from etl.api.routes.access import LARGEST_BIGINT, Asked, JobIdPath, Viewer, Words
from etl.api.routes.asking import ByOperator

router = APIRouter(prefix="/jobs", tags=["jobs"])


@router.get("")
def list_jobs(
    services: Asked,
    _: Viewer,
    query: Annotated[str, Words] = "",
    sort: JobOrder = JobOrder.MATCH,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> JobPage:
    """Jobs whose id or description has `query` in it; those that begin with it first, or those that ran last."""
    return jobs.find_jobs(services.database, services.configured, query, sort, limit, offset)


@router.get("/{etl_job_id}")
def get_job(etl_job_id: JobIdPath, services: Asked, _: Viewer) -> Job:
    """One job as it is configured, or as the ledger knows it."""
    return jobs.get_job(services.database, services.configured, etl_job_id)


@router.get("/{etl_job_id}/runs")
def list_runs(
    etl_job_id: JobIdPath,
    services: Asked,
    _: Viewer,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[int | None, Query(ge=0, le=LARGEST_BIGINT)] = None,
) -> RunPage:
    """The job's history, the latest first; `before`: what the page before called `next_before`."""
    return runs.runs_of_job(
        services.database, etl_job_id, limit, before, is_configured=etl_job_id in services.configured.jobs
    )


@router.post("/{etl_job_id}/runs", status_code=202)
def start_run(etl_job_id: JobIdPath, asked: StartRun, asking: ByOperator) -> Run:
    """Queues a load; a worker (`etl staging worker`) begins it."""
    return asking.start(etl_job_id, asked)
