"""A table's transformed rows, computed once for all stores: kept by Spark, or, where few, held by the driver."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StringType, StructField, StructType

from etl.ledger.values import Reject
from etl.load.arrow_checksums import checksums_of_rows
from etl.load.frames import columns_of_fields
from etl.model import WATERMARK, Digest
from etl.pipeline.tables.tally import Tally, tally
from etl.spark.local_frame import DRIVER_BYTES, HeldFrame
from etl.statements.quoting import spark_literal
from etl.transform.outcome import OUTCOME, TRIMMED, Outcome, Transformed, open_fields
from etl.transform.untouched import Untouched

_PART = "_etl_part_"


class Materialised(ABC):
    """A mark is one after which a destination takes rows: it has a part of the table, None means the whole of it."""

    @abstractmethod
    def tagged(self, mark: str | None) -> DataFrame:
        """The rows of a part, with their outcomes."""

    @abstractmethod
    def tally(self, mark: str | None) -> Tally: ...

    @abstractmethod
    def good(self, mark: str | None) -> DataFrame:
        """The rows to load."""

    @abstractmethod
    def deleted(self, mark: str | None, names: Sequence[str]) -> DataFrame:
        """The keys (`names`) of the rows that the source calls deleted."""

    @abstractmethod
    def iterate_rejects(self, size: int) -> Iterator[Reject]:
        """Of the whole table; `size` are their bytes, about."""


@dataclass(frozen=True)
class KeptBySpark(Materialised):
    """`transformed` holds a persisted frame, which the first tally computes. `digests` are those that checksums need,
    None where no checksums are wanted; so they are in what the driver holds."""

    transformed: Transformed
    digests: Collection[Digest] | None

    def tagged(self, mark: str | None) -> DataFrame:
        whole = self.transformed.tagged
        return whole if mark is None else whole.where(_is_after(whole, mark))

    def tally(self, mark: str | None) -> Tally:
        return tally(self.tagged(mark), columns_of_fields(self.transformed.fields), self.digests)

    def good(self, mark: str | None) -> DataFrame:
        return self.transformed.with_tagged(self.tagged(mark)).good

    def deleted(self, mark: str | None, names: Sequence[str]) -> DataFrame:
        return self.transformed.with_tagged(self.tagged(mark)).deleted(names)

    def iterate_rejects(self, size: int) -> Iterator[Reject]:
        # a partition of them comes to the driver at a time
        parts = -(-size // DRIVER_BYTES)
        tagged = self.transformed.tagged
        whole = self.transformed.with_tagged(tagged.repartition(parts)) if parts > 1 else self.transformed
        return whole.iterate_rejects()


@dataclass(frozen=True)
class HeldByDriver(Materialised):
    """`rows` are tagged as `schema` says, with a column for each of the `marks` that tells which of them are after it.
    What is counted, summed and cut is so by Arrow."""

    spark: SparkSession
    rows: pa.Table
    schema: StructType
    fields: tuple[StructField, ...]
    marks: Sequence[str | None]
    digests: Collection[Digest] | None

    @classmethod
    def of(
        cls, transformed: Transformed, marks: Sequence[str | None], digests: Collection[Digest] | None
    ) -> HeldByDriver:
        """One Spark job computes the rows."""
        tagged = transformed.tagged
        parts = [f"{_is_after(tagged, mark)} AS {_PART}{at}" for at, mark in enumerate(marks) if mark is not None]
        rows = (tagged.selectExpr("*", *parts) if parts else tagged).toArrow()
        return cls(tagged.sparkSession, rows, tagged.schema, transformed.fields, marks, digests)

    @classmethod
    def as_they_came(
        cls, spark: SparkSession, untouched: Untouched, digests: Collection[Digest] | None
    ) -> HeldByDriver:
        """All of them good, and every destination's."""
        fields = untouched.fields
        good = pa.repeat(pa.scalar(str(Outcome.GOOD)), untouched.rows.num_rows)
        rows = untouched.rows.select([field.name for field in fields]).append_column(OUTCOME, good)
        schema = StructType([*fields, StructField(OUTCOME, StringType())])
        return cls(spark, rows, schema, fields, [None], digests)

    def tagged(self, mark: str | None) -> DataFrame:
        return HeldFrame(self.spark, self._part(mark).select(self.schema.names), self.schema)

    def tally(self, mark: str | None) -> Tally:
        part, names = self._part(mark), self.schema.names
        found = {Outcome(outcome): _of_outcome(part, outcome) for outcome in pc.unique(part[OUTCOME]).to_pylist()}
        sizes = {outcome: _bytes(rows.select(names)) for outcome, rows in found.items()}
        good = found.get(Outcome.GOOD, part.slice(0, 0))
        trimmed = int(pc.sum(good[TRIMMED]).as_py() or 0) if TRIMMED in names else 0
        checksums = None
        if self.digests is not None:
            checksums = checksums_of_rows(good, columns_of_fields(self.fields), self.digests)
        return Tally({outcome: rows.num_rows for outcome, rows in found.items()}, checksums, trimmed, sizes)

    def good(self, mark: str | None) -> DataFrame:
        schema = StructType(list(self.fields))
        rows = _of_outcome(self._part(mark), Outcome.GOOD).select(schema.names)
        return HeldFrame(self.spark, rows.cast(to_arrow_schema(schema, timezone="UTC")), schema)

    def deleted(self, mark: str | None, names: Sequence[str]) -> DataFrame:
        schema = open_fields(self.fields, names)
        rows = _of_outcome(self._part(mark), Outcome.DELETED).select(schema.names)
        return HeldFrame(self.spark, rows.cast(to_arrow_schema(schema, timezone="UTC")), schema)

    def iterate_rejects(self, size: int) -> Iterator[Reject]:
        return Transformed(self.tagged(None), self.fields).iterate_rejects()

    def _part(self, mark: str | None) -> pa.Table:
        return self.rows if mark is None else self.rows.filter(self.rows[f"{_PART}{self.marks.index(mark)}"])


def _is_after(tagged: DataFrame, mark: str) -> str:
    """Rows without a watermark belong to every window: no mark will ever reach them."""
    kind = tagged.schema[WATERMARK].dataType.simpleString()
    return f"{WATERMARK} IS NULL OR {WATERMARK} > cast({spark_literal(mark)} AS {kind})"


def _of_outcome(rows: pa.Table, outcome: str) -> pa.Table:
    return rows.filter(pc.equal(rows[OUTCOME], str(outcome)))


def _bytes(rows: pa.Table) -> int:
    """Of what has no fixed size: texts and bytes, nested values."""
    return sum(each.nbytes for each in rows.columns if not _is_fixed(each.type))


def _is_fixed(kind: pa.DataType) -> bool:
    return bool(pa.types.is_primitive(kind) or pa.types.is_decimal(kind))
