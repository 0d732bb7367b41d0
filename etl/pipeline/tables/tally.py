"""Counts a materialised frame once: rows by outcome, and the checksums of the good ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BinaryType, MapType, StringType, StructField, StructType

from etl.config.tables.models import TableConfig
from etl.errors import DuplicateKeyError, NullKeyError
from etl.model import Checksums, Column, Digest, TableDefinition
from etl.statements.checksum import spark_checksum_sums, spark_checksum_terms
from etl.statements.quoting import spark_identifier
from etl.transform.outcome import OUTCOME, REASON, RULE, TRIMMED, Outcome

_SHOWN_RULES = 5


@dataclass(frozen=True)
class Tally:
    """`rows` by outcome; the outcomes add up to what was read. `trimmed` are the good rows whose text was trimmed;
    `apart` says of each hidden column that sets rows apart for one store in how many of the good ones it is not NULL.
    """

    rows: Mapping[Outcome, int]
    checksums: Checksums | None
    trimmed: int = 0
    bytes: Mapping[Outcome, int] = field(default_factory=dict)
    apart: Mapping[str, int] = field(default_factory=dict)

    @property
    def read(self) -> int:
        return sum(self.rows.values())

    def of(self, outcome: Outcome) -> int:
        return self.rows.get(outcome, 0)


def tally(
    frame: DataFrame, columns: Sequence[Column], digests: Collection[Digest] | None, apart: Sequence[str] = ()
) -> Tally:
    """One Spark job, which also materialises a persisted frame. `digests` are those that its checksums need, None where
    no checksums are wanted; `apart` are the hidden columns that set rows apart."""
    summed = () if digests is None else columns
    sums = spark_checksum_sums(summed, digests or ())
    measures = ["count(1)", f"count_if({TRIMMED})" if TRIMMED in frame.columns else "0L", _bytes(frame)]
    measures += [f"count({spark_identifier(name)})" for name in apart]
    terms = frame.selectExpr("*", *spark_checksum_terms(summed, digests or ()))
    # as one text: each Column built in Python is several calls into the JVM, which for few rows are most of the cost
    measured = F.expr(f"array({', '.join(f'cast({each} AS string)' for each in [*measures, *sums.values()])})")
    found = {Outcome(outcome): texts for outcome, texts in terms.groupBy(OUTCOME).agg(measured).collect()}
    counts = {outcome: int(texts[0]) for outcome, texts in found.items()}
    sizes = {outcome: int(texts[2]) for outcome, texts in found.items()}
    good = found.get(Outcome.GOOD)
    altered = int(good[1]) if good else 0
    set_apart = {name: int(good[3 + at]) if good else 0 for at, name in enumerate(apart)}
    if digests is None:
        return Tally(counts, None, altered, sizes, set_apart)
    checksums = dict(zip(sums, good[len(measures) :], strict=True)) if good else {}
    return Tally(counts, Checksums(counts.get(Outcome.GOOD, 0), checksums), altered, sizes, set_apart)


def _bytes(frame: DataFrame) -> str:
    """Of what has no fixed size: texts and bytes, nested values as text."""
    widths = [
        f"coalesce(cast(octet_length({_as_text(each)}) AS bigint), 0L)"
        for each in frame.schema.fields
        if isinstance(each.dataType, StringType | BinaryType | ArrayType | MapType | StructType)
    ]
    # an array, since a sum of a thousand columns is a tree that deep
    return f"coalesce(sum(aggregate(array({', '.join(['0L', *widths])}), 0L, (one, other) -> one + other)), 0L)"


def _as_text(each: StructField) -> str:
    value = spark_identifier(each.name)
    return value if isinstance(each.dataType, StringType | BinaryType) else f"cast({value} AS string)"


def refuse_bad_keys(
    table: TableConfig, tagged: Callable[[], DataFrame], counts: Tally, definition: TableDefinition | None = None
) -> None:
    """Once, before any destination is written: NULL keys and unresolved duplicates refuse the whole table. `tagged` is
    asked for a frame only where one of them is to be shown."""
    if nulls := counts.of(Outcome.NULL_KEY):
        raise NullKeyError(
            f"{table.name}: expected values in the key ({', '.join(table.key)}), found NULL in {nulls} rows; "
            "repair the source, filter them, or set null_safe_key",
            table=table.name,
        )
    if duplicates := counts.of(Outcome.DUPLICATE_KEY):
        sample = tagged().where(F.col(OUTCOME) == Outcome.DUPLICATE_KEY).select(*table.key).first()
        key = ", ".join(f"{name}={value}" for name, value in sample.asDict().items()) if sample else "?"
        raise DuplicateKeyError(
            f"{table.name}: expected each key once, found {duplicates} rows that share theirs, such as {key}; "
            + (_other_primary_key(table, definition) or "repair the source or give transform.deduplicate.order_by"),
            table=table.name,
        )


def _other_primary_key(table: TableConfig, definition: TableDefinition | None) -> str:
    """What the source itself calls unique, where the entry names another key."""
    columns = [table.transform.rename.get(name, name) for name in definition.primary_key] if definition else []
    if not columns or set(columns) == set(table.key):
        return ""
    named = ", ".join(columns)
    return (
        f"the source's primary key is ({named}), the entry's key ({', '.join(table.key)}): write `key: [{named}]`, for "
        "which each store's table must be made anew, or give transform.deduplicate.order_by"
    )


def rules_broken(tagged: DataFrame) -> list[tuple[str, int, str]]:
    """What the rejected rows among these broke, the most frequent first."""
    by_rule = (
        tagged.where(F.col(OUTCOME) == Outcome.REJECTED)
        .groupBy(RULE)
        .agg(F.count(F.lit(1)).alias("rows"), F.min(REASON).alias("reason"))
        .orderBy(F.desc("rows"), RULE)
    )
    return [(row[RULE], row["rows"], row["reason"]) for row in by_rule.limit(_SHOWN_RULES).collect()]
