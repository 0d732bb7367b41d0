"""Every mode and format of the lake, each load twice: the second changes nothing and says so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from etl.config.destinations.s3.load_config import S3Format, S3TableLoadConfig
from etl.errors import ConflictError, DataError, DuplicateKeyError, NullKeyError
from etl.load.base import LoadFacts
from etl.model import ConflictResolution, LoadResult, LoadStatus, WriteMode
from tests.integration.load.s3.conftest import Lake

pytestmark = pytest.mark.stack

ONE = (1, "one", "2025-11-03", "1.00")
TWO = (2, None, "2025-11-03", "2.50")
THREE = (3, "", "2025-11-04", "-3.00")
NEW_TWO = (2, "zwei", "2025-11-03", "2.50")
FOUR = (4, "four", "2025-11-05", "4.00")

FORMATS = pytest.mark.parametrize("file_format", list(S3Format))


def counts(result: LoadResult) -> tuple[int, int, int, int, int]:
    """inserted, updated, unchanged, skipped, deleted"""
    assert result.accounted == result.rows_in
    return (
        result.rows_inserted, result.rows_updated, result.rows_unchanged, result.rows_skipped, result.rows_deleted
    )  # fmt: skip


def state(lake: Lake, config: S3TableLoadConfig) -> list[tuple[str, int, object]]:
    """Every object under the table: equal states mean that nothing was written."""
    return [(entry.key, entry.size, entry.modified) for entry in lake.store.objects(lake.path(config).prefix)]


@FORMATS
@pytest.mark.parametrize("partitioned", [True, False])
def test_overwrite(lake: Lake, file_format: S3Format, partitioned: bool) -> None:
    config = lake.config(format=file_format, partitioned=partitioned)
    assert counts(lake.loader("run-1").load(lake.frame(ONE, TWO, THREE), config)) == (3, 0, 0, 0, 0)
    assert lake.rows(config) == [ONE, TWO, THREE]

    before = state(lake, config)
    again = lake.loader("run-2").load(lake.frame(THREE, TWO, ONE), config)
    assert (counts(again), again.status, again.bytes_written) == ((0, 0, 3, 0, 0), LoadStatus.UNCHANGED, 0)
    assert state(lake, config) == before

    assert counts(lake.loader("run-3").load(lake.frame(ONE, NEW_TWO, FOUR), config)) == (1, 1, 1, 0, 1)
    assert lake.rows(config) == [ONE, NEW_TWO, FOUR]


@FORMATS
def test_append_skips_or_refuses_what_differs(lake: Lake, file_format: S3Format) -> None:
    config = lake.config(format=file_format, mode=WriteMode.APPEND, conflict_resolution=ConflictResolution.ERROR)
    assert counts(lake.loader("run-1").load(lake.frame(ONE, TWO), config)) == (2, 0, 0, 0, 0)
    assert counts(lake.loader("run-2").load(lake.frame(TWO, THREE), config)) == (1, 0, 1, 0, 0)

    before = state(lake, config)
    assert counts(lake.loader("run-3").load(lake.frame(ONE, TWO, THREE), config)) == (0, 0, 3, 0, 0)
    with pytest.raises(ConflictError, match=r'1 keys whose stored row does, e\.g\. {"id":2}'):
        lake.loader("run-4").load(lake.frame(NEW_TWO, FOUR), config)
    assert state(lake, config) == before

    skipping = config.model_copy(update={"conflict_resolution": ConflictResolution.SKIP})
    assert counts(lake.loader("run-5").load(lake.frame(NEW_TWO, FOUR), skipping)) == (1, 0, 0, 1, 0)
    assert lake.rows(config) == [ONE, TWO, THREE, FOUR]


@FORMATS
def test_overwrite_partitions_replaces_the_frames_days_alone(lake: Lake, file_format: S3Format) -> None:
    config = lake.config(format=file_format, mode=WriteMode.OVERWRITE_PARTITIONS)
    lake.loader("run-1").load(lake.frame(ONE, TWO, THREE), config)
    result = lake.loader("run-2").load(lake.frame(NEW_TWO, FOUR), config)
    assert counts(result) == (1, 1, 0, 0, 1)
    assert lake.rows(config) == [NEW_TWO, THREE, FOUR]

    before = state(lake, config)
    assert counts(lake.loader("run-3").load(lake.frame(NEW_TWO, FOUR), config)) == (0, 0, 2, 0, 0)
    assert counts(lake.loader("run-4").load(lake.frame(), config)) == (0, 0, 0, 0, 0)
    assert state(lake, config) == before


@FORMATS
def test_overwrite_partitions_takes_moved_rows_from_the_days_they_left(lake: Lake, file_format: S3Format) -> None:
    config = lake.config(format=file_format, mode=WriteMode.OVERWRITE_PARTITIONS)
    lake.loader("run-1").load(lake.frame(ONE, TWO, THREE), config)

    moved_one, moved_three = (1, "one", "2025-11-05", "1.00"), (3, "", "2025-11-05", "-3.00")
    result = lake.loader("run-2").load(lake.frame(moved_one, moved_three, FOUR), config)
    assert counts(result) == (1, 2, 0, 0, 0)
    assert lake.rows(config) == [moved_one, TWO, moved_three, FOUR]

    before = state(lake, config)
    assert counts(lake.loader("run-3").load(lake.frame(moved_one, moved_three, FOUR), config)) == (0, 0, 3, 0, 0)
    assert state(lake, config) == before


def test_a_day_that_is_part_of_the_key_leaves_the_other_days_alone(lake: Lake) -> None:
    config = lake.config(mode=WriteMode.OVERWRITE_PARTITIONS, key=("id", "day"))
    lake.loader("run-1").load(lake.frame(ONE, TWO), config)
    later_one = (1, "one", "2025-11-05", "1.00")
    assert counts(lake.loader("run-2").load(lake.frame(later_one), config)) == (1, 0, 0, 0, 0)
    assert lake.rows(config) == [ONE, later_one, TWO]


@FORMATS
def test_ignore_and_error_leave_a_target_that_stands(lake: Lake, file_format: S3Format) -> None:
    config = lake.config(format=file_format, mode=WriteMode.IGNORE)
    assert counts(lake.loader("run-1").load(lake.frame(ONE), config)) == (1, 0, 0, 0, 0)
    ignored = lake.loader("run-2").load(lake.frame(TWO, THREE), config)
    assert (counts(ignored), ignored.status) == ((0, 0, 0, 2, 0), LoadStatus.SKIPPED)
    refusing = config.model_copy(update={"mode": WriteMode.ERROR})
    with pytest.raises(ConflictError, match="expected no target"):
        lake.loader("run-3").load(lake.frame(TWO), refusing)
    assert lake.rows(config) == [ONE]
    assert lake.loader("run-4").plan(lake.frame(TWO), config) == ["the target exists (mode: ignore)"]
    with pytest.raises(ConflictError, match="expected no target"):
        lake.loader("run-4").plan(lake.frame(TWO), refusing)


@FORMATS
@pytest.mark.parametrize("partitioned", [True, False])
def test_an_empty_frame_makes_an_empty_target_and_the_next_fills_it(
    lake: Lake, file_format: S3Format, partitioned: bool
) -> None:
    config = lake.config(format=file_format, partitioned=partitioned)
    assert not lake.loader().target_exists(config)
    assert counts(lake.loader("run-1").load(lake.frame(), config)) == (0, 0, 0, 0, 0)
    assert lake.loader().target_exists(config)
    assert counts(lake.loader("run-2").load(lake.frame(ONE), config)) == (1, 0, 0, 0, 0)
    assert counts(lake.loader("run-3").load(lake.frame(), config)) == (0, 0, 0, 0, 1)


@FORMATS
def test_a_table_without_a_key_is_appended_once_a_run(lake: Lake, file_format: S3Format) -> None:
    config = lake.config(format=file_format, mode=WriteMode.APPEND, key=())
    assert counts(lake.loader("run-1").load(lake.frame(ONE, ONE), config)) == (2, 0, 0, 0, 0)
    assert counts(lake.loader("run-1").load(lake.frame(ONE, ONE), config)) == (0, 0, 2, 0, 0)
    assert counts(lake.loader("run-2").load(lake.frame(ONE, ONE), config)) == (2, 0, 0, 0, 0)
    assert lake.rows(config) == [ONE] * 4


@FORMATS
def test_an_equal_column_sum_is_not_an_equal_row(lake: Lake, file_format: S3Format) -> None:
    """Two rows that exchange a value keep every column's checksum."""
    config = lake.config(format=file_format)
    lake.loader("run-1").load(lake.frame(ONE, (2, "two", *TWO[2:])), config)
    swapped = [(1, "two", *ONE[2:]), (2, "one", *TWO[2:])]
    assert counts(lake.loader("run-2").load(lake.frame(*swapped), config)) == (0, 2, 0, 0, 0)
    assert lake.rows(config) == swapped


