"""What a frame's schema says, as the statements room understands it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructField

from etl.ledger.values import Reject
from etl.load.base import LoadFacts
from etl.model import POSTGRESQL_TYPE, Checksums, Column, Digest
from etl.spark.local_frame import held_rows
from etl.statements.checksum import ALL_DIGESTS, spark_checksum_sums, spark_checksum_terms
from etl.statements.quoting import spark_identifier
from etl.statements.spark_values import JSON_OPTIONS
from etl.statements.types import column_of


def columns_of(df: DataFrame) -> tuple[Column, ...]:
    """The frame's columns in order; a column's PostgreSQL type rides along in its metadata."""
    return columns_of_fields(df.schema.fields)


def columns_of_fields(fields: Iterable[StructField]) -> tuple[Column, ...]:
    return tuple(
        column_of(
            field.name,
            field.dataType.simpleString(),
            field.metadata.get(POSTGRESQL_TYPE) if field.metadata else None,
            field.nullable,
        )
        for field in fields
    )


@dataclass(frozen=True)
class Misfits:
    """Of each row the rule that it breaks and the reason, both NULL for rows that fit."""

    rule: SparkColumn
    reason: SparkColumn

    @classmethod
    def of(cls, tests: Sequence[tuple[SparkColumn, str, str]]) -> Misfits:
        """The first test that a row fails gives its rule and reason."""
        rules = [F.when(is_misfit, F.lit(rule)) for is_misfit, rule, _ in tests]
        reasons = [F.when(is_misfit, F.lit(reason)) for is_misfit, _, reason in tests]
        return cls(F.coalesce(*rules), F.coalesce(*reasons))

    def among(self, frame: DataFrame) -> DataFrame:
        return frame.where(self.rule.isNotNull())


def rows_for_driver(frame: DataFrame, facts: LoadFacts | None, most_rows: int) -> pa.Table | None:
    """The rows that the driver loads by itself: those that it holds, or as few as it may bring to itself."""
    if (held := held_rows(frame)) is not None:
        return held
    return frame.toArrow() if facts is not None and facts.fit_driver(most_rows) else None


def checksums_of(frame: DataFrame, columns: Sequence[Column], digests: Collection[Digest] = ALL_DIGESTS) -> Checksums:
    """What the frame amounts to, in one Spark aggregation; `digests` are those that somebody will compare."""
    sums = spark_checksum_sums(columns, digests)
    terms = frame.selectExpr(*spark_checksum_terms(columns, digests))
    # positions, not names: a column may be called `rows`
    found = terms.agg(F.count(F.lit(1)), *[F.expr(text) for text in sums.values()]).collect()[0]
    return Checksums(found[0], dict(zip(sums, found[1:], strict=True)))


def iterate_rejects(
    frame: DataFrame, rule: SparkColumn, reason: SparkColumn, left_out: str | None = None
) -> Iterator[Reject]:
    """The frame's rows as the ledger keeps them, whole but for the column that a loader has added (`left_out`);
    a partition at a time, so that many do not fill the driver.
    """
    whole = F.struct(*[F.col(spark_identifier(name)) for name in frame.columns if name != left_out])
    for found in frame.select(rule, reason, F.to_json(whole, JSON_OPTIONS)).toLocalIterator():
        yield Reject(*found)
