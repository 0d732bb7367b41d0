"""What each of our commits is marked with, whoever makes it."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from etl.load.s3.delta.log import application_id
from etl.load.s3.files.manifest import result_to
from etl.load.s3.job import Job
from etl.model import LoadResult


@dataclass(frozen=True)
class Transaction:
    """What a commit is marked with. An older or equal `version` of the same application Delta passes over silently,
    so the caller takes one above what the log holds, and looks for its commit afterwards.
    """

    application: str
    version: int
    note: str

    @classmethod
    def of(cls, job: Job, version: int, result: LoadResult) -> Transaction:
        note = {
            "run_id": job.run.run_id,
            "table": job.table,
            "token": job.token,
            "digest": job.content.digest,
            "result": result_to(result),
        }
        return cls(application_id(job.run.run_id, job.table), version, orjson.dumps(note).decode())
