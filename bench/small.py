"""The fixed price of one small table into each store: most of the 79 are small."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from pyspark.sql import SparkSession

from bench import stores
from bench.events import events, held, one_row_changed, summarised
from bench.loading import (
    Entry,
    Loading,
    clickhouse_reference_entry,
    delta_entry,
    delta_flat_entry,
    parquet_flat_entry,
    postgresql_entry,
)
from bench.measure import Results, Timing
from etl.config.destinations.s3.load_config import S3Writer
from etl.config.settings import Settings
from etl.model import Destination

ROWS = 600
WARM_UP_LOADS = 3


def measure_small(spark: SparkSession, settings: Settings, loads: int, say: Callable[[str], None]) -> Results:
    """In a warm session, validated, one load after the other: created, loaded again, and with one row changed."""
    given = held(summarised(events(spark, ROWS, partitions=1)))
    changed = held(one_row_changed(given))
    results = Results()
    for name, destination, entry, remove in _tables(spark, settings):
        load = Loading(spark, settings, destination, entry, validate=True)
        seconds: dict[str, list[float]] = {"created": [], "unchanged": [], "one row changed": []}
        for number in range(-WARM_UP_LOADS, loads):
            for case, rows in zip(seconds, (given, given, changed), strict=True):
                started = perf_counter()
                load(rows, "bench_small")
                if number >= 0:
                    seconds[case].append(perf_counter() - started)
            remove("bench_small")
        results.timings += [Timing(f"small: {name}", case, ROWS, tuple(found)) for case, found in seconds.items()]
        say(f"small: {name}: " + ", ".join(f"{timing.case} {timing.median:.2f} s" for timing in results.timings[-3:]))
    return results


def _tables(spark: SparkSession, settings: Settings) -> list[tuple[str, Destination, Entry, Callable[[str], None]]]:
    lake = stores.s3(spark, settings, "s3", "parquet").remove
    return [
        ("s3 parquet overwrite", Destination.S3, parquet_flat_entry, lake),
        ("s3 parquet overwrite, writer: spark", Destination.S3, _by_spark(parquet_flat_entry), lake),
        ("s3 delta merge", Destination.S3, delta_flat_entry, lake),
        ("s3 delta merge, writer: spark", Destination.S3, _by_spark(delta_flat_entry), lake),
        ("s3 delta merge, by 30 dates", Destination.S3, delta_entry, lake),
        ("s3 delta merge, by 30 dates, writer: spark", Destination.S3, _by_spark(delta_entry), lake),
        ("postgresql upsert", Destination.POSTGRESQL, postgresql_entry, stores.postgresql(settings).remove),
        (
            "clickhouse replace_partition",
            Destination.CLICKHOUSE,
            clickhouse_reference_entry,
            stores.clickhouse(settings).remove,
        ),
    ]


def _by_spark(entry: Entry) -> Entry:
    return lambda target: entry(target).model_copy(update={"writer": S3Writer.SPARK})
