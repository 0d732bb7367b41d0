"""Jobs: those that are configured, and those that only the ledger knows."""

from __future__ import annotations

from typing import Any

from etl.api.configured import ConfiguredJobs, KnownJob
from etl.api.models import Job, JobOrder, JobPage, JobSummary, RunSummary
from etl.api.reading.ledger import Look, Row, looking
from etl.api.reading.runs import summary_of, unknown_job
from etl.config.staging.models import CsvFiles, JsonFiles, StagingJob
from etl.staging.database.database import StagingDatabase

UNKNOWN_SOURCE = "unknown"


def find_jobs(
    database: StagingDatabase, configured: ConfiguredJobs, query: str, order: JobOrder, limit: int, offset: int
) -> JobPage:
    wanted = query.strip().casefold()
    with looking(database, "read jobs") as look:
        by_last_run = order is JobOrder.LAST_RUN
        found = look.tuples("page_known_jobs_by_last_run" if by_last_run else "page_known_jobs")
        matching = [(rank, job) for job in _known_jobs(configured, found) if (rank := job.rank(wanted)) is not None]
        if by_last_run:
            numbers = {row[0]: row[-1] for row in found if row[-1] is not None}
            matching.sort(key=lambda each: (-numbers.get(each[1].id, 0), each[1].id))
        else:
            matching.sort(key=lambda each: (each[0], each[1].id))
        page = [job for _, job in matching[offset : offset + limit]]
        last_runs = _last_runs(look, [job.id for job in page])
    return JobPage(jobs=[_summary(job, last_runs.get(job.id)) for job in page], total=len(matching))


def get_job(database: StagingDatabase, configured: ConfiguredJobs, job_id: str) -> Job:
    """404 where neither configuration nor ledger knows it."""
    job = configured.jobs.get(job_id)
    with looking(database, "read job") as look:
        found = look.row("page_known_job", job_id=job_id)
        if job is not None:
            known = KnownJob(job.id, job.description, job.target_table, job)
        elif found is not None:
            known = KnownJob(found["id"], found["description"], found["target_table"])
        else:
            raise unknown_job(job_id)
        last = _last_runs(look, [job_id]).get(job_id)
        live = look.tuples("page_live_run", job_id=job_id)
    shown = _summary(known, last)
    return Job(
        etl_job_id=job_id,
        description=shown.description,
        target_table=shown.target_table,
        source_type=shown.source_type,
        source=_source_in_words(job) if job else "",
        is_configured=job is not None,
        batch_size=job.batch_size if job else None,
        batch_size_from=configured.batch_size_from(job) if job else None,
        source_id=job.source_id if job else None,
        source_updated_at=job.source_updated_at if job else None,
        required=list(job.required) if job else [],
        skip_unchanged=job.skip_unchanged if job else None,
        live_run_id=live[0][0] if live else None,
        last_run=shown.last_run,
    )


def _known_jobs(configured: ConfiguredJobs, found: list[tuple[Any, ...]]) -> list[KnownJob]:
    jobs = configured.jobs
    return configured.known + [KnownJob(*row[:3]) for row in found if row[0] not in jobs]


def _last_runs(look: Look, job_ids: list[str]) -> dict[str, Row]:
    return {row["etl_job_id"]: row for row in look.rows("page_last_runs", job_ids=job_ids)}


def _summary(known: KnownJob, last: Row | None) -> JobSummary:
    last_run: RunSummary | None = summary_of(last) if last else None
    read = last["parameters"].get("source", {}).get("type", UNKNOWN_SOURCE) if last else UNKNOWN_SOURCE
    return JobSummary(
        etl_job_id=known.id,
        description=known.description,
        target_table=known.target_table,
        source_type=known.job.source.type if known.job else read,
        is_configured=known.job is not None,
        last_run=last_run,
    )


def _source_in_words(job: StagingJob) -> str:
    """Without secrets: what a query asks, and of whom, is nobody's business here."""
    if isinstance(job.source, JsonFiles | CsvFiles):
        return ", ".join(job.source.path)
    return "a query" if job.source.type == "query" else "standard input"
