"""Which rows PostgreSQL will not take, and why: asked of PostgreSQL itself, a batch at a time."""

from __future__ import annotations

import re
from dataclasses import replace

from etl.errors import SourceError
from etl.ingestion.database.connection import Connection, UploadStoreError, door, transaction
from etl.ingestion.model import Batch, Reject
from etl.ingestion.source import Source, row_of
from etl.ingestion.upload.batch import BadValue, stage
from etl.ingestion.upload.plan import WritePlan
from etl.ingestion.upload.temporary_table import Staging, loosened, staging_of
from etl.statements.uploader.checks import Checks, bad_values_sql

LONGEST_VALUE = 100
_CONTEXT = re.compile(r"line (?P<line>\d+)(?:, column (?P<column>[^:]+))?(?:: (?P<value>.*))?", re.DOTALL)


class BadRowError(SourceError):
    """A row that its table will not take; the file fails, nothing of the batch is stored."""


class _NothingToKeep(Exception):
    pass


async def find_bad_values(
    connection: Connection, plan: WritePlan, worker: int, batch: Batch
) -> tuple[list[BadValue], frozenset[str] | None]:
    """The first fault of every row that has one, and which columns had to be staged as text to find them (None: all of
    them could be). Nothing is left behind.

    Hundreds of columns do not fit a page of PostgreSQL as text: then only those are text of which COPY refuses a value.
    """
    loose: frozenset[str] | None = None
    while True:
        try:
            return await _ask(connection, plan, worker, batch, loose), loose
        except UploadStoreError as error:
            if loose is None and error.is_row_too_big:
                loose = frozenset()
                continue
            found = _CONTEXT.search(error.where)
            column = found["column"] if found else None
            if loose is None or column is None or column in loose:
                raise
            loose |= {column}


async def _ask(
    connection: Connection, plan: WritePlan, worker: int, batch: Batch, loose: frozenset[str] | None
) -> list[BadValue]:
    staging = _asking_everything(loosened(staging_of(plan, batch, worker), batch, loose), plan)
    found: list[BadValue] = []
    try:
        with door(plan.dsn, f"batch {batch.index}: look for bad values"):
            async with transaction(connection, *plan.settings):
                await stage(connection, staging, batch)
                rows = await connection.fetch(bad_values_sql(staging.upload, staging.checks))
                found = [BadValue(*row) for row in rows]
                raise _NothingToKeep
    except _NothingToKeep:
        return found


def _asking_everything(staging: Staging, plan: WritePlan) -> Staging:
    required = [*plan.key]
    required += [c.name for c in plan.target.columns if c.not_null and not c.is_generated and c.name not in required]
    there = {column.name for column in staging.upload.columns}
    checks = replace(staging.checks, required=tuple(name for name in required if name in there))
    # something must be asked even where nothing can be wrong with a value
    return replace(staging, checks=checks if checks else Checks(fit=tuple(sorted(there))))


def as_rejects(source: Source, batch: Batch, bad: list[BadValue]) -> list[Reject]:
    return [
        Reject(
            row=row_of(batch, each.position - 1) if batch.first_row else 0,
            line=source.line_of(batch, each.position - 1),
            column=each.column,
            value=each.value,
            reason=each.reason,
            position=each.position,
        )
        for each in bad
    ]


def bad_row_error(source: Source, rejects: list[Reject]) -> BadRowError:
    """The first of them by name, and how many there are in the batch."""
    first = rejects[0]
    more = f" (and {len(rejects) - 1} more rows of this batch)" if len(rejects) > 1 else ""
    # where the value is NULL the reason says so
    value = "" if first.value is None else f", found {first.value[:LONGEST_VALUE]!r}"
    return BadRowError(
        f"{source.path}, {place_of(first)}, column {first.column}: {first.reason}{value}{more}; mend the file, "
        "or load the rest with --rejects reject"
    )


def place_of(reject: Reject) -> str:
    return f"row {reject.row}" if reject.line is None else f"line {reject.line}"


def refused_as_said(source: Source, batch: Batch, error: UploadStoreError) -> BadRowError | None:
    """What PostgreSQL says in its CONTEXT, where asking again finds nothing: the line of the payload is the file's."""
    match = _CONTEXT.search(error.where)
    if match is None or batch.is_checked:  # then the payload's lines are not the file's
        return None
    number = int(match["line"])
    if batch.first_line is not None:
        place = f"line {batch.first_line + number - 1}"
    else:
        place = f"row {batch.first_row + number - 1}"
    column = f", column {match['column']}" if match["column"] else ""
    return BadRowError(f"{source.path}, {place}{column}: {error.message}; mend the file")
