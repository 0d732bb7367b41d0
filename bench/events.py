"""The rows that are raced: events of 8 columns, about 160 bytes each, the same ones every time."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from etl.load.base import LoadFacts
from etl.load.frames import checksums_of, columns_of
from etl.model import POSTGRESQL_TYPE, Checksums
from etl.spark.local_frame import HeldFrame

KEY, DATE_COLUMN = "event_id", "event_date"
DAYS = 30
PARTITIONS = 4

POSTGRESQL_TYPES = {
    "event_id": "uuid",
    "user_id": "bigint",
    "event_type": "text",
    "created_at": "timestamp with time zone",
    "event_date": "date",
    "payload": "jsonb",
    "amount": "numeric(12,2)",
    "is_mobile": "boolean",
}

# Every partition holds every day, and keys come in no order: the harder case for all who write.
_INSTANT = f"timestamp_seconds(1767225600 + id % {DAYS} * 86400 + xxhash64(id) % 43200 + 43200)"
_EXPRESSIONS = {
    "event_id": "regexp_replace(md5(cast(id AS string)), '^(.{8})(.{4})(.{4})(.{4})', '$1-$2-$3-$4-')",
    "user_id": "pmod(xxhash64(id, 1), 200000)",
    "event_type": "element_at(array('page_view', 'click', 'scroll', 'share', 'comment'), cast(id % 5 AS int) + 1)",
    "created_at": _INSTANT,
    "event_date": f"cast({_INSTANT} AS date)",
    "payload": 'format_string(\'{"path": "/articles/%05d", "source": "search", "dwell": %d}\', id % 99991, id % 7919)',
    "amount": "cast(pmod(xxhash64(id, 2), 10000000) / 100.0 AS decimal(12,2))",
    "is_mobile": "id % 3 = 0",
}
_MORE = "cast(amount + 1 AS decimal(12,2))"


@dataclass(frozen=True)
class Rows:
    """A materialised frame and what the pipeline would know of it by then."""

    frame: DataFrame
    count: int
    checksums: Checksums

    def facts(self, *, validate: bool) -> LoadFacts:
        return LoadFacts(self.count, self.checksums if validate else None)


def events(spark: SparkSession, rows: int, partitions: int = PARTITIONS) -> DataFrame:
    """Deterministic; the PostgreSQL types ride in the metadata, as extraction would leave them."""
    made = spark.range(0, rows, 1, partitions).selectExpr(*(f"{sql} AS {name}" for name, sql in _EXPRESSIONS.items()))
    return made.select(*(F.col(n).alias(n, metadata={POSTGRESQL_TYPE: kind}) for n, kind in POSTGRESQL_TYPES.items()))


def every_row_changed(rows: Rows) -> Rows:
    """The same keys and days with other content."""
    return summarised(rows.frame.withColumn("amount", F.expr(_MORE)))


def one_day_changed(rows: Rows) -> Rows:
    """The rows of the first day alone, with other content."""
    first = rows.frame.agg(F.min(DATE_COLUMN)).collect()[0][0]
    return materialised(rows.frame.where(F.col(DATE_COLUMN) == F.lit(first)).withColumn("amount", F.expr(_MORE)))


def one_row_changed(rows: Rows) -> Rows:
    first = rows.frame.agg(F.min(KEY)).collect()[0][0]
    amount = F.when(F.col(KEY) == first, F.expr(_MORE)).otherwise(F.col("amount"))
    return materialised(rows.frame.withColumn("amount", amount))


def materialised(frame: DataFrame) -> Rows:
    """Persisted and counted once, as the pipeline does before it loads; unpersist `frame` when done."""
    return summarised(frame.persist())


def held(rows: Rows) -> Rows:
    """In the driver's memory, as the pipeline holds few rows."""
    return replace(rows, frame=HeldFrame(rows.frame.sparkSession, rows.frame.toArrow(), rows.frame.schema))


def summarised(frame: DataFrame) -> Rows:
    """What is known of the frame is computed here, so that no write has to."""
    checksums = checksums_of(frame, columns_of(frame))
    return Rows(frame, checksums.rows, checksums)
