from __future__ import annotations

from datetime import date

import pytest
from pyspark.sql import functions as F

from etl.config.destinations.s3.load_config import S3Format
from etl.errors import UsageError
from etl.load.s3.delta.log import versions
from etl.load.s3.maintenance import LakeKeeper
from etl.model import PARTITION_DATE, ConflictResolution, WriteMode
from tests.integration.load.s3.conftest import Lake
from tests.integration.load.s3.test_modes import FOUR, ONE, THREE, TWO, counts

pytestmark = pytest.mark.stack

TODAY = date(2025, 11, 14)
"""With ten days kept, the 3rd of November is past and the 4th is not."""


@pytest.fixture
def keeper(lake: Lake) -> LakeKeeper:
    return LakeKeeper(lake.spark, lake.settings)


@pytest.mark.parametrize("file_format", list(S3Format))
def test_retention_says_first_and_deletes_then(lake: Lake, keeper: LakeKeeper, file_format: S3Format) -> None:
    config = lake.config(format=file_format, retention_days=10)
    lake.loader("run-1").load(lake.frame(ONE, TWO, THREE), config)
    said = keeper.retain(config, TODAY, apply=False)
    assert said is not None
    assert (said.days, said.applied) == ((date(2025, 11, 3),), False)
    assert lake.rows(config) == [ONE, TWO, THREE]
    done = keeper.retain(config, TODAY, apply=True)
    assert done is not None
    assert (done.days, done.applied) == ((date(2025, 11, 3),), True)
    assert lake.rows(config) == [THREE]
    again = keeper.retain(config, TODAY, apply=True)
    assert again is not None
    assert again.days == ()
    assert counts(lake.loader("run-2").load(lake.frame(ONE, TWO, THREE), config)) == (2, 0, 1, 0, 0)


def test_a_table_that_keeps_everything_is_left_alone(lake: Lake, keeper: LakeKeeper) -> None:
    assert keeper.retain(lake.config(), TODAY, apply=True) is None
    assert keeper.retain(lake.config(partitioned=False, retention_days=1), TODAY, apply=True) is None


def test_optimize_joins_small_files_and_changes_no_row(lake: Lake, keeper: LakeKeeper) -> None:
    config = lake.config(
        format=S3Format.DELTA, mode=WriteMode.APPEND, conflict_resolution=ConflictResolution.ERROR, partitioned=False
    )
    for row in (ONE, TWO, THREE):
        lake.loader(f"run-{row[0]}").load(lake.frame(row), config)
    assert keeper.optimize(config) == 3
    assert keeper.optimize(config) == 0
    assert lake.rows(config) == [ONE, TWO, THREE]
    assert counts(lake.loader("run-4").load(lake.frame(ONE, FOUR), config)) == (1, 0, 1, 0, 0)


@pytest.mark.parametrize("partitioned", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_plan_counts_the_files_that_optimize_joins(lake: Lake, keeper: LakeKeeper, partitioned: bool) -> None:
    config = lake.config(
        format=S3Format.DELTA,
        mode=WriteMode.APPEND,
        conflict_resolution=ConflictResolution.ERROR,
        partitioned=partitioned,
        **({"retention_days": 10} if partitioned else {}),
    )
    assert keeper.plan(config, TODAY) == []
    for row in (ONE, TWO, THREE):
        lake.loader(f"run-{row[0]}").load(lake.frame(row), config)
    said = keeper.plan(config, TODAY)
    assert ("would delete 1 days before 2025-11-04 (2025-11-03 to 2025-11-03; 2 rows)" in said) is partitioned
    assert f"would join {2 if partitioned else 3} small files" in said
    assert lake.rows(config) == [ONE, TWO, THREE]
    assert keeper.optimize(config) == (2 if partitioned else 3)
    assert "would join 0 small files" in keeper.plan(config, TODAY)


@pytest.mark.parametrize("file_format", [S3Format.PARQUET, pytest.param(S3Format.DELTA, marks=pytest.mark.slow)])
def test_rows_without_a_day_outlast_every_retention(lake: Lake, keeper: LakeKeeper, file_format: S3Format) -> None:
    """This loader writes none; others may."""
    config = lake.config(format=file_format, retention_days=1)
    lake.loader("run-1").load(lake.frame(ONE, THREE), config)
    path, writer = lake.path(config).uri, lake.spark.read.format(file_format.value)
    undated = writer.load(path).limit(1).withColumn(PARTITION_DATE, F.lit(None).cast("date"))
    undated.write.format(file_format.value).mode("append").partitionBy(PARTITION_DATE).save(path)
    done = keeper.maintain(config, date(2030, 1, 1))
    assert (done.days_deleted, done.deleted_before) == (2, date(2029, 12, 31))
    assert [row[0] for row in writer.load(path).select(PARTITION_DATE).collect()] == [None]


def test_vacuum_refuses_a_short_time_without_the_flag(lake: Lake, keeper: LakeKeeper) -> None:
    config = lake.config(format=S3Format.DELTA)
    lake.loader("run-1").load(lake.frame(ONE), config)
    lake.loader("run-2").load(lake.frame(TWO), config)
    with pytest.raises(UsageError, match="at least 168 hours"):
        keeper.vacuum(config, 0)
    before = lake.data_keys(config)
    keeper.vacuum(config, 0, even_if_unsafe=True)
    assert len(lake.data_keys(config)) < len(before)
    assert lake.rows(config) == [TWO]
    assert len(versions(lake.store, lake.path(config))) >= 2
    assert lake.loader("run-2").published(config) is not None
