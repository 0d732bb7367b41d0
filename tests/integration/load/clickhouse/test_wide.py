"""As many columns as a table of PostgreSQL has, in every mode and by both writers: loaded, unchanged, changed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.load.clickhouse.conftest import ClickHouse, LoaderOf, entry
from tests.integration.load.clickhouse.test_modes import counts
from tests.wide_frames import MOST, wide_frame

# Spark plans, compiles and digests each of the columns
pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(1800)]

DAILY = {"mode": "replace_partition", "date_column": "day", "partition_by": ("toYYYYMMDD(day)",), "key": ("id", "day")}
LOADS: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "merge": ({}, {"inserted": 1, "updated": 1, "unchanged": 3}),
    "merge by jdbc": ({"writer": "jdbc"}, {"inserted": 1, "updated": 1, "unchanged": 3}),
    "append": (
        {"mode": "append", "engine": "MergeTree", "conflict_resolution": "skip"},
        {"inserted": 1, "skipped": 1, "unchanged": 3},
    ),
    "replace_partition": (DAILY, {"inserted": 1, "updated": 1, "unchanged": 3}),
}


@pytest.mark.parametrize("name", LOADS)
def test_1600_columns(clickhouse: ClickHouse, table: str, loader_of: LoaderOf, name: str) -> None:
    options, changed = LOADS[name]
    config = entry(table, **options)
    spark = loader_of().spark
    first = wide_frame(spark, MOST)
    assert counts(loader_of(1).load(first, config)) == {"inserted": 4}
    assert counts(loader_of(2).load(first, config)) == {"unchanged": 4}
    assert counts(loader_of(3).load(wide_frame(spark, MOST, range(5), [2]), config)) == changed
    final = "FINAL" if config.engine == "ReplacingMergeTree" else ""
    is_kept = config.conflict_resolution == "skip"
    found = clickhouse.query(f"SELECT id FROM `{table}` {final} WHERE last = 'changed'")
    assert found == ([] if is_kept else [[2]])
    assert clickhouse.staging_of(table) == []
