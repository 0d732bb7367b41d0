"""What stands on each day, as one count and one digest a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from etl.load.s3.frames import column, row_digest
from etl.model import PARTITION_DATE


@dataclass(frozen=True)
class Day:
    rows: int
    high: int
    low: int


def digests_by_day(frame: DataFrame) -> dict[date, Day]:
    """Equal days hold equal rows, in whatever order; columns count in the order of their names."""
    ordered = frame.select(*[column(name) for name in sorted(frame.columns)])
    high, low = row_digest(ordered.schema)
    rows = (
        ordered.groupBy(column(PARTITION_DATE))
        .agg(F.count(F.lit(1)).alias("rows"), F.sum(high).alias("high"), F.sum(low).alias("low"))
        .collect()
    )
    return {row[PARTITION_DATE]: Day(row["rows"], row["high"], row["low"]) for row in rows}
