"""A table's transformed rows, computed once for all stores: kept by Spark, or, where few, held by the driver."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StringType, StructField, StructType

from etl.ledger.values import Reject
from etl.load.arrow_checksums import checksums_of_rows
from etl.load.frames import columns_of_fields
from etl.model import TRANSACTION, WATERMARK, Destination, Digest
from etl.pipeline.tables.tally import Tally, tally
from etl.spark.local_frame import DRIVER_BYTES, HeldFrame
from etl.statements.quoting import spark_literal
from etl.transform.apart import taken_from, taken_from_held
from etl.transform.outcome import OUTCOME, TRIMMED, Apart, Outcome, Transformed, hidden_of, open_fields
from etl.transform.untouched import Untouched

_PART = "_etl_part_"


@dataclass(frozen=True)
class Part:
    """The rows that a destination takes where others take more: those after a mark, and those of the transactions from
    `first_unseen` on."""

    mark: str
    first_unseen: int | None = None


class Materialised(ABC):
    """Of a `part` of the rows that were read; None means all of them."""

    @abstractmethod
    def apart_for(self, destination: Destination) -> Apart | None:
        """None where the destination takes these rows as the others do, whatever they hold."""

    @abstractmethod
    def taken_by(self, apart: Apart) -> Materialised:
        """These rows as one destination takes them."""

    @abstractmethod
    def iterate_refused(self, part: Part | None, apart: Apart) -> Iterator[Reject]:
        """Of a part, the rows that all destinations take but one."""

    @abstractmethod
    def tagged(self, part: Part | None) -> DataFrame:
        """The rows of a part, with their outcomes."""

    @abstractmethod
    def tally(self, part: Part | None) -> Tally: ...

    @abstractmethod
    def good(self, part: Part | None) -> DataFrame:
        """The rows to load."""

    @abstractmethod
    def deleted(self, part: Part | None, names: Sequence[str]) -> DataFrame:
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

    def apart_for(self, destination: Destination) -> Apart | None:
        return self.transformed.apart.get(destination)

    def taken_by(self, apart: Apart) -> KeptBySpark:
        taken = taken_from(self.transformed.tagged, apart)
        return replace(self, transformed=replace(self.transformed, tagged=taken, apart={}))

    def iterate_refused(self, part: Part | None, apart: Apart) -> Iterator[Reject]:
        return self.transformed.with_tagged(self.tagged(part)).iterate_refused(apart)

    def tagged(self, part: Part | None) -> DataFrame:
        whole = self.transformed.tagged
        return whole if part is None else whole.where(_is_in(whole, part))

    def tally(self, part: Part | None) -> Tally:
        columns = columns_of_fields(self.transformed.fields)
        return tally(self.tagged(part), columns, self.digests, self.transformed.hidden)

    def good(self, part: Part | None) -> DataFrame:
        return self.transformed.with_tagged(self.tagged(part)).good

    def deleted(self, part: Part | None, names: Sequence[str]) -> DataFrame:
        return self.transformed.with_tagged(self.tagged(part)).deleted(names)

    def iterate_rejects(self, size: int) -> Iterator[Reject]:
        # a partition of them comes to the driver at a time
        parts = -(-size // DRIVER_BYTES)
        tagged = self.transformed.tagged
        whole = self.transformed.with_tagged(tagged.repartition(parts)) if parts > 1 else self.transformed
        return whole.iterate_rejects()


@dataclass(frozen=True)
class HeldByDriver(Materialised):
    """`rows` are tagged as `schema` says, with a column for each of the `parts` that tells which of them it has. What
    is counted, summed and cut is so by Arrow."""

    spark: SparkSession
    rows: pa.Table
    schema: StructType
    fields: tuple[StructField, ...]
    parts: Sequence[Part | None]
    digests: Collection[Digest] | None
    apart: Mapping[Destination, Apart] = field(default_factory=dict)

    @classmethod
    def of(
        cls, transformed: Transformed, parts: Sequence[Part | None], digests: Collection[Digest] | None
    ) -> HeldByDriver:
        """One Spark job computes the rows."""
        tagged = transformed.tagged
        has = [f"{_is_in(tagged, part)} AS {_PART}{at}" for at, part in enumerate(parts) if part is not None]
        rows = (tagged.selectExpr("*", *has) if has else tagged).toArrow()
        return cls(tagged.sparkSession, rows, tagged.schema, transformed.fields, parts, digests, transformed.apart)

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

    def apart_for(self, destination: Destination) -> Apart | None:
        return self.apart.get(destination)

    def taken_by(self, apart: Apart) -> HeldByDriver:
        return replace(self, rows=taken_from_held(self.rows, apart), apart={})

    def iterate_refused(self, part: Part | None, apart: Apart) -> Iterator[Reject]:
        return Transformed(self.tagged(part), self.fields).iterate_refused(apart)

    def tagged(self, part: Part | None) -> DataFrame:
        return HeldFrame(self.spark, self._part(part).select(self.schema.names), self.schema)

    def tally(self, part: Part | None) -> Tally:
        rows, names = self._part(part), self.schema.names
        found = {Outcome(outcome): _of_outcome(rows, outcome) for outcome in pc.unique(rows[OUTCOME]).to_pylist()}
        sizes = {outcome: _bytes(each.select(names)) for outcome, each in found.items()}
        good = found.get(Outcome.GOOD, rows.slice(0, 0))
        trimmed = int(pc.sum(good[TRIMMED]).as_py() or 0) if TRIMMED in names else 0
        checksums = None
        if self.digests is not None:
            checksums = checksums_of_rows(good, columns_of_fields(self.fields), self.digests)
        apart = {name: good.num_rows - good[name].null_count for name in hidden_of(self.apart)}
        return Tally({outcome: each.num_rows for outcome, each in found.items()}, checksums, trimmed, sizes, apart)

    def good(self, part: Part | None) -> DataFrame:
        schema = StructType(list(self.fields))
        rows = _of_outcome(self._part(part), Outcome.GOOD).select(schema.names)
        return HeldFrame(self.spark, rows.cast(to_arrow_schema(schema, timezone="UTC")), schema)

    def deleted(self, part: Part | None, names: Sequence[str]) -> DataFrame:
        schema = open_fields(self.fields, names)
        rows = _of_outcome(self._part(part), Outcome.DELETED).select(schema.names)
        return HeldFrame(self.spark, rows.cast(to_arrow_schema(schema, timezone="UTC")), schema)

    def iterate_rejects(self, size: int) -> Iterator[Reject]:
        return Transformed(self.tagged(None), self.fields).iterate_rejects()

    def _part(self, part: Part | None) -> pa.Table:
        return self.rows if part is None else self.rows.filter(self.rows[f"{_PART}{self.parts.index(part)}"])


def _is_in(tagged: DataFrame, part: Part) -> str:
    """Rows without a watermark belong to every window: no mark will ever reach them."""
    kind = tagged.schema[WATERMARK].dataType.simpleString()
    after = f"{WATERMARK} IS NULL OR {WATERMARK} > cast({spark_literal(part.mark)} AS {kind})"
    return after if part.first_unseen is None else f"{after} OR {TRANSACTION} >= {part.first_unseen}"


def _of_outcome(rows: pa.Table, outcome: str) -> pa.Table:
    return rows.filter(pc.equal(rows[OUTCOME], str(outcome)))


def _bytes(rows: pa.Table) -> int:
    """Of what has no fixed size: texts and bytes, nested values."""
    return sum(each.nbytes for each in rows.columns if not _is_fixed(each.type))


def _is_fixed(kind: pa.DataType) -> bool:
    return bool(pa.types.is_primitive(kind) or pa.types.is_decimal(kind))
