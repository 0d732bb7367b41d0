"""Rows that are gone from the source and stay, marked, by a merge in both lanes; and those that it calls deleted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from etl.config.destinations.s3.load_config import S3Format, S3TableLoadConfig, S3Writer
from etl.errors import SchemaMismatchError, VanishedRowsError
from etl.load.base import Deleted, LoadFacts
from etl.model import DELETED_AT, LoadStatus, SchemaContract, VanishedRows, WriteMode
from tests.integration.load.s3.conftest import Lake
from tests.integration.load.s3.test_lanes import writer_of
from tests.integration.load.s3.test_modes import FOUR, NEW_TWO, ONE, THREE, TWO, counts, state

pytestmark = pytest.mark.stack

FIRST, SECOND = datetime(2026, 5, 1, 1, 2, 3, 456789, tzinfo=UTC), datetime(2026, 5, 2, tzinfo=UTC)
SINCE_FIRST, SINCE_SECOND = "2026-05-01 01:02:03.456789", "2026-05-02 00:00:00"


def marking(lake: Lake, **over: Any) -> S3TableLoadConfig:
    return lake.config(
        **{"format": S3Format.DELTA, "mode": WriteMode.MERGE, "vanished_rows": VanishedRows.MARK, **over}
    )


def marks(lake: Lake, config: S3TableLoadConfig) -> dict[int, str | None]:
    found = lake.read(config).selectExpr("id", f"cast({DELETED_AT} as string)").collect()
    assert len({row[0] for row in found}) == len(found)
    return dict(sorted(map(tuple, found)))


@pytest.mark.parametrize("partitioned", [True, False])
def test_gone_rows_are_marked_once_and_lose_the_mark_when_they_come_back(lake: Lake, partitioned: bool) -> None:
    config = marking(lake, partitioned=partitioned)
    lake.loader("run-1").load(lake.frame(ONE, TWO, THREE), config)
    assert marks(lake, config) == {1: None, 2: None, 3: None}

    result = lake.loader("run-2", started_at=FIRST).load(lake.frame(NEW_TWO, FOUR), config)
    assert counts(result) == (1, 1, 0, 0, 2)
    assert lake.rows(config) == [ONE, NEW_TWO, THREE, FOUR]
    assert marks(lake, config) == {1: SINCE_FIRST, 2: None, 3: SINCE_FIRST, 4: None}

    before = state(lake, config)
    again = lake.loader("run-3", started_at=SECOND).load(lake.frame(NEW_TWO, FOUR), config)
    assert (counts(again), again.status) == ((0, 0, 2, 0, 0), LoadStatus.UNCHANGED)
    assert state(lake, config) == before

    back = lake.loader("run-4", started_at=SECOND).load(lake.frame(ONE, NEW_TWO), config)
    assert counts(back) == (0, 1, 1, 0, 1)
    assert marks(lake, config) == {1: None, 2: None, 3: SINCE_FIRST, 4: SINCE_SECOND}
    assert lake.rows(config) == [ONE, NEW_TWO, THREE, FOUR]


@pytest.mark.slow
def test_too_many_marks_are_refused_and_an_empty_source_marks_all(lake: Lake) -> None:
    config = marking(lake, maximum_deleted="50%")
    lake.loader("run-1").load(lake.frame(ONE, TWO, THREE), config)
    lake.loader("run-2", started_at=FIRST).load(lake.frame(ONE, TWO), config)
    nothing = lake.frame(ONE).where("false")

    before = state(lake, config)
    with pytest.raises(VanishedRowsError, match=r"at most 50% of the 2 rows of .* found 2; nothing was written"):
        lake.loader("run-3").load(nothing, config)
    assert state(lake, config) == before

    accepted = config.model_copy(update={"maximum_deleted": "100%"})
    assert counts(lake.loader("run-4", started_at=SECOND).load(nothing, accepted)) == (0, 0, 0, 0, 2)
    assert marks(lake, config) == {1: SINCE_SECOND, 2: SINCE_SECOND, 3: SINCE_FIRST}


@pytest.mark.slow
def test_a_part_of_the_source_marks_nothing_and_takes_marks_back(lake: Lake) -> None:
    config = marking(lake)
    lake.loader("run-1").load(lake.frame(ONE, TWO, THREE), config)
    lake.loader("run-2", started_at=FIRST).load(lake.frame(ONE), config)
    part = config.model_copy(update={"vanished_rows": VanishedRows.KEEP, "deleted_rows": VanishedRows.MARK})

    assert counts(lake.loader("run-3").load(lake.frame(THREE, FOUR), part)) == (1, 1, 0, 0, 0)
    assert marks(lake, config) == {1: None, 2: SINCE_FIRST, 3: None, 4: None}


@pytest.mark.slow
def test_a_table_that_stands_gets_the_column_where_its_contract_lets_it(lake: Lake) -> None:
    plain = marking(lake, vanished_rows=VanishedRows.KEEP)
    lake.loader("run-1").load(lake.frame(ONE, TWO), plain)
    config = plain.model_copy(update={"vanished_rows": VanishedRows.MARK})

    before = state(lake, config)
    for contract in (SchemaContract.FREEZE, SchemaContract.DISCARD_VALUE, SchemaContract.DISCARD_ROW):
        with pytest.raises(SchemaMismatchError, match=DELETED_AT):
            lake.loader("run-2").load(lake.frame(ONE), config.model_copy(update={"schema_contract": contract}))
    assert state(lake, config) == before

    assert counts(lake.loader("run-3", started_at=FIRST).load(lake.frame(ONE), config)) == (0, 0, 1, 0, 1)
    assert marks(lake, config) == {1: None, 2: SINCE_FIRST}
    assert counts(lake.loader("run-4", started_at=SECOND).load(lake.frame(TWO), config)) == (0, 1, 0, 0, 1)
    assert marks(lake, config) == {1: SINCE_SECOND, 2: None}


@pytest.mark.slow
@pytest.mark.parametrize("first", [S3Writer.SPARK, S3Writer.RUST])
def test_one_lane_goes_on_with_the_marks_of_the_other(lake: Lake, first: S3Writer) -> None:
    second = S3Writer.SPARK if first is S3Writer.RUST else S3Writer.RUST
    config = marking(lake, writer=first)
    lake.loader("run-1").load(lake.frame(ONE, TWO, THREE), config, LoadFacts(rows=3))
    lake.loader("run-2", started_at=FIRST).load(lake.frame(ONE, TWO), config, LoadFacts(rows=2))
    assert writer_of(lake, config) is first

    other = config.model_copy(update={"writer": second})
    result = lake.loader("run-3", started_at=SECOND).load(lake.frame(ONE, THREE), other, LoadFacts(rows=2))
    assert (counts(result), writer_of(lake, config)) == ((0, 1, 1, 0, 1), second)
    assert marks(lake, config) == {1: None, 2: SINCE_SECOND, 3: None}


@pytest.mark.parametrize("taken", [VanishedRows.DELETE, VanishedRows.MARK])
def test_rows_that_the_source_calls_deleted_go_by_their_key(lake: Lake, taken: VanishedRows) -> None:
    """One that stands, one that never did; twice. What is not mentioned stays."""
    config = marking(lake, vanished_rows=VanishedRows.KEEP, deleted_rows=taken, maximum_deleted="50%")
    lake.loader("run-1").load(lake.frame(ONE, TWO, THREE), config)
    marks_them = taken is VanishedRows.MARK

    def calling_deleted(rows: int, *keys: int) -> LoadFacts:
        return LoadFacts(
            rows, deleted=Deleted(len(keys), lake.spark.createDataFrame([(k,) for k in keys], "id bigint"))
        )

    result = lake.loader("run-2", started_at=FIRST).load(lake.frame(NEW_TWO, FOUR), config, calling_deleted(2, 3, 9))
    assert counts(result) == (1, 1, 0, 0, 1)
    left = [ONE, NEW_TWO, THREE, FOUR] if marks_them else [ONE, NEW_TWO, FOUR]
    assert lake.rows(config) == left
    assert not marks_them or marks(lake, config) == {1: None, 2: None, 3: SINCE_FIRST, 4: None}

    before = state(lake, config)
    again = lake.loader("run-3", started_at=SECOND).load(lake.frame(NEW_TWO, FOUR), config, calling_deleted(2, 3, 9))
    assert (counts(again), again.status) == ((0, 0, 2, 0, 0), LoadStatus.UNCHANGED)
    with pytest.raises(VanishedRowsError, match=r"at most 50% of the 3 rows of .* found 2; nothing was written"):
        lake.loader("run-4").load(lake.frame(ONE).where("false"), config, calling_deleted(0, 1, 4))
    assert state(lake, config) == before

    alone = lake.loader("run-5").load(lake.frame(ONE).where("false"), config, calling_deleted(0, 1))
    assert counts(alone) == (0, 0, 0, 0, 1)
    assert lake.rows(config) == (left if marks_them else left[1:])


@pytest.mark.slow
@pytest.mark.parametrize("taken", [VanishedRows.DELETE, VanishedRows.MARK])
def test_a_column_that_comes_with_deletions_is_added(lake: Lake, taken: VanishedRows) -> None:
    config = marking(lake, vanished_rows=VanishedRows.KEEP)
    lake.loader("run-1").load(lake.frame(ONE, TWO, THREE), config)
    wider = lake.frame(NEW_TWO, FOUR).selectExpr("*", "'new' AS other")
    keys = lake.spark.createDataFrame([(3,)], "id bigint")

    taking = config.model_copy(update={"deleted_rows": taken})
    facts = LoadFacts(2, deleted=Deleted(1, keys))
    assert counts(lake.loader("run-2", started_at=FIRST).load(wider, taking, facts)) == (1, 1, 0, 0, 1)
    found = dict(sorted(map(tuple, lake.read(config).select("id", "other").collect())))
    assert found == {1: None, 2: "new", **({3: None} if taken is VanishedRows.MARK else {}), 4: "new"}
    assert "_etl_leaves" not in lake.read(config).columns
