"""Compares what stands in the store with what was loaded: one digest over all rows, and where that differs, one
checksum a column, which says where and costs several times as much."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame

from etl.errors import ValidationError
from etl.load.frames import checksums_of, columns_of
from etl.load.s3.door import spark_door
from etl.load.s3.frames import column, digest_of
from etl.load.s3.job import Job
from etl.model import PARTITION_DATE, Destination
from etl.statements.checksum import differences


def refuse_difference(job: Job, written: DataFrame, standing: DataFrame, *, is_whole: bool) -> None:
    """`written` is what the load wrote (`is_whole`: every incoming row), `standing` the same rows read back."""
    columns = columns_of(written.drop(PARTITION_DATE))
    with spark_door("read back what was loaded", job.table):
        digest = job.content.digest if is_whole else digest_of(written)
        if digest_of(standing.select(*[column(name) for name in written.columns])) == digest:
            return
        known = job.checksums if is_whole else None
        expected = known or checksums_of(written, columns)
        found = checksums_of(standing, columns)
    faults = differences(expected, found) or ["its rows' digest is another one, though no column's checksum is"]
    raise not_as_loaded(job, faults)


def not_as_loaded(job: Job, faults: Sequence[str]) -> ValidationError:
    """Of a table that does not hold what either lane has written."""
    return ValidationError(
        f"expected {job.path.uri} to hold what was loaded; {'; '.join(faults)}: nothing of this load is to be "
        "trusted; look for another writer and load again",
        table=job.table,
        destination=Destination.S3,
    )
