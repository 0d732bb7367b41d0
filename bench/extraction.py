"""The source's table into Spark: our reader, within a snapshot, against Spark's own partitioned JDBC read."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from time import perf_counter

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from bench import stores
from bench.measure import Results, Timing
from bench.servers import SOURCE_SCHEMA, SOURCE_TABLE, configuration
from bench.together import fill_source, source_of
from etl.config.configuration import load_configuration
from etl.config.settings import PostgreSQLSettings, Settings
from etl.config.tables.models import TableConfig
from etl.extract.postgresql.reader import PostgreSQLReader
from etl.extract.postgresql.tables import FETCH_ROWS
from etl.extract.values import Window

SECTION = "extraction"
READER, JDBC = "reader, snapshot and fingerprint included", "Spark JDBC partitioned read"
_PARTITIONED_BY, _BOUND = "user_id", 200_000
WARM_UP_ROWS = 20_000


def measure_extraction(
    spark: SparkSession,
    settings: Settings,
    variables: dict[str, str],
    rows: int,
    rounds: int,
    say: Callable[[str], None],
) -> Results:
    """Every value is read and thrown away. Both read in as many partitions, by fetches of as many rows."""
    with configuration(SOURCE_TABLE) as folder:
        table = load_configuration(folder, variables).tables[SOURCE_TABLE]
    partitions = ceil(rows / settings.run.rows_per_partition)
    readers: dict[str, Callable[[], int]] = {
        READER: lambda: _read_by_reader(spark, settings, table),
        JDBC: lambda: _read_by_jdbc(spark, source_of(settings), partitions),
    }
    seconds: dict[str, list[float]] = {name: [] for name in readers}
    for number in range(rounds + 1):
        if number < 2:  # once for the warm-up, once for all rounds
            fill_source(spark, settings, rows if number else min(rows, WARM_UP_ROWS), say)
        for name, read in readers.items():
            stores.tell_postgresql(source_of(settings), "CHECKPOINT")
            started = perf_counter()
            found = read()
            elapsed = perf_counter() - started
            if number:
                _require(found, rows, name)
                seconds[name].append(elapsed)
                say(f"{SECTION}, round {number}: {name}: {elapsed:.2f} s, {rows / elapsed:,.0f} rows/s")
    results = Results([Timing(SECTION, name, rows, tuple(found)) for name, found in seconds.items()])
    results.compare(SECTION, READER, JDBC, target=1.5)
    return results


def _require(found: int, rows: int, name: str) -> None:
    if found != rows:
        raise RuntimeError(f"{SECTION}, {name}: expected {rows} rows, found {found}")


def _read_by_reader(spark: SparkSession, settings: Settings, table: TableConfig) -> int:
    with PostgreSQLReader.opened(spark, settings) as reader:
        definition = reader.definitions([table])[table.name]
        measured = reader.measure(table, Window())
        return _read_all(reader.read(table, definition, Window(), measured))


def _read_by_jdbc(spark: SparkSession, server: PostgreSQLSettings, partitions: int) -> int:
    frame = spark.read.jdbc(
        server.jdbc_url,
        f"{SOURCE_SCHEMA}.{SOURCE_TABLE}",
        column=_PARTITIONED_BY,
        lowerBound=0,
        upperBound=_BOUND,
        numPartitions=partitions,
        properties={
            "driver": "org.postgresql.Driver",
            "user": server.user,
            "password": server.password.get_secret_value(),
            "fetchsize": str(FETCH_ROWS),
        },
    )
    return _read_all(frame)


def _read_all(frame: DataFrame) -> int:
    """Nothing is written, and all is read; how many rows."""
    seen = Observation()
    frame.observe(seen, F.count(F.lit(1)).alias("rows")).write.format("noop").mode("overwrite").save()
    return int(seen.get["rows"])
