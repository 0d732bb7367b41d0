"""What of an incoming frame already stands in the target, by key: set-based, and reading no more than it must."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.load.s3.comparison import NOTHING_STANDS, Comparison, Day, Extent, Standing
from etl.load.s3.frames import column, comparable, row_digest
from etl.model import DELETED_AT, PARTITION_DATE
from etl.spark.executors import replicated

_EQUAL = "_etl_equal"
_STORED_DATE = "_etl_stored_date"


class SparkComparison(Comparison[DataFrame]):
    """Frames of any size, compared by Spark's tasks."""

    def find_standing(
        self,
        frame: DataFrame,
        stored: DataFrame,
        config: S3TableLoadConfig,
        dates: frozenset[date],
        extent: Extent,
    ) -> Standing:
        """Where the day is a function of the key only these days are read. Elsewhere a key may stand on any day: of a
        table that is not small, its columns alone are read first, then whole rows from the days where any was found.
        """
        pruned = stored
        if config.partition_by:
            if config.date_column in config.key:
                pruned = self.on_days(stored, dates)
            elif not extent.is_small:
                found = self.days_of_keys(frame, stored, config)
                if not found:
                    return NOTHING_STANDS
                pruned = self.on_days(stored, found)
        if extent.fits_one_task:
            frame, pruned = frame.coalesce(1).hint("shuffle_hash"), pruned.coalesce(1)
        # cut off from the target: a cache would be computed anew, and differently, once a commit changes the table
        keys = _held(_compare(frame, pruned, config))
        counts = (
            (keys.coalesce(1) if extent.is_small else keys)
            .agg(
                F.count_if(column(_EQUAL)).alias("equal"),
                F.count_if(~column(_EQUAL)).alias("differing"),
                F.collect_set(F.when(~column(_EQUAL), column(_STORED_DATE))).alias("dates"),
                (F.count(F.lit(1)) - F.count_distinct(F.struct(*map(column, config.key)))).alias("doubled"),
            )
            .head()
        )
        assert counts is not None  # noqa: S101 - an aggregate without groups has one row
        dates_of_differing = frozenset(counts["dates"])
        return Standing(
            keys, counts["equal"], counts["differing"], dates_of_differing, extent.is_small, counts["doubled"]
        )

    def differing_keys(self, standing: Standing, config: S3TableLoadConfig, most: int) -> list[str]:
        keys = F.to_json(F.struct(*[column(name) for name in config.key])).alias("key")
        found = standing.keys.where(~column(_EQUAL)).select(keys).limit(most).collect()
        return [str(row["key"]) for row in found]

    def without_equal(self, frame: DataFrame, standing: Standing, config: S3TableLoadConfig) -> DataFrame:
        if standing.keys is None or not standing.equal:
            return frame
        return _unmatched(frame, standing.keys.where(column(_EQUAL)), standing, config)

    def without_standing(self, frame: DataFrame, standing: Standing, config: S3TableLoadConfig) -> DataFrame:
        if standing.keys is None or not standing.matched:
            return frame
        return _unmatched(frame, standing.keys, standing, config)

    def on_days(self, rows: DataFrame, days: Iterable[date]) -> DataFrame:
        return rows.where(column(PARTITION_DATE).isin(sorted(days)))

    def off_days(self, rows: DataFrame, days: Iterable[date]) -> DataFrame:
        return rows.where(~column(PARTITION_DATE).isin(sorted(days)))

    def days_of_keys(self, frame: DataFrame, stored: DataFrame, config: S3TableLoadConfig) -> frozenset[date]:
        """Reads the stored keys alone."""
        keys = [column(name) for name in config.key]
        incoming = frame.select(*keys).alias("incoming")
        standing = stored.select(*keys, column(PARTITION_DATE)).alias("stored")
        found = (
            standing.join(incoming, key_condition(config, "incoming", "stored"), "left_semi")
            .agg(F.collect_set(column(PARTITION_DATE)).alias("dates"))
            .head()
        )
        return frozenset(found["dates"]) if found else frozenset()

    def without_keys(self, rows: DataFrame, keys: DataFrame, config: S3TableLoadConfig) -> DataFrame:
        return _without_keys(rows, keys, config)

    def with_keys(self, rows: DataFrame, keys: DataFrame, config: S3TableLoadConfig) -> DataFrame:
        return _by_keys(rows, keys, config, "left_semi")

    def held(self, rows: DataFrame) -> DataFrame:
        return _held(rows)

    def count(self, rows: DataFrame) -> int:
        return rows.count()

    def joined(self, rows: DataFrame, more: DataFrame) -> DataFrame:
        return rows.unionByName(more, allowMissingColumns=True)

    def days_of(self, rows: DataFrame) -> frozenset[date | None]:
        return frozenset(row[0] for row in rows.select(column(PARTITION_DATE)).distinct().collect())

    def unmarked(self, rows: DataFrame) -> DataFrame:
        return rows.where(column(DELETED_AT).isNull()) if DELETED_AT in rows.columns else rows

    def marked(self, rows: DataFrame, schema: StructType, since: datetime) -> DataFrame:
        def value(field: StructField) -> Column:
            if field.name == DELETED_AT:
                return F.lit(since).cast(field.dataType).alias(DELETED_AT)
            if field.name in rows.columns:
                return column(field.name)
            return F.lit(None).cast(field.dataType).alias(field.name)

        return rows.select(*map(value, schema.fields))

    def contents_by_day(self, rows: DataFrame) -> dict[date, Day]:
        ordered = rows.select(*[column(name) for name in sorted(rows.columns)])
        high, low = row_digest(ordered.schema)
        found = (
            ordered.groupBy(column(PARTITION_DATE))
            .agg(F.count(F.lit(1)).alias("rows"), F.sum(high).alias("high"), F.sum(low).alias("low"))
            .collect()
        )
        return {row[PARTITION_DATE]: Day(row["rows"], (row["high"], row["low"])) for row in found}


