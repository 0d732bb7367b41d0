"""Tables of many columns, as surveys and SAP have them."""

from __future__ import annotations

import pytest
from pyspark.sql import DataFrame

from etl.config.destinations.s3.load_config import S3Format
from etl.model import WriteMode
from tests.integration.load.s3.conftest import Lake
from tests.integration.load.s3.test_modes import counts

# Spark plans, compiles and digests each of its columns: a minute or two
pytestmark = [pytest.mark.stack, pytest.mark.slow]

COLUMNS = 900


def wide(lake: Lake, *changed: int) -> DataFrame:
    """Four rows; those whose number is given differ in their last column."""
    kinds = ("int", "string", "double", "bigint")
    columns = ", ".join(f"c{place} {kinds[place % len(kinds)]}" for place in range(COLUMNS - 1))
    rows = [
        (
            number,
            *((number, f"t{number}", number / 3, None)[place % len(kinds)] for place in range(COLUMNS - 1)),
            "changed" if number in changed else "as it was",
        )
        for number in range(4)
    ]
    return lake.spark.createDataFrame(rows, f"id bigint, {columns}, last string")


def test_a_table_of_900_columns_is_merged_again(lake: Lake) -> None:
    config = lake.config(format=S3Format.DELTA, mode=WriteMode.MERGE, date_column=None, partitioned=False)
    assert counts(lake.loader("run-1").load(wide(lake), config)) == (4, 0, 0, 0, 0)
    assert counts(lake.loader("run-2").load(wide(lake, 2), config)) == (0, 1, 3, 0, 0)
    stored = lake.read(config)
    assert sorted(stored.where("last = 'changed'").select("id").collect()) == [(2,)]
    assert len(stored.columns) == COLUMNS + 1
