"""Counts a materialised frame once: rows by outcome, and the checksums of the good ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from etl.config.limits import exceeds
from etl.config.models import LoadConfigBase, TableConfig
from etl.errors import DuplicateKeyError, NullKeyError, RejectedRowsError
from etl.model import Checksums, Column
from etl.statements.checksum import spark_checksum_columns
from etl.transform.outcome import OUTCOME, REASON, RULE, Outcome

_SHOWN_RULES = 5


@dataclass(frozen=True)
class Tally:
    """`rows` by outcome; the outcomes add up to what was read."""

    rows: Mapping[Outcome, int]
    checksums: Checksums | None

    @property
    def read(self) -> int:
        return sum(self.rows.values())

    def of(self, outcome: Outcome) -> int:
        return self.rows.get(outcome, 0)


def tally(tagged: DataFrame, part: SparkColumn | None, columns: Sequence[Column], with_checksums: bool) -> Tally:
    """One Spark job, which also materialises a persisted frame. `part` restricts it to one destination's share."""
    frame = tagged if part is None else tagged.where(part)
    expressions = spark_checksum_columns(columns) if with_checksums else {}
    # aliases by position: two columns may differ in case only
    aggregates = [F.expr(expression).alias(f"checksum_{i}") for i, expression in enumerate(expressions.values())]
    rows = frame.groupBy(OUTCOME).agg(F.count(F.lit(1)).alias("rows"), *aggregates).collect()
    counts = {Outcome(row[OUTCOME]): int(row["rows"]) for row in rows}
    if not with_checksums:
        return Tally(counts, None)
    good = next((row for row in rows if row[OUTCOME] == Outcome.GOOD), None)
    sums = {name: good[f"checksum_{i}"] if good else "0/0" for i, name in enumerate(expressions)}
    return Tally(counts, Checksums(counts.get(Outcome.GOOD, 0), sums))


def refuse_bad_keys(table: TableConfig, tagged: DataFrame, counts: Tally) -> None:
    """Once, before any destination is written: NULL keys and unresolved duplicates refuse the whole table."""
    if nulls := counts.of(Outcome.NULL_KEY):
        raise NullKeyError(
            f"{table.name}: expected values in the key ({', '.join(table.key)}), found NULL in {nulls} rows; "
            "repair the source, filter them, or set null_safe_key",
            table=table.name,
        )
    if duplicates := counts.of(Outcome.DUPLICATE_KEY):
        sample = tagged.where(F.col(OUTCOME) == Outcome.DUPLICATE_KEY).select(*table.key).first()
        key = ", ".join(f"{name}={value}" for name, value in sample.asDict().items()) if sample else "?"
        raise DuplicateKeyError(
            f"{table.name}: expected each key once, found {duplicates} rows that share theirs, such as {key}; "
            "repair the source or give transform.deduplicate.order_by",
            table=table.name,
        )


def refuse_too_many_rejected(load: LoadConfigBase, tagged: DataFrame, counts: Tally) -> None:
    """Before a destination is written: a rule that refuses most rows is wrong itself, or the source is.

    `tagged` are the rows that were counted.
    """
    rejected = counts.of(Outcome.REJECTED)
    if not exceeds(load.maximum_rejected, rejected, counts.read):
        return
    by_rule = (
        tagged.where(F.col(OUTCOME) == Outcome.REJECTED)
        .groupBy(RULE)
        .agg(F.count(F.lit(1)).alias("rows"), F.min(REASON).alias("reason"))
        .orderBy(F.desc("rows"), RULE)
    )
    found = [f"{row[RULE]} ({row['rows']}, such as {row['reason']!r})" for row in by_rule.limit(_SHOWN_RULES).collect()]
    raise RejectedRowsError(
        f"{load.table_name}: expected at most {load.maximum_rejected} of the {counts.read} rows read to break a rule "
        f"(maximum_rejected), found {rejected}: {'; '.join(found)}. Nothing was written and the watermark stays. Mend "
        "the rule or the source; to load the others without these rows, repeat the run with --maximum-rejected 100%",
        table=load.table_name,
    )
