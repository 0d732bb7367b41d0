"""ADBC: Parquet → `adbc_ingest` into a temporary table → one INSERT … ON CONFLICT. Prints its seconds."""

from __future__ import annotations

import os
import sys
import time

import adbc_driver_postgresql.dbapi
import pyarrow as pa
from pyarrow import parquet

BATCH_ROWS = 50_000


def main(file: str, staging: str, upsert: str) -> None:
    started = time.perf_counter()
    with (
        parquet.ParquetFile(file) as source,
        adbc_driver_postgresql.dbapi.connect(os.environ["BENCH_DSN"]) as connection,
        connection.cursor() as cursor,
    ):
        reader = pa.RecordBatchReader.from_batches(source.schema_arrow, source.iter_batches(BATCH_ROWS))
        cursor.adbc_ingest(staging, reader, mode="create", temporary=True)
        cursor.execute(upsert)
        connection.commit()
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main(*sys.argv[1:])
