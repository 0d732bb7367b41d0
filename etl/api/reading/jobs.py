"""Jobs: those that are configured, and those that only the ledger knows."""

from __future__ import annotations

from dataclasses import dataclass

from etl.api.configured import ConfiguredJobs
from etl.api.models import Job, JobPage, JobSummary, RunSummary
from etl.api.reading.ledger import Look, Row, looking
from etl.api.reading.runs import summary_of, unknown_job
from etl.config.staging.models import CsvFiles, JsonFiles, StagingJob
from etl.staging.database.database import StagingDatabase

UNKNOWN_SOURCE = "unknown"


@dataclass(frozen=True)
class _Known:
    """`job`: as it is configured."""

    id: str
    description: str | None
    target_table: str
    job: StagingJob | None

    def rank(self, query: str) -> int | None:
        """0: the id begins with it, 1: the description does, 2: it stands somewhere in either; None: nowhere."""
        name, text = self.id.casefold(), (self.description or "").casefold()
        if name.startswith(query):
            return 0
        if text.startswith(query):
            return 1
        return 2 if query in name or query in text else None


def find_jobs(database: StagingDatabase, configured: ConfiguredJobs, query: str, limit: int, offset: int) -> JobPage:
    """The best match first, then by id."""
    wanted = query.strip().casefold()
    with looking(database, "read jobs") as look:
        known = _known_jobs(configured, look.rows("page_known_jobs"))
        ranked = sorted((rank, job.id, job) for job in known if (rank := job.rank(wanted)) is not None)
        page = [job for _, _, job in ranked[offset : offset + limit]]
        last_runs = _last_runs(look, [job.id for job in page])
    return JobPage(jobs=[_summary(job, last_runs.get(job.id)) for job in page], total=len(ranked))


def get_job(database: StagingDatabase, configured: ConfiguredJobs, job_id: str) -> Job:
    """404 where neither configuration nor ledger knows it."""
    job = configured.jobs.get(job_id)
    with looking(database, "read job") as look:
        found = look.row("page_known_job", job_id=job_id)
        if job is not None:
            known = _of_job(job)
        elif found is not None:
            known = _of_row(found)
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


def _known_jobs(configured: ConfiguredJobs, found: list[Row]) -> list[_Known]:
    jobs = configured.jobs
    return [*map(_of_job, jobs.values()), *(_of_row(row) for row in found if row["id"] not in jobs)]


def _of_job(job: StagingJob) -> _Known:
    return _Known(job.id, job.description, job.target_table, job)


def _of_row(row: Row) -> _Known:
    return _Known(row["id"], row["description"], row["target_table"], None)


def _last_runs(look: Look, job_ids: list[str]) -> dict[str, Row]:
    return {row["etl_job_id"]: row for row in look.rows("page_last_runs", job_ids=job_ids)}


def _summary(known: _Known, last: Row | None) -> JobSummary:
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
