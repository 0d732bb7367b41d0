"""Runs one module-level function over a frame's partitions as Arrow batches and brings back the winners' receipts.

An error of ours comes back as what it is: thrown in a task, it would reach the driver as text in a Spark exception.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame

from etl import errors
from etl.errors import EtlError

FrozenConfig = TypeVar("FrozenConfig")

RECEIPT_SCHEMA = "part int, attempt bigint, rows bigint, bytes bigint, detail string, failure string"


@dataclass(frozen=True)
class Attempt:
    """One attempt at one partition; `number` is unique over the whole Spark application."""

    part: int
    number: int


@dataclass(frozen=True)
class Receipt:
    """What one attempt staged. Only the winning attempt's receipt reaches the driver: a retried or speculative task
    leaves another attempt's rows behind, which the driver then does not publish. `detail` is the loader's own (JSON);
    `failure` is the error that ended the attempt.
    """

    part: int
    attempt: int
    rows: int
    bytes: int
    detail: str = ""
    failure: str = ""


PartitionWriter = Callable[[Iterator[pa.RecordBatch], Attempt, FrozenConfig], Receipt]


def write_partitions(df: DataFrame, write: PartitionWriter[FrozenConfig], config: FrozenConfig) -> list[Receipt]:
    """Calls `write(batches, attempt, config)` once a partition; `write` must be module-level, `config` frozen.

    Raises the error of the first partition whose attempt failed by one of ours.
    """
    # columns travel by position: mapInArrow cannot take names with dots or backticks
    numbered = df.toDF(*(f"c{position}" for position in range(len(df.columns))))
    write_one = partial(_write_partition, names=tuple(df.columns), write=write, config=config)
    receipts = [Receipt(**row.asDict()) for row in numbered.mapInArrow(write_one, RECEIPT_SCHEMA).collect()]
    for receipt in receipts:
        if receipt.failure:
            raise failure_of(receipt.failure)
    return receipts


def failed(attempt: Attempt, error: EtlError) -> Receipt:
    """The receipt of an attempt that staged nothing."""
    # a foreign loader's own class is nothing to the driver: the nearest of ours says whether a retry may help
    kind = next(each for each in type(error).__mro__ if each.__module__ == errors.__name__)
    told = {"error": kind.__name__, "message": error.message}
    return Receipt(attempt.part, attempt.number, rows=0, bytes=0, failure=json.dumps(told))


def failure_of(text: str) -> EtlError:
    """The error that a receipt carries."""
    told = json.loads(text)
    kind: type[EtlError] = getattr(errors, told["error"])
    return kind(told["message"])


def _write_partition(
    batches: Iterator[pa.RecordBatch],
    names: tuple[str, ...],
    write: PartitionWriter[FrozenConfig],
    config: FrozenConfig,
) -> Iterator[pa.RecordBatch]:
    context = TaskContext.get()
    if context is None:
        raise RuntimeError("a partition writer runs in a Spark task only")
    attempt = Attempt(part=context.partitionId(), number=context.taskAttemptId())
    try:
        receipt = write((batch.rename_columns(list(names)) for batch in batches), attempt, config)
    except EtlError as error:
        receipt = failed(attempt, error)
    yield pa.RecordBatch.from_pydict(
        {
            "part": pa.array([receipt.part], pa.int32()),
            "attempt": pa.array([receipt.attempt], pa.int64()),
            "rows": pa.array([receipt.rows], pa.int64()),
            "bytes": pa.array([receipt.bytes], pa.int64()),
            "detail": pa.array([receipt.detail], pa.string()),
            "failure": pa.array([receipt.failure], pa.string()),
        }
    )
