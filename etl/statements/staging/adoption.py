"""SQL that takes over what another system's etl_jobs and etl_runs know: jobs, runs, how they ended, and when.

Nothing is known of those tables but what their columns are called; what cannot be read is left out, the tables stay.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from etl.statements.quoting import postgresql_identifier as quoted
from etl.statements.quoting import postgresql_literal as literal
from etl.statements.quoting import postgresql_name
from etl.statements.staging.values import read_as

SUCCEEDED = ("success", "succeeded", "successful", "complete", "completed", "done", "finished", "ok", "passed", "true")
PARTLY = ("partial", "partially_succeeded", "completed_with_errors", "warning")

_FOREIGN_PERCENT = re.compile(r"%(?!\((?:job_id|pattern|succeeded|partly)\)s)")
_ID = "'^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$'"

_TEXTS: dict[str, dict[str, tuple[str, ...]]] = {
    "etl_jobs": {
        "target_table": ("target_table", "staging_table", "table_name"),
        "description": ("description", "name", "job_name", "title"),
    },
    "etl_runs": {
        "job": ("etl_job_id", "job_id", "job"),
        "status": ("status", "state"),
        "failure": ("failure", "error", "error_message", "message"),
    },
}
_IDS = {"etl_jobs": ("id", "job_id", "etl_job_id"), "etl_runs": ("id", "run_id", "etl_run_id")}
_CREATED = ("created_at", "created", "inserted_at")
_INSTANTS: dict[str, dict[str, tuple[str, ...]]] = {
    "etl_jobs": {"created_at": _CREATED, "updated_at": ("updated_at", "updated", "modified_at")},
    "etl_runs": {
        "started_at": ("started_at", "start_time", "started", "begin_time", *_CREATED),
        "finished_at": ("finished_at", "completed_at", "ended_at", "end_time", "finished", "updated_at"),
    },
}


@dataclass(frozen=True)
class ForeignColumn:
    """`type` as pg_type names it."""

    name: str
    type: str
    is_primary: bool = False
    is_referenced: bool = False


@dataclass(frozen=True)
class ForeignTable:
    """etl_jobs or etl_runs of another system. `values`: what the ledger wants to know → SQL that reads it."""

    name: str
    schema: str
    id_column: str | None
    values: dict[str, str]

    @property
    def address(self) -> str:
        return postgresql_name(self.schema, self.name)

    def value(self, name: str) -> str:
        return self.values.get(name, "NULL")


def foreign_table(schema: str, name: str, columns: Sequence[ForeignColumn], time_zone: str) -> ForeignTable:
    """What is not told by any of the usual names stays unknown."""
    types = {column.name: column.type for column in columns}
    identifier = _identifier(name, columns)
    values: dict[str, str] = {}
    for kind, names in (("text", _TEXTS[name]), ("timestamptz", _INSTANTS[name])):
        for target, candidates in names.items():
            found = [each for each in candidates if each in types and each != identifier]
            read = [read_as(kind, types[each], quoted(each), time_zone=time_zone) for each in found]
            known = [value for value in read if value]
            if known:
                values[target] = f"coalesce({', '.join(known)})"
    if identifier:
        values["id"] = f"{quoted(identifier)}::text"
    return ForeignTable(name, schema, identifier, values)


def _identifier(name: str, columns: Sequence[ForeignColumn]) -> str | None:
    """What rows refer to it by, before what it is called."""
    for is_it in (lambda c: c.is_referenced, lambda c: c.is_primary, lambda c: c.name in _IDS[name]):
        found = next((column.name for column in columns if is_it(column)), None)
        if found:
            return found
    return None


def set_aside(schema: str, adopted: str, tables: Sequence[str]) -> list[str]:
    """With their indexes and own sequences; views and foreign keys follow them."""
    moves = [f"ALTER TABLE {postgresql_name(schema, name)} SET SCHEMA {quoted(adopted)}" for name in tables]
    return [f"CREATE SCHEMA IF NOT EXISTS {quoted(adopted)}", *moves]


def count_ids(table: ForeignTable) -> str:
    """All rows, and those whose id the ledger can hold."""
    usable = f"count(*) FILTER (WHERE {table.value('id')} ~ {_ID})" if table.id_column else "0"
    return f"SELECT count(*) AS rows, {usable} AS usable FROM {table.address}"


def adopt_jobs(table: ForeignTable) -> str:
    return _bindable(f"""INSERT INTO etl_jobs (id, target_table, description, created_at, updated_at)
SELECT DISTINCT ON (job.id) job.id, coalesce(job.target_table, %(pattern)s), job.description,
    coalesce(job.created_at, clock_timestamp()), coalesce(job.updated_at, job.created_at, clock_timestamp())
FROM (
    SELECT {table.value("id")} AS id, {table.value("target_table")} AS target_table,
        {table.value("description")} AS description, ({table.value("created_at")})::timestamptz AS created_at,
        ({table.value("updated_at")})::timestamptz AS updated_at
    FROM {table.address}
) AS job
WHERE job.id ~ {_ID}
ORDER BY job.id, job.updated_at DESC NULLS LAST
ON CONFLICT (id) DO NOTHING""")


def adopt_runs(table: ForeignTable) -> str:
    """In the order in which they began, of which their numbers tell. Those that never ended have failed.

    A run whose job is not known is the historical job's.
    """
    return _bindable(f"""INSERT INTO etl_runs (
    id, etl_job_id, status, phase, target_table, batch_size, parameters, created_at, started_at, finished_at,
    heartbeat_at, failure
)
SELECT id, etl_job_id, status, 'committing', target_table, 1000,
    jsonb_build_object('registered_by', 'migrate', 'adopted_from', {literal(table.address)}, 'status', told),
    coalesce(started_at, finished_at, clock_timestamp()), started_at,
    coalesce(finished_at, started_at, clock_timestamp()), coalesce(finished_at, started_at, clock_timestamp()),
    CASE WHEN status = 'failed' THEN coalesce(failure, coalesce(told, 'unknown') || ' when it was adopted') END
FROM (
    SELECT DISTINCT ON (run.id) run.*, coalesce(job.id, %(job_id)s) AS etl_job_id,
        coalesce(job.target_table, %(pattern)s) AS target_table,
        CASE WHEN lower(told) = ANY (%(succeeded)s) THEN 'success'
            WHEN lower(told) = ANY (%(partly)s) THEN 'partial' ELSE 'failed' END AS status
    FROM (
        SELECT {table.value("id")} AS id, {table.value("job")} AS job, ({table.value("status")})::text AS told,
            {table.value("failure")} AS failure, ({table.value("started_at")})::timestamptz AS started_at,
            ({table.value("finished_at")})::timestamptz AS finished_at
        FROM {table.address}
    ) AS run
    LEFT JOIN etl_jobs AS job ON job.id = run.job
    WHERE run.id ~ {_ID}
    ORDER BY run.id, run.finished_at DESC NULLS LAST
) AS known
ORDER BY started_at NULLS FIRST, id
ON CONFLICT (id) DO NOTHING""")


def _bindable(text: str) -> str:
    """Percent signs of names are doubled: only the placeholders are bound."""
    return _FOREIGN_PERCENT.sub("%%", text)
