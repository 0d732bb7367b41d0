"""Each loader against Spark's own writer of the same store: same rows, same partitions, same target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F

from bench import stores
from bench.events import DATE_COLUMN, KEY, Rows, events, every_row_changed, materialised, one_day_changed, summarised
from bench.loading import (
    Entry,
    Loading,
    clickhouse_entry,
    clickhouse_jdbc_entry,
    delta_entry,
    parquet_by_date_entry,
    parquet_flat_entry,
    postgresql_entry,
)
from bench.measure import Contender, Results, Step, Store, race
from bench.psql import Psql
from etl.config.settings import Settings
from etl.load.clickhouse.transfer.jdbc_writer import jdbc_url
from etl.model import PARTITION_DATE, Destination
from etl.statements.quoting import clickhouse_identifier, postgresql_identifier

SHAPE = "bench_shape"
LOADER, LOADER_UNVALIDATED = "loader", "loader, not validated"
LOADER_BY_JDBC = "loader, writer: jdbc"
UNCHANGED, CHANGED = "loader again, nothing changed", "loader again, every row changed"
PSQL, PSQL_CHANGED = "psql \\copy, two streams", "psql staging + ON CONFLICT, every row changed"
ONE_DAY, ONE_DAY_PLAIN = "loader again, one date changed", "Delta's merge by key, one date changed"
JDBC, PLAIN = "Spark JDBC append", "Spark df.write"
WARM_UP_ROWS = 20_000


@dataclass(frozen=True)
class Course:
    """What every race is run with."""

    spark: SparkSession
    settings: Settings
    rows: Rows
    warm_up: Rows
    rounds: int
    say: Callable[[str], None]

    @classmethod
    def of(cls, spark: SparkSession, settings: Settings, rows: int, rounds: int, say: Callable[[str], None]) -> Course:
        say(f"materialising {rows:,} rows ...")
        warm_up = materialised(events(spark, min(rows, WARM_UP_ROWS)))
        return cls(spark, settings, materialised(events(spark, rows)), warm_up, rounds, say)

    def loading(self, destination: Destination, entry: Entry, *, validate: bool = True) -> Loading:
        return Loading(self.spark, self.settings, destination, entry, validate)

    def race(self, store: Store, contenders: list[Contender]) -> Results:
        return Results(race(store, contenders, self.warm_up, self.rows, self.rounds, self.say))


# --- PostgreSQL -----------------------------------------------------------------------------------------------------


def race_postgresql(course: Course) -> Results:
    """JDBC and psql add to an empty table with the same columns and primary key: neither is atomic."""
    with TemporaryDirectory(prefix="ownlens-bench-") as folder:
        return _race_postgresql(course, Path(folder))


def _race_postgresql(course: Course, folder: Path) -> Results:
    server = course.settings.postgresql
    assert server is not None
    load = course.loading(Destination.POSTGRESQL, postgresql_entry)
    shape = postgresql_identifier(SHAPE)
    load.load(_none_of(course.rows), SHAPE)

    def prepare(target: str) -> None:
        stores.tell_postgresql(server, f"CREATE TABLE {postgresql_identifier(target)} (LIKE {shape} INCLUDING ALL)")

    def append(rows: Rows, target: str) -> None:
        _jdbc(rows.frame, f"{server.jdbc_url}&stringtype=unspecified", target, 10_000).options(
            driver="org.postgresql.Driver", user=server.user, password=server.password.get_secret_value()
        ).save()

    psql = Psql(server, folder)
    psql.keep(course.warm_up)
    psql.keep(course.rows)

    store = stores.postgresql(course.settings)
    unvalidated = course.loading(Destination.POSTGRESQL, postgresql_entry, validate=False)
    results = course.race(
        store,
        [
            Contender.of(LOADER, load, Step(UNCHANGED, load), Step(CHANGED, load, every_row_changed)),
            Contender.of(JDBC, append, prepare=prepare),
            Contender.of(
                PSQL,
                psql.copy,
                Step(PSQL_CHANGED, psql.upsert, lambda rows: psql.keep(every_row_changed(rows))),
                prepare=prepare,
            ),
            Contender.of(LOADER_UNVALIDATED, unvalidated),
        ],
    )
    store.remove(SHAPE)
    results.compare(store.name, LOADER, JDBC, target=1.6)
    results.compare(store.name, LOADER_UNVALIDATED, JDBC)
    results.compare(store.name, LOADER, PSQL, target=0.6)
    results.compare(store.name, CHANGED, PSQL_CHANGED, target=1.3)
    return results


def _none_of(rows: Rows) -> Rows:
    return summarised(rows.frame.limit(0))


# --- ClickHouse -----------------------------------------------------------------------------------------------------


def race_clickhouse(course: Course) -> Results:
    """JDBC inserts straight into a target of the same engine, order and partitions; a reader sees it half-way."""
    server = course.settings.clickhouse
    assert server is not None
    load = course.loading(Destination.CLICKHOUSE, clickhouse_entry)
    load.load(_none_of(course.rows), SHAPE)

    def prepare(target: str) -> None:
        name, shape = clickhouse_identifier(target), clickhouse_identifier(SHAPE)
        stores.tell_clickhouse(course.settings, f"CREATE TABLE {name} AS {shape}")

    def append(rows: Rows, target: str) -> None:
        _jdbc(rows.frame, jdbc_url(server), target, 100_000).options(
            driver="com.clickhouse.jdbc.ClickHouseDriver",
            user=server.user,
            password=server.password.get_secret_value(),
            isolationLevel="NONE",
        ).save()

    store = stores.clickhouse(course.settings)
    unvalidated = course.loading(Destination.CLICKHOUSE, clickhouse_entry, validate=False)
    by_jdbc = course.loading(Destination.CLICKHOUSE, clickhouse_jdbc_entry)
    results = course.race(
        store,
        [
            Contender.of(LOADER, load, Step(UNCHANGED, load)),
            Contender.of(JDBC, append, prepare=prepare),
            Contender.of(LOADER_UNVALIDATED, unvalidated),
            Contender.of(LOADER_BY_JDBC, by_jdbc),
        ],
    )
    store.remove(SHAPE)
    results.compare(store.name, LOADER, JDBC, target=2.5)
    results.compare(store.name, LOADER_UNVALIDATED, JDBC)
    results.compare(store.name, UNCHANGED, LOADER, target=1.0)
    results.compare(store.name, LOADER_BY_JDBC, JDBC)
    return results


def _jdbc(frame: DataFrame, url: str, table: str, batch_rows: int) -> DataFrameWriter:
    return frame.write.format("jdbc").mode("append").options(url=url, dbtable=table, batchsize=str(batch_rows))


# --- S3 -------------------------------------------------------------------------------------------------------------


def race_s3(course: Course) -> Results:
    """`df.write` of the same layout and compression; it leaves no record, and an overwrite is no exchange."""
    results = Results()
    for name, file_format, entry, is_dated, target in (
        ("s3 parquet, flat", "parquet", parquet_flat_entry, False, 1.0),
        ("s3 parquet, by 30 dates", "parquet", parquet_by_date_entry, True, 1.0),
        ("s3 delta, by 30 dates", "delta", delta_entry, True, 1.1),
    ):
        store = stores.s3(course.spark, course.settings, name, file_format)
        raced = _race_layout(course, store, file_format, entry, is_dated)
        raced.compare(store.name, LOADER, PLAIN, target=target)
        raced.compare(store.name, LOADER_UNVALIDATED, PLAIN)
        results.timings += raced.timings
        results.ratios += raced.ratios
    return results


def _race_layout(course: Course, store: Store, file_format: str, entry: Entry, is_dated: bool) -> Results:
    def plain(rows: Rows, target: str) -> None:
        frame = rows.frame.withColumn(PARTITION_DATE, F.col(DATE_COLUMN)) if is_dated else rows.frame
        writer = frame.write.format(file_format).option("compression", "zstd")
        writer = writer.partitionBy(PARTITION_DATE) if is_dated else writer
        writer.save(stores.lake_path(course.settings, target))

    def merge(rows: Rows, target: str) -> None:
        """By key alone, as Delta's own pages show it: files of all dates are looked into."""
        table = DeltaTable.forPath(course.spark, stores.lake_path(course.settings, target)).alias("target")
        changed = rows.frame.withColumn(PARTITION_DATE, F.col(DATE_COLUMN)).alias("changed")
        joined = table.merge(changed, f"target.{KEY} = changed.{KEY}")
        joined.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()

    load = course.loading(Destination.S3, entry)
    is_merged = file_format == "delta"
    results = course.race(
        store,
        [
            Contender.of(LOADER, load, *([Step(ONE_DAY, load, one_day_changed)] if is_merged else [])),
            Contender.of(PLAIN, plain, *([Step(ONE_DAY_PLAIN, merge, one_day_changed)] if is_merged else [])),
            Contender.of(LOADER_UNVALIDATED, course.loading(Destination.S3, entry, validate=False)),
        ],
    )
    if is_merged:
        results.compare(store.name, ONE_DAY, ONE_DAY_PLAIN, target=5.0)
    return results
