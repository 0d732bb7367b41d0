"""Rows that the target's TTL has let go, or may at any moment: they are not published, not missed, not compared."""

from __future__ import annotations

from dataclasses import replace

from etl.load.clickhouse.checks import require_equal, stored_checksums
from etl.load.clickhouse.job import Frame, Job, Staged
from etl.statements.clickhouse.changes import count_partitions
from etl.statements.clickhouse.ttl import count_expired, delete_expired, expired

MARGIN_SECONDS = 600
"""A merge may take a row while it is being compared."""


def leave_out_expired(job: Job, staged: Staged, frame: Frame) -> tuple[Staged, Frame, int]:
    """The staged rows that the TTL keeps, what they amount to, and how many were left out.

    Of a TTL that only the server understands none is.
    """
    gone = expired(job.plan.shape.ttl)
    if not gone or not staged.rows:
        return staged, frame, 0
    [[rows]] = job.door.query(count_expired(job.database, staged.table, gone))
    if not rows:
        return staged, frame, 0
    if frame.expected is not None:
        found = stored_checksums(job, staged.table, final=False)
        require_equal(job, frame.expected, found, "what was staged in ClickHouse")
    job.door.execute(delete_expired(job.database, staged.table, gone))
    partitions = dict(job.door.query(count_partitions(job.database, staged.table)))
    kept = replace(staged, rows=sum(partitions.values()), partitions=partitions)
    if frame.expected is not None:
        frame = replace(frame, expected=stored_checksums(job, staged.table, final=False))
    return kept, frame, staged.rows - kept.rows


def count_stored_expired(job: Job, table: str, where: str = "true") -> int:
    """Of the rows that stand, those that the next merge takes; 0 where only the server can tell."""
    gone = expired(job.plan.shape.ttl)
    if not gone:
        return 0
    final = job.plan.shape.replaces
    return int(job.door.query(count_expired(job.database, table, gone, final=final, where=where))[0][0])


def not_about_to_expire(job: Job) -> str:
    """A condition that means the same rows whenever it is asked, none of which a merge takes meanwhile; empty: all."""
    if not expired(job.plan.shape.ttl):
        return ""
    [[now]] = job.door.query("SELECT toUnixTimestamp(now())")
    return f"NOT ({expired(job.plan.shape.ttl, f'toDateTime({int(now) + MARGIN_SECONDS})')})"


def only_the_server_tells(job: Job) -> bool:
    """Whether rows may go, or become others, that nobody can name beforehand."""
    return expired(job.plan.shape.ttl) is None
