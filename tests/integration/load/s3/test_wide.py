"""Tables of as many columns as PostgreSQL has, in every format and mode: loaded, unchanged, changed."""

from __future__ import annotations

from typing import Any

import pytest

from etl.config.destinations.s3.load_config import S3Format
from etl.model import ConflictResolution, WriteMode
from tests.integration.load.s3.conftest import Lake
from tests.integration.load.s3.test_modes import counts
from tests.wide_frames import MOST, wide_frame

# Spark plans, compiles and digests each of its columns
pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(1800)]

Outcomes = tuple[int, int, int, int, int]
SKIP = {"conflict_resolution": ConflictResolution.SKIP}
LOADS: dict[str, tuple[dict[str, Any], Outcomes, Outcomes]] = {
    "delta merge": ({"format": S3Format.DELTA, "mode": WriteMode.MERGE}, (0, 0, 4, 0, 0), (1, 1, 3, 0, 0)),
    "delta append": ({"format": S3Format.DELTA, "mode": WriteMode.APPEND}, (0, 0, 4, 0, 0), (1, 1, 3, 0, 0)),
    "parquet append": ({"mode": WriteMode.APPEND, **SKIP}, (0, 0, 4, 0, 0), (1, 0, 3, 1, 0)),
    "parquet by days": ({"mode": WriteMode.OVERWRITE_PARTITIONS}, (0, 0, 4, 0, 0), (1, 1, 3, 0, 0)),
    "json overwrite": ({"format": S3Format.JSON}, (0, 0, 4, 0, 0), (1, 1, 3, 0, 0)),
}


@pytest.mark.parametrize("name", LOADS)
def test_1600_columns(lake: Lake, name: str) -> None:
    options, unchanged, changed = LOADS[name]
    by_days = options["mode"] is WriteMode.OVERWRITE_PARTITIONS if "mode" in options else False
    config = lake.config(**{"mode": WriteMode.OVERWRITE, "partitioned": by_days, **options})
    first = wide_frame(lake.spark, MOST)
    assert counts(lake.loader("run-1").load(first, config)) == (4, 0, 0, 0, 0)
    assert counts(lake.loader("run-2").load(first, config)) == unchanged
    assert counts(lake.loader("run-3").load(wide_frame(lake.spark, MOST, range(5), [2]), config)) == changed
    stored = lake.read(config)
    assert len(stored.columns) == MOST + by_days
    is_kept = config.conflict_resolution is ConflictResolution.SKIP
    assert [tuple(row) for row in stored.where("last = 'changed'").select("id").collect()] == [(2,)] * (not is_kept)
