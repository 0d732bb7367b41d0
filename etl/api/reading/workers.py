"""The processes that begin what is queued."""

from __future__ import annotations

from etl.api.models import Worker, WorkerList
from etl.api.reading.ledger import looking
from etl.staging.database.database import StagingDatabase
from etl.staging.ledger.ending import WORKER_GRACE_SECONDS


def list_workers(database: StagingDatabase) -> WorkerList:
    with looking(database, "read workers") as look:
        rows = look.rows("page_workers", grace_seconds=WORKER_GRACE_SECONDS)
    return WorkerList(workers=[Worker(**row) for row in rows])
