"""Frames of many columns, as surveys and SAP have them: few rows, for it is the columns that cost."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

MOST = 1_600
"""A table of PostgreSQL has no more."""
OF_A_LOAD = 1_596
"""What a load into PostgreSQL takes of them."""

_KINDS = (pa.int16(), pa.string(), pa.float32(), pa.bool_())


def wide_frame(
    spark: SparkSession, columns: int, rows: Iterable[int] = range(4), changed: Iterable[int] = ()
) -> DataFrame:
    """`id`, `day` and `last`, and between them columns with long names; `last` tells the rows of `changed`."""
    numbers, others = list(rows), set(changed)
    arrays: dict[str, pa.Array] = {"id": pa.array(numbers, pa.int64())}
    arrays["day"] = pa.array([date(2024, 1, 1 + number % 2) for number in numbers], pa.date32())
    for place in range(columns - 3):
        kind = _KINDS[place % 4]
        values = [(number, f"t{number}", number / 4, None)[place % 4] for number in numbers]
        arrays[f"a_column_of_a_survey_{place:04d}"] = pa.array(values, kind)
    arrays["last"] = pa.array(["changed" if number in others else "as it was" for number in numbers])
    # through Arrow the rows become part of the plan: no Python worker, no job
    return spark.createDataFrame(pa.table(arrays)).coalesce(1)
