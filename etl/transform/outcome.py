"""What a transformer gives back: every source row once, tagged with its outcome."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    DataType,
    DateType,
    DecimalType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from etl.ledger.values import Reject
from etl.model import POSTGRESQL_TYPE, Destination, OutOfRange
from etl.statements.quoting import spark_identifier

OUTCOME = "_etl_outcome"
RULE = "_etl_rule"
REASON = "_etl_reason"
ROW = "_etl_row"
TRIMMED = "_etl_trimmed"
DELETED = "_etl_is_deleted"
"""Of a frame on its way: whether the source calls the row deleted."""


class Outcome(StrEnum):
    GOOD = "good"
    REJECTED = "rejected"
    DEDUPLICATED = "deduplicated"
    FILTERED = "filtered"
    DELETED = "deleted"  # at the source, as the entry's `deleted_when` says
    NULL_KEY = "null_key"
    DUPLICATE_KEY = "duplicate_key"


@dataclass(frozen=True)
class Altered:
    """A column of which one store gets other values: where `hidden` is not NULL, NULL (`set_null`) or what stands there
    (`clamp`)."""

    column: str
    word: OutOfRange
    hidden: str


@dataclass(frozen=True)
class Apart:
    """What one store alone refuses, or gets altered. `refused` is a hidden column, an array of rule and reason, NULL in
    rows that the store takes."""

    refused: str | None
    altered: tuple[Altered, ...]
    refusing: tuple[str, ...] = ()
    """The columns for whose values it refuses a row."""

    @property
    def hidden(self) -> list[str]:
        return [*([self.refused] if self.refused else []), *(each.hidden for each in self.altered)]


def hidden_of(apart: Mapping[Destination, Apart]) -> list[str]:
    return [name for each in apart.values() for name in each.hidden]


@dataclass(frozen=True)
class Transformed:
    """`tagged` holds the real columns, OUTCOME, RULE, REASON, ROW (JSON, masked; all three NULL for good rows) and,
    where the extraction brought them, WATERMARK and TRANSACTION, and where text is trimmed, TRIMMED: whether this row's
    was. `fields` are the real columns as every store is to get them. `apart` are the stores that take some rows
    otherwise (apart.py): by the hidden columns that it names.

    Nothing is computed until asked for: persist `tagged` once and go on with `with_tagged(persisted)`.
    """

    tagged: DataFrame
    fields: tuple[StructField, ...]
    apart: Mapping[Destination, Apart] = field(default_factory=dict)

    @property
    def good(self) -> DataFrame:
        """Real columns only, with names, metadata and nullability as in `fields`."""
        return self.select_fields(self.having(Outcome.GOOD))

    @property
    def rejects(self) -> DataFrame:
        return self.having(Outcome.REJECTED).select(RULE, REASON, ROW)

    @property
    def deduplicated(self) -> DataFrame:
        return self.having(Outcome.DEDUPLICATED).select(RULE, REASON, ROW)

    @property
    def hidden(self) -> list[str]:
        """The columns that set rows apart for one store."""
        return hidden_of(self.apart)

    def having(self, outcome: Outcome) -> DataFrame:
        return self.tagged.where(F.col(OUTCOME) == outcome.value)

    def deleted(self, names: Sequence[str]) -> DataFrame:
        """The keys (`names`) of rows that the source calls deleted. Nothing else of them has obeyed any rule."""
        keys = self.having(Outcome.DELETED).selectExpr(*map(spark_identifier, names))
        return keys.to(open_fields(self.fields, names))

    def iterate_rejects(self) -> Iterator[Reject]:
        """One partition at a time, so that many rejects do not fill the driver; reads the frame."""
        for row in self.rejects.toLocalIterator():
            yield Reject(row[RULE], row[REASON], row[ROW])

    def iterate_refused(self, apart: Apart) -> Iterator[Reject]:
        """The same, of rows that all stores take but this one."""
        refused = spark_identifier(apart.refused or "")
        rows = self.having(Outcome.GOOD).where(f"{refused} IS NOT NULL")
        for row in rows.selectExpr(f"{refused}[0]", f"{refused}[1]", ROW).toLocalIterator():
            yield Reject(row[0], row[1], row[2])

    def with_tagged(self, tagged: DataFrame) -> Transformed:
        """The same result over a frame that holds the same rows already computed."""
        return replace(self, tagged=tagged)

    def select_fields(self, frame: DataFrame) -> DataFrame:
        """The real columns of good rows; hidden ones go."""
        selected = frame.selectExpr(*(_as_declared(field) for field in self.fields))
        return selected.to(StructType(list(self.fields)))


def open_fields(fields: Sequence[StructField], names: Sequence[str]) -> StructType:
    """These of them, each of which may be NULL."""
    by_name = {field.name: field for field in fields}
    return StructType([StructField(name, by_name[name].dataType, True, by_name[name].metadata) for name in names])


def final_field(field: StructField, postgresql_type: str | None, never_null: Collection[str]) -> StructField:
    """A real column as every store is to get it: with the type that it has beyond Spark's, and without any other
    metadata; `never_null` are the columns that hold no NULL once all rejects are gone."""
    metadata = {POSTGRESQL_TYPE: postgresql_type} if postgresql_type else {}
    return StructField(field.name, field.dataType, field.nullable and field.name not in never_null, metadata)


def shown(reason: str) -> str:
    """SQL of a reason as the ledger takes it: PostgreSQL's text has no NUL."""
    return f"translate({reason}, char(0), '\u2400')"


def _as_declared(field: StructField) -> str:
    """No NULL is left in a column that is never NULL; Spark only believes it when it sees a substitute."""
    name = spark_identifier(field.name)
    return name if field.nullable else f"coalesce({name}, {_substitute(field.dataType)}) AS {name}"


def _substitute(data_type: DataType) -> str:
    """Of the same type, and known to be no NULL: a cast to a decimal is not."""
    if isinstance(data_type, DecimalType):
        return f"{Decimal(0).scaleb(-data_type.scale):f}BD"
    if isinstance(data_type, ArrayType):
        return f"CAST(array() AS {data_type.simpleString()})"
    if isinstance(data_type, DateType):
        return "date_from_unix_date(0)"
    if isinstance(data_type, TimestampType):
        return "timestamp_seconds(0)"
    zero = "''" if isinstance(data_type, StringType | BinaryType) else "0"
    return f"CAST({zero} AS {data_type.simpleString()})"
