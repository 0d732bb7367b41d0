"""Rows that the target's TTL has already let go: they are not published, and so not missed."""

from __future__ import annotations

import re
from dataclasses import replace

from etl.load.clickhouse.checks import require_equal, stored_checksums
from etl.load.clickhouse.job import Frame, Job, Staged
from etl.statements.clickhouse.changes import count_partitions
from etl.statements.clickhouse.tables import count_expired, delete_expired

_MORE_THAN_AN_EXPRESSION = re.compile(r"\b(DELETE|WHERE|TO|GROUP|RECOMPRESS|SET)\b", re.IGNORECASE)


def leave_out_expired(job: Job, staged: Staged, frame: Frame) -> tuple[Staged, Frame, int]:
    """The staged rows that the TTL keeps, what they amount to, and how many were left out.

    A TTL of several clauses is the server's alone to understand; nothing is left out then.
    """
    ttl = job.plan.shape.ttl
    if not ttl or not staged.rows or _MORE_THAN_AN_EXPRESSION.search(ttl):
        return staged, frame, 0
    [[expired]] = job.door.query(count_expired(job.database, staged.table, ttl))
    if not expired:
        return staged, frame, 0
    if frame.expected is not None:
        found = stored_checksums(job, staged.table, final=False)
        require_equal(job, frame.expected, found, "what was staged in ClickHouse")
    job.door.execute(delete_expired(job.database, staged.table, ttl))
    partitions = dict(job.door.query(count_partitions(job.database, staged.table)))
    kept = replace(staged, rows=sum(partitions.values()), partitions=partitions)
    if frame.expected is not None:
        frame = replace(frame, expected=stored_checksums(job, staged.table, final=False))
    return kept, frame, staged.rows - kept.rows
