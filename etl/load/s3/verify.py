"""Compares what stands in the store with what was loaded: one digest over all rows, and where that differs, one
checksum a column, which says where and costs several times as much."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from etl.errors import ValidationError
from etl.load.frames import columns_of
from etl.load.s3.door import spark_door
from etl.load.s3.frames import column, digest_of
from etl.load.s3.job import Job
from etl.model import PARTITION_DATE, Checksums, Column, Destination
from etl.statements.checksum import differences, spark_checksum_columns


def refuse_difference(job: Job, written: DataFrame, standing: DataFrame, *, is_whole: bool) -> None:
    """`written` is what the load wrote (`is_whole`: every incoming row), `standing` the same rows read back."""
    columns = columns_of(written.drop(PARTITION_DATE))
    with spark_door("read back what was loaded", job.table):
        digest = job.content.digest if is_whole else digest_of(written)
        if digest_of(standing.select(*[column(name) for name in written.columns])) == digest:
            return
        known = job.checksums if is_whole else None
        expected = known or checksums(written, columns)
        found = checksums(standing, columns)
    if faults := differences(expected, found):
        raise ValidationError(
            f"expected {job.path.uri} to hold what was loaded; {'; '.join(faults)}: nothing of this load is to be "
            "trusted; look for another writer and load again",
            table=job.table,
            destination=Destination.S3,
        )


def checksums(frame: DataFrame, columns: tuple[Column, ...]) -> Checksums:
    expressions = spark_checksum_columns(columns)
    # positions, not names: a column may be called `rows`
    found = frame.agg(F.count(F.lit(1)), *[F.expr(text) for text in expressions.values()]).collect()[0]
    return Checksums(found[0], dict(zip(expressions, found[1:], strict=True)))
