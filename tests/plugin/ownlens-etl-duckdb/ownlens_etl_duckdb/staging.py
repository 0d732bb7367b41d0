"""Executors write Parquet files beside the database; nobody reads those that the driver does not name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from etl.load.executors import Attempt, Receipt


@dataclass(frozen=True)
class StagingConfig:
    """What travels to the executors: a folder that they and the driver see."""

    folder: str


@dataclass(frozen=True)
class StagingFolder:
    """`<database>.staging/<schema>.<table>/<run>/`"""

    database: str
    target: str

    @property
    def of_table(self) -> Path:
        return Path(f"{self.database}.staging") / self.target

    def of_run(self, run_id: str) -> Path:
        return self.of_table / run_id

    def remove(self, run_id: str) -> None:
        shutil.rmtree(self.of_run(run_id), ignore_errors=True)

    def remove_all_but(self, live_runs: frozenset[str]) -> list[str]:
        found = self.of_table.iterdir() if self.of_table.is_dir() else ()
        dead = sorted(folder for folder in found if folder.name not in live_runs)
        for folder in dead:
            self.remove(folder.name)
        return [str(folder) for folder in dead]


def write_partition(batches: Iterator[pa.RecordBatch], attempt: Attempt, config: StagingConfig) -> Receipt:
    """One file an attempt: a retried or speculative task never writes into another's."""
    path = Path(config.folder) / f"{attempt.part}-{attempt.number}.parquet"
    rows = 0
    writer: parquet.ParquetWriter | None = None
    try:
        for batch in batches:
            if writer is None:
                path.parent.mkdir(parents=True, exist_ok=True)
                writer = parquet.ParquetWriter(path, batch.schema)
            writer.write_batch(batch)
            rows += batch.num_rows
    finally:
        if writer is not None:
            writer.close()
    size = path.stat().st_size if writer is not None else 0
    return Receipt(attempt.part, attempt.number, rows, size, json.dumps(str(path)) if writer is not None else "")


def files_of(receipts: list[Receipt]) -> list[str]:
    return [json.loads(receipt.detail) for receipt in receipts if receipt.detail]
