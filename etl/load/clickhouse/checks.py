"""Validation before publishing: rows, keys and a checksum a column, where they stand, against what was loaded."""

from __future__ import annotations

from etl.errors import ContentionError, ValidationError
from etl.load.clickhouse.job import Job
from etl.model import Checksums, Destination
from etl.statements.checksum import differences
from etl.statements.clickhouse.catalog import TABLE_STATE
from etl.statements.clickhouse.checks import summarise


def stored_checksums(job: Job, table: str, *, final: bool, where: str = "") -> Checksums:
    statement = summarise(job.database, table, job.plan.columns, final=final, where=where)
    [[rows, *sums]] = job.door.query(statement)
    return Checksums(rows, {column.name: value for column, value in zip(job.plan.columns, sums, strict=True)})


def require_equal(job: Job, expected: Checksums, found: Checksums, where: str) -> None:
    faults = differences(expected, found)
    if faults:
        raise ValidationError(
            f"{job.config.table_name}: {where} is not what was loaded: {'; '.join(faults)}. "
            f"{job.qualified_target} was left as it was; run the load again.",
            table=job.config.table_name,
            destination=Destination.CLICKHOUSE,
        )


def require_untouched(job: Job) -> None:
    """What another writer added to the target since we looked at it would be lost in the exchange."""
    if job.target is None:
        return
    parameters = {"database": job.database, "table": job.config.target_name}
    [[state]] = job.door.query(TABLE_STATE, parameters=parameters)
    if state != job.target.state:
        raise ContentionError(
            f"{job.config.table_name}: expected nobody else to write into {job.qualified_target} during the load, "
            "found new or changed parts; the load starts again",
            table=job.config.table_name,
            destination=Destination.CLICKHOUSE,
        )
