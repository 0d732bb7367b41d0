"""The processes that begin what is queued."""

from __future__ import annotations

from etl.api.models import Worker, WorkerList
from etl.api.reading.ledger import looking
from etl.staging.database.database import StagingDatabase

SILENT_SECONDS = 15.0
"""A worker that has not been heard of for so long begins nothing."""


def list_workers(database: StagingDatabase) -> WorkerList:
    with looking(database, "read workers") as look:
        rows = look.rows("page_workers", silent_seconds=SILENT_SECONDS)
    return WorkerList(workers=[Worker(**row) for row in rows])
