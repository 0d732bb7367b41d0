"""A table's transformed rows, computed once for all stores: kept by Spark, or, where few, brought to the driver."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from etl.ledger.values import Reject
from etl.load.arrow_checksums import checksums_of_rows
from etl.load.base import Brought
from etl.load.frames import columns_of_fields
from etl.model import WATERMARK, Digest
from etl.pipeline.tables.tally import Tally, tally
from etl.spark.local_frame import DRIVER_BYTES, local_frame
from etl.statements.quoting import spark_literal
from etl.transform.outcome import OUTCOME, TRIMMED, Outcome, Transformed

_PART = "_etl_part_"


@dataclass(frozen=True)
class Materialised(ABC):
    """`marks` are those after which destinations take rows: each is a part of the table, None the whole of it.
    `digests` are those that checksums need, None where no checksums are wanted."""

    transformed: Transformed
    marks: Sequence[str | None]
    digests: Collection[Digest] | None

    @abstractmethod
    def tagged(self, mark: str | None) -> DataFrame:
        """The rows of a part, with their outcomes."""

    @abstractmethod
    def tally(self, mark: str | None) -> Tally: ...

    @abstractmethod
    def good(self, mark: str | None) -> tuple[DataFrame, Brought | None]:
        """The rows to load."""

    @abstractmethod
    def iterate_rejects(self, size: int) -> Iterator[Reject]:
        """Of the whole table; `size` are their bytes, about."""

    def _is_after(self, mark: str) -> str:
        """Rows without a watermark belong to every window: no mark will ever reach them."""
        kind = self.transformed.tagged.schema[WATERMARK].dataType.simpleString()
        return f"{WATERMARK} IS NULL OR {WATERMARK} > cast({spark_literal(mark)} AS {kind})"


@dataclass(frozen=True)
class KeptBySpark(Materialised):
    """`transformed` holds a persisted frame, which the first tally computes."""

    def tagged(self, mark: str | None) -> DataFrame:
        whole = self.transformed.tagged
        return whole if mark is None else whole.where(self._is_after(mark))

    def tally(self, mark: str | None) -> Tally:
        return tally(self.tagged(mark), columns_of_fields(self.transformed.fields), self.digests)

    def good(self, mark: str | None) -> tuple[DataFrame, Brought | None]:
        return self.transformed.with_tagged(self.tagged(mark)).good, None

    def iterate_rejects(self, size: int) -> Iterator[Reject]:
        # a partition of them comes to the driver at a time
        parts = -(-size // DRIVER_BYTES)
        tagged = self.transformed.tagged
        whole = self.transformed.with_tagged(tagged.repartition(parts)) if parts > 1 else self.transformed
        return whole.iterate_rejects()


@dataclass(frozen=True)
class BroughtToDriver(Materialised):
    """One Spark job computes the rows and what the loaders ask for beside them; the rest is Arrow's.

    `beside` is what each loader wants to know of a row, in Spark SQL.
    """

    beside: Mapping[str, str] = field(default_factory=dict)

    def tagged(self, mark: str | None) -> DataFrame:
        rows = self._part(mark).select(self.transformed.tagged.columns)
        return local_frame(self.transformed.tagged.sparkSession, rows, self.transformed.tagged.schema)

    def tally(self, mark: str | None) -> Tally:
        part = self._part(mark)
        found = {Outcome(outcome): _of_outcome(part, outcome) for outcome in pc.unique(part[OUTCOME]).to_pylist()}
        counts = {outcome: rows.num_rows for outcome, rows in found.items()}
        names = self.transformed.tagged.columns
        sizes = {outcome: _bytes(rows.select(names)) for outcome, rows in found.items()}
        good = found.get(Outcome.GOOD, part.slice(0, 0))
        trimmed = _sum(good, TRIMMED) if TRIMMED in names else 0
        checksums = None
        if self.digests is not None:
            checksums = checksums_of_rows(good, columns_of_fields(self.transformed.fields), self.digests)
        return Tally(counts, checksums, trimmed, sizes)

    def good(self, mark: str | None) -> tuple[DataFrame, Brought | None]:
        part = _of_outcome(self._part(mark), Outcome.GOOD)
        schema = StructType(list(self.transformed.fields))
        rows = part.select(schema.names).cast(to_arrow_schema(schema, timezone="UTC"))
        frame = local_frame(self.transformed.tagged.sparkSession, rows, schema)
        return frame, Brought(frame, rows, part.select(list(self.beside)))

    def iterate_rejects(self, size: int) -> Iterator[Reject]:
        return self.transformed.with_tagged(self.tagged(None)).iterate_rejects()

    @cached_property
    def _rows(self) -> pa.Table:
        """Everything that is known of each row, by its name."""
        tagged = self.transformed.tagged
        parts = [f"{self._is_after(mark)} AS {_PART}{at}" for at, mark in enumerate(self.marks) if mark is not None]
        beside = [f"{value} AS {name}" for name, value in self.beside.items()]
        return tagged.selectExpr("*", *parts, *beside).toArrow()

    def _part(self, mark: str | None) -> pa.Table:
        return self._rows if mark is None else self._rows.filter(self._rows[f"{_PART}{self.marks.index(mark)}"])


def _of_outcome(rows: pa.Table, outcome: str) -> pa.Table:
    return rows.filter(pc.equal(rows[OUTCOME], str(outcome)))


def _sum(rows: pa.Table, name: str) -> int:
    return int(pc.sum(rows[name]).as_py() or 0)


def _bytes(rows: pa.Table) -> int:
    """Of what has no fixed size: texts and bytes, nested values."""
    sized = [each for each in rows.columns if pa.types.is_nested(each.type) or not _is_fixed(each.type)]
    return sum(each.nbytes for each in sized)


def _is_fixed(kind: pa.DataType) -> bool:
    return bool(pa.types.is_primitive(kind) or pa.types.is_decimal(kind))