def rows_are_equal(frame: DataFrame, stored: DataFrame, incoming_alias: str, stored_alias: str) -> Column:
    """The same in every bit. NULL equals NULL; a column that the target lacks equals its NULL."""
    stored_kinds = {field.name: field.dataType for field in stored.schema.fields}
    terms: list[Column] = []
    for field in frame.schema.fields:
        if field.name not in stored_kinds:
            terms.append(column(field.name, incoming_alias).isNull())
            continue
        ours = comparable(field.name, field.dataType, incoming_alias)
        theirs = comparable(field.name, stored_kinds[field.name], stored_alias)
        terms += [one.eqNullSafe(other) for one, other in zip(ours, theirs, strict=True)]
    return _all_of(terms)


def _all_of(terms: Sequence[Column]) -> Column:
    """As a balanced tree: Spark walks expressions by recursion, and a chain of 900 terms overflows its stack."""
    if len(terms) == 1:
        return terms[0]
    middle = len(terms) // 2
    return _all_of(terms[:middle]) & _all_of(terms[middle:])


def key_condition(config: S3TableLoadConfig, incoming_alias: str, stored_alias: str) -> Column:
    pairs = [(column(name, incoming_alias), column(name, stored_alias)) for name in config.key]
    return _all_of([one.eqNullSafe(two) if config.null_safe_key else one == two for one, two in pairs])


def _compare(frame: DataFrame, stored: DataFrame, config: S3TableLoadConfig) -> DataFrame:
    stored_date = column(PARTITION_DATE, "stored") if config.partition_by else F.lit(None).cast("date")
    return (
        frame.alias("incoming")
        .join(stored.alias("stored"), key_condition(config, "incoming", "stored"))
        .select(
            *[column(name, "incoming").alias(name) for name in config.key],
            rows_are_equal(frame, stored, "incoming", "stored").alias(_EQUAL),
            stored_date.alias(_STORED_DATE),
        )
    )


def _unmatched(frame: DataFrame, keys: DataFrame, standing: Standing, config: S3TableLoadConfig) -> DataFrame:
    unmatched = _without_keys(frame, keys.hint("broadcast") if standing.is_small else keys, config)
    # it is written and checked, and by a merge read twice: few rows are cheaper held than found again
    return _held(unmatched).coalesce(1) if standing.is_small else unmatched


def _held(frame: DataFrame) -> DataFrame:
    level = replicated(frame.sparkSession, StorageLevel.MEMORY_AND_DISK_DESER)
    return frame.localCheckpoint(eager=False, storageLevel=level)


def _without_keys(frame: DataFrame, keys: DataFrame, config: S3TableLoadConfig) -> DataFrame:
    """The rows of `frame` whose key is not among `keys`."""
    return _by_keys(frame, keys, config, "left_anti")


def _by_keys(frame: DataFrame, keys: DataFrame, config: S3TableLoadConfig, kind: str) -> DataFrame:
    return frame.alias("incoming").join(
        keys.select(*[column(name) for name in config.key]).alias("stored"),
        key_condition(config, "incoming", "stored"),
        kind,
    )
