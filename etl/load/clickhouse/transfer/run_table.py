"""Brings a frame into one staging table that holds the winning attempts' rows, counted."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from pyspark.sql import DataFrame

from etl.config.destinations.clickhouse.settings import ClickHouseSettings
from etl.errors import DataError, NullKeyError, ReconciliationError
from etl.load.base import LoadFacts
from etl.load.clickhouse.job import Job, Staged
from etl.load.clickhouse.target import required_columns
from etl.load.clickhouse.transfer.arrow_writer import FIRST_DAY, LAST_DAY, ArrowWriterConfig, write_arrow_partition
from etl.load.executors import Attempt, Receipt, write_partitions
from etl.load.frames import rows_for_driver
from etl.model import Destination
from etl.statements.clickhouse.changes import count_partitions
from etl.statements.clickhouse.tables import attach_partitions, staging_shape
from etl.statements.types import array_element

_REASONS = {
    "null": "is NULL, but the target cannot hold NULL there",
    "null_array": "is a NULL array, which ClickHouse cannot hold (set null_array: empty to store an empty one)",
    "range": f"is outside {FIRST_DAY}..{LAST_DAY}, which ClickHouse would change without a word",
}


DRIVER_ROWS = 5_000
"""Up to so many rows the driver sends itself: a round trip through Python workers takes longer than they do."""


def stage_arrow(df: DataFrame, job: Job, settings: ClickHouseSettings, facts: LoadFacts | None) -> Staged:
    """The executors write; the driver joins the winners' tables by attaching their parts, which copies nothing."""
    config = writer_config(job, settings)
    if (rows := rows_for_driver(df, facts, DRIVER_ROWS)) is not None:
        receipts = [write_arrow_partition(iter(rows.to_batches()), Attempt(0, 0), config)]
    else:
        receipts = write_partitions(df, write_arrow_partition, config)
    raise_refusals(job, receipts)
    winners = [receipt for receipt in receipts if receipt.rows]
    if not winners:
        return Staged("", 0, 0, {})
    tables = [job.names.attempt(receipt.part, receipt.attempt) for receipt in winners]
    if len(tables) > 1:
        job.door.execute(attach_partitions(job.database, tables[0], tables[1:]))
    sent = sum(receipt.rows for receipt in winners)
    return count_staged(job, tables[0], sent, sum(receipt.bytes for receipt in winners))


def writer_config(job: Job, settings: ClickHouseSettings) -> ArrowWriterConfig:
    columns = job.plan.columns
    types = job.plan.shape.column_types
    arrays = {column.name for column in columns if array_element(column.spark_type)}
    return ArrowWriterConfig(
        settings=settings,
        names=job.names,
        shape=staging_shape(job.plan.shape, job.run_number),
        columns=tuple(column.name for column in columns),
        required=frozenset(
            column.name for column in columns if column.name not in arrays and "Nullable(" not in types[column.name]
        ),
        whole_arrays=job.config.null_array == "refuse",
    )


def count_staged(job: Job, table: str, sent: int, sent_bytes: int) -> Staged:
    partitions = dict(job.door.query(count_partitions(job.database, table)))
    staged = sum(partitions.values())
    if staged != sent:
        raise ReconciliationError(
            f"{job.config.table_name}: expected {sent} staged rows in ClickHouse, found {staged}; "
            "nothing was published, run the load again",
            table=job.config.table_name,
            destination=Destination.CLICKHOUSE,
        )
    return Staged(table, staged, sent_bytes, partitions)


def raise_refusals(job: Job, receipts: Sequence[Receipt]) -> None:
    """Raises what the winning attempts could not stage, all partitions' refusals together."""
    refused: dict[tuple[str, str], int] = {}
    for receipt in receipts:
        if not receipt.detail:
            continue
        for column, reason, rows in orjson.loads(receipt.detail)["refused"]:
            refused[column, reason] = refused.get((column, reason), 0) + rows
    if refused:
        raise refusal_error(job, refused)


def refusal_error(job: Job, refused: dict[tuple[str, str], int]) -> DataError:
    null_keys = {column for column, reason in refused if reason == "null"} & set(job.config.key)
    kind = NullKeyError if null_keys else DataError
    sentences = [
        f"column {column} {_REASONS[reason]}: {rows} rows" for (column, reason), rows in sorted(refused.items())
    ]
    needed = ", ".join(sorted(required_columns(job.plan.columns, job.config)))
    return kind(
        f"{job.config.table_name}: " + "; ".join(sentences) + f". Nothing was published. Reject or mend these rows in "
        f"the table's `transform` entry (the target needs a value in: {needed}).",
        table=job.config.table_name,
        destination=Destination.CLICKHOUSE,
    )
