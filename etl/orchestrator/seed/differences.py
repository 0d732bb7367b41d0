"""What conf/jobs says against what the tables say, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from etl.config.orchestrator.jobs import JobConfig, JobsConfiguration

Standing = Mapping[str, Mapping[str, Any]]
"""The jobs' rows by slug, each with its `tags`, `parents`, `schedule` and `queued_runs`."""

OF_TABLES_OF_THEIR_OWN = ("tags", "parents", "schedule")


@dataclass(frozen=True)
class Difference:
    """`field` empty: all of it. `slug` is a job's, or a scope of parallelism."""

    kind: Literal["added", "changed", "removed"]
    what: Literal["job", "parallelism"]
    slug: str
    field: str = ""
    before: Any = None
    after: Any = None


def all_differences(wanted: JobsConfiguration, standing: Standing, scopes: Mapping[str, int]) -> list[Difference]:
    return [*_of_jobs(wanted, standing), *_of_scopes(wanted.parallelism, scopes)]


def row_wanted(job: JobConfig, standing: Mapping[str, Any] | None) -> dict[str, Any]:
    """By the columns of dw_etl_jobs, and what has a table of its own.

    Whether it is enabled the file decides where it has changed; else it is as somebody left it.
    """
    return {
        **job.row,
        "is_enabled": standing["is_enabled"] if standing and _is_as_left(job, standing) else job.enabled,
        "is_enabled_by_file": job.enabled,
        "tags": sorted(job.tags),
        "parents": sorted(job.parents),
        "schedule": _schedule(job),
    }


def _is_as_left(job: JobConfig, standing: Mapping[str, Any]) -> bool:
    """Tables of an older shape do not know what the file said: what stands is taken for somebody's will."""
    if standing["source_file"] is None:
        return False
    return standing["is_enabled_by_file"] in (None, job.enabled)


def gone(wanted: JobsConfiguration, standing: Standing) -> list[str]:
    """Jobs that came from a file, and are in none; one that somebody made by hand is his own."""
    return [slug for slug, row in standing.items() if row["source_file"] is not None and slug not in wanted.jobs]


def _of_jobs(wanted: JobsConfiguration, standing: Standing) -> Iterator[Difference]:
    for slug, job in wanted.jobs.items():
        before = standing.get(slug)
        if before is None:
            yield Difference("added", "job", slug, after=job.source_file)
            continue
        for name, value in row_wanted(job, before).items():
            if before[name] != value and name != "is_enabled_by_file":
                yield Difference("changed", "job", slug, name, before[name], value)
    for slug in gone(wanted, standing):
        yield Difference("removed", "job", slug, before=standing[slug]["source_file"])
        if queued := standing[slug]["queued_runs"]:
            yield Difference("removed", "job", slug, "queued_runs", queued, "cancelled")


def _of_scopes(wanted: Mapping[str, int], standing: Mapping[str, int]) -> Iterator[Difference]:
    for scope, maximum in wanted.items():
        before = standing.get(scope)
        if before is None:
            yield Difference("added", "parallelism", scope, after=maximum)
        elif before != maximum:
            yield Difference("changed", "parallelism", scope, "maximum", before, maximum)
    for scope in standing.keys() - wanted.keys():
        yield Difference("removed", "parallelism", scope, before=standing[scope])


def _schedule(job: JobConfig) -> dict[str, Any] | None:
    if job.schedule is None:
        return None
    row = dict(job.schedule.row)
    return {**row, "cron": " ".join(row["cron"].split())}
