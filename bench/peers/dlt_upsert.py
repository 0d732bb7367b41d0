"""dlt: CSV → Arrow tables of strings → Parquet → ADBC into its staging dataset → MERGE. Prints its seconds.

Its fast path, as documented: Arrow tables instead of Python rows, `loader_file_format` Parquet, for which it takes
ADBC, and merge strategy `upsert` with a primary key. It makes the table, without a unique index.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import dlt
import pyarrow as pa
from pyarrow import csv

BLOCK_BYTES = 16 << 20


def main(file: str, schema: str, table: str, key: str) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-dlt-") as folder:
        started = time.perf_counter()
        pipeline = dlt.pipeline(
            "bench",
            pipelines_dir=folder,
            destination=dlt.destinations.postgres(os.environ["BENCH_DSN"]),
            dataset_name=schema,
        )
        resource = dlt.resource(
            read_tables(file),
            name=table,
            primary_key=key,
            write_disposition={"disposition": "merge", "strategy": "upsert"},
        )
        pipeline.run(resource, loader_file_format="parquet").raise_on_failed_jobs()
        print(time.perf_counter() - started)


def read_tables(file: str) -> Iterator[pa.Table]:
    with Path(file).open(encoding="utf-8") as lines:
        names = lines.readline().rstrip("\n").split(",")
    as_text = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True)
    for batch in csv.open_csv(file, csv.ReadOptions(block_size=BLOCK_BYTES), convert_options=as_text):
        yield pa.Table.from_batches([batch])


if __name__ == "__main__":
    main(*sys.argv[1:])
