from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from etl.errors import ValidationError
from etl.load.s3.frames import Content, digest_of
from etl.load.s3.verify import refuse_difference


@dataclass
class LoadOf:
    """As much of a job as validation asks for."""

    frame: DataFrame
    table: str = "things"
    checksums: None = None
    path: Any = field(default_factory=lambda: SimpleNamespace(uri="s3a://lake/things"))

    @property
    def content(self) -> Content:
        return Content(rows=2, digest=digest_of(self.frame), dates=frozenset())


@pytest.fixture
def written(spark: SparkSession) -> DataFrame:
    return spark.sql(
        "SELECT * FROM VALUES (1L, 'one', DATE '2026-01-01'), (2L, NULL, DATE '2026-01-02') "
        "AS t(id, name, partition_date)"
    )


@pytest.mark.parametrize("is_whole", [True, False])
def test_equal_rows_pass_in_any_order_of_rows_and_columns(written: DataFrame, is_whole: bool) -> None:
    standing = written.orderBy("id", ascending=False).select("partition_date", "name", "id")
    refuse_difference(LoadOf(written), written, standing, is_whole=is_whole)  # type: ignore[arg-type]


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_difference_is_said_by_column(written: DataFrame, is_whole: bool) -> None:
    standing = written.selectExpr("id", "coalesce(name, 'two') AS name", "partition_date")
    with pytest.raises(ValidationError, match=r"column name: expected checksum [\d/]+/1, found [\d/]+/2"):
        refuse_difference(LoadOf(written), written, standing, is_whole=is_whole)  # type: ignore[arg-type]


def test_a_missing_row_is_said(written: DataFrame) -> None:
    with pytest.raises(ValidationError, match="expected 2 rows, found 1"):
        refuse_difference(LoadOf(written), written, written.where("id = 1"), is_whole=True)  # type: ignore[arg-type]