def test_what_a_run_published_is_told_by_the_store(lake: Lake) -> None:
    for file_format in S3Format:
        config = lake.config(format=file_format)
        result = lake.loader("run-1").load(lake.frame(ONE, TWO), config)
        told = lake.loader("run-1").published(config)
        assert told is not None
        # the store's record is made before it is written itself, so it cannot hold the seconds of that
        assert 0 < told.seconds <= result.seconds
        assert replace(told, seconds=result.seconds) == result
        assert lake.loader("run-2").published(config) is None


def test_doubled_and_missing_keys_are_refused_before_anything_is_written(lake: Lake) -> None:
    config = lake.config()
    with pytest.raises(DuplicateKeyError, match=r'1 keys several times, e\.g\. {"id":1}'):
        lake.loader().load(lake.frame(ONE, ONE, TWO), config)
    nameless = lake.config(key=("name",))
    with pytest.raises(NullKeyError, match="found 1 rows"):
        lake.loader().load(lake.frame(ONE, TWO), nameless)
    null_safe = lake.config(key=("name",), null_safe_key=True)
    lake.loader("run-1").load(lake.frame(ONE, TWO), null_safe)
    changed = (2, None, "2025-11-03", "9.00")
    assert counts(lake.loader("run-2").load(lake.frame(ONE, changed), null_safe)) == (0, 1, 1, 0, 0)
    assert not lake.data_keys(config)
    assert not lake.data_keys(nameless)


@FORMATS
def test_rows_without_a_day_are_refused_with_their_count(lake: Lake, file_format: S3Format) -> None:
    config = lake.config(format=file_format)
    undated = lake.frame(ONE, TWO).selectExpr("id", "name", "if(id = 1, null, day) as day", "price")
    with pytest.raises(DataError, match="found 1 of 2 rows without"):
        lake.loader().load(undated, config, LoadFacts(rows=2))
    assert not lake.loader().target_exists(config)
