"""One suite for every loader: what DataFrames turn into, whatever the store. A package subclasses LoaderContract."""

from __future__ import annotations

import datetime as dt
import itertools
import uuid
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from etl.config.settings import Settings
from etl.errors import ConflictError, DuplicateKeyError, EtlError, NullKeyError
from etl.load.base import BaseLoader, Deleted, LoaderConfig, LoadFacts
from etl.load.factory import LoaderFactory
from etl.model import DELETED_AT, ConflictResolution, Destination, LoadResult, LoadStatus, VanishedRows
from etl.spark.session import configure_s3
from etl.testing.store import Row, Store

SCHEMA = "id bigint, day date, at timestamp, amount decimal(12,2), body string"
WIDE = (
    "id bigint, day date, flag boolean, small smallint, ratio double, single float, price decimal(38,9), at timestamp,"
    " raw binary, tags array<string>, counts array<int>"
)
PRICE = "12345678901234567890.123456789"
COLUMNS = "id day amount body"
AT = dt.datetime(2026, 6, 30, 12, 0, 0, 123456, tzinfo=dt.UTC)
JUNE, JULY = dt.date(2026, 6, 30), dt.date(2026, 7, 1)
_numbers = itertools.count(1)
SESSION = uuid.uuid4().hex[:8]
"""Servers may be kept between sessions: names must not meet those of an earlier one."""


class Loading:
    """Loads into one table of one store, each time as another run, and reads back what stands there."""

    def __init__(self, spark: SparkSession, settings: Settings, store: Store, table: str) -> None:
        self.spark, self.settings, self.store, self.table = spark, settings, store, table

    def loader(self, number: int | None = None) -> BaseLoader[Any]:
        number = next(_numbers) if number is None else number
        config = LoaderConfig(self.settings, run_id=f"contract-{SESSION}-{number}", run_number=number)
        return LoaderFactory.get_loader(self.store.destination, self.spark, self.settings, config)

    def frame(self, rows: list[Row]) -> DataFrame:
        full = [(key, day, AT, amount, body) for key, day, amount, body in rows]
        return self.spark.createDataFrame(full, SCHEMA)

    def merge(self, rows: list[Row]) -> LoadResult:
        return self.loader().load(self.frame(rows), self.store.merging(self.table))

    def letting_go(self, rows: list[Row], *deleted: int, **taken: VanishedRows) -> LoadResult:
        """A merge, with what becomes of rows that are gone; `deleted` are keys that the source calls so."""
        config = self.store.merging(self.table).model_copy(update=taken)
        keys = self.spark.createDataFrame([(key,) for key in deleted], "id bigint")
        facts = LoadFacts(len(rows), rows_read=len(rows), deleted=Deleted(len(deleted), keys)) if deleted else None
        return self.loader().load(self.frame(rows), config, facts)

    def append(self, rows: list[Row], conflict: ConflictResolution = ConflictResolution.ERROR) -> LoadResult:
        return self.loader().load(self.frame(rows), self.store.appending(self.table, conflict))

    def overwrite(self, rows: list[Row]) -> LoadResult:
        return self.loader().load(self.frame(rows), self.store.overwriting(self.table))

    def rows(self, columns: str = COLUMNS) -> list[Row]:
        return self.store.read(self.spark, self.settings, self.table, columns)

    def staging_left(self) -> list[str]:
        return self.store.staging_left(self.spark, self.settings, self.table)


def row(key: int, body: str = "text", day: dt.date = JUNE, amount: str = "1.50") -> Row:
    return (key, day, Decimal(amount), body)


def stored(*rows: Row) -> list[Row]:
    return sorted((str(key), str(day), str(amount), body) for key, day, amount, body in rows)


def counts(result: LoadResult) -> tuple[int, int, int, int, int]:
    return (
        result.rows_inserted,
        result.rows_updated,
        result.rows_unchanged,
        result.rows_skipped,
        result.rows_rejected,
    )


class LoaderContract:
    """A subclass has the fixtures `store`, `settings` (with the store's server) and `spark` (`small_session`)."""

    @pytest.fixture
    def loading(self, spark: SparkSession, settings: Settings, store: Store) -> Loading:
        if settings.s3:
            configure_s3(spark, settings.s3)
        return Loading(spark, settings, store, f"contract_{SESSION}_{next(_numbers)}")

    def test_a_first_load_inserts_every_row(self, loading: Loading, store: Store) -> None:
        result = loading.merge([row(1), row(2, "ünï — 東京"), row(3, "", JULY, "-0.01")])
        assert result.destination == Destination(store.destination)
        assert counts(result) == (3, 0, 0, 0, 0)
        assert result.rows_in == result.accounted == 3
        assert result.bytes_written > 0
        assert loading.rows() == stored(row(1), row(2, "ünï — 東京"), row(3, "", JULY, "-0.01"))

    def test_the_same_rows_again_change_nothing(self, loading: Loading) -> None:
        loading.merge([row(1), row(2)])
        again = loading.merge([row(1), row(2)])
        assert counts(again) == (0, 0, 2, 0, 0)
        assert again.status is LoadStatus.UNCHANGED
        assert loading.rows() == stored(row(1), row(2))

    def test_a_merge_inserts_updates_and_leaves_alone(self, loading: Loading) -> None:
        loading.merge([row(1), row(2)])
        result = loading.merge([row(2, "changed"), row(1), row(3)])
        assert counts(result) == (1, 1, 1, 0, 0)
        assert loading.rows() == stored(row(1), row(2, "changed"), row(3))

    def test_a_row_whose_date_changed_leaves_its_old_partition(self, loading: Loading) -> None:
        loading.merge([row(1), row(2)])
        assert counts(loading.merge([row(1, day=JULY)])) == (0, 1, 0, 0, 0)
        assert loading.rows() == stored(row(1, day=JULY), row(2))

    def test_rows_that_are_gone_are_marked_once_and_come_back(self, loading: Loading, store: Store) -> None:
        if not store.merging(loading.table).marks_with:
            pytest.skip("its rows cannot be marked")
        loading.letting_go([row(1), row(2), row(3)], vanished_rows=VanishedRows.MARK)
        gone = loading.letting_go([row(1)], vanished_rows=VanishedRows.MARK)
        assert (counts(gone), gone.rows_deleted) == ((0, 0, 1, 0, 0), 2)
        assert loading.rows() == stored(row(1), row(2), row(3))
        marks = loading.rows(f"id {DELETED_AT}")
        assert [mark is None for _, mark in marks] == [True, False, False]

        again = loading.letting_go([row(1)], vanished_rows=VanishedRows.MARK)
        assert (again.status, again.rows_deleted) == (LoadStatus.UNCHANGED, 0)
        assert loading.rows(f"id {DELETED_AT}") == marks

        back = loading.letting_go([row(2, "new")], deleted_rows=VanishedRows.MARK)
        assert (counts(back), back.rows_deleted) == ((0, 1, 0, 0, 0), 0)
        assert loading.rows() == stored(row(1), row(2, "new"), row(3))
        assert [mark is None for _, mark in loading.rows(f"id {DELETED_AT}")] == [True, True, False]

    @pytest.mark.parametrize("taken", [VanishedRows.DELETE, VanishedRows.MARK])
    def test_rows_that_the_source_calls_deleted_go(self, loading: Loading, store: Store, taken: VanishedRows) -> None:
        if not store.merging(loading.table).deletes_by_key:
            pytest.skip("its rows cannot go by their key")
        loading.letting_go([row(1), row(2), row(3)], deleted_rows=taken)
        result = loading.letting_go([row(1, "new")], 2, 9, deleted_rows=taken)
        assert (counts(result), result.rows_deleted) == ((0, 1, 0, 0, 0), 1)
        left = [row(1, "new"), row(2), row(3)] if taken is VanishedRows.MARK else [row(1, "new"), row(3)]
        assert loading.rows() == stored(*left)
        again = loading.letting_go([row(1, "new")], 2, 9, deleted_rows=taken)
        assert (again.status, again.rows_deleted) == (LoadStatus.UNCHANGED, 0)
        assert loading.staging_left() == []

    def test_an_empty_frame_creates_the_table_and_later_wipes_nothing(self, loading: Loading) -> None:
        assert counts(loading.merge([])) == (0, 0, 0, 0, 0)
        loading.merge([row(1)])
        assert counts(loading.merge([])) == (0, 0, 0, 0, 0)
        assert loading.rows() == stored(row(1))

    def test_duplicate_keys_are_refused_with_key_and_count(self, loading: Loading) -> None:
        loading.merge([row(1)])
        with pytest.raises(DuplicateKeyError) as caught:
            loading.merge([row(7), row(7, "other"), row(8)])
        assert "7" in str(caught.value)
        assert "2" in str(caught.value) or "1 key" in str(caught.value)
        assert loading.rows() == stored(row(1))

    def test_a_null_key_is_refused_with_its_count(self, loading: Loading) -> None:
        loading.merge([row(1)])
        nulls: list[Row] = [(None, JUNE, Decimal("1.00"), "a"), (None, JUNE, Decimal("1.00"), "b")]
        with pytest.raises(NullKeyError) as caught:
            loading.merge([*nulls, row(2)])
        assert "2" in str(caught.value)
        assert loading.rows() == stored(row(1))

    def test_an_append_takes_only_new_rows(self, loading: Loading) -> None:
        assert counts(loading.append([row(1), row(2)])) == (2, 0, 0, 0, 0)
        assert counts(loading.append([row(1), row(2), row(3, day=JULY)])) == (1, 0, 2, 0, 0)
        assert loading.rows() == stored(row(1), row(2), row(3, day=JULY))

    def test_an_append_with_error_refuses_a_row_that_differs(self, loading: Loading) -> None:
        loading.append([row(1), row(2)])
        with pytest.raises(ConflictError) as caught:
            loading.append([row(1, "differs"), row(3)])
        assert "1" in str(caught.value)
        assert loading.rows() == stored(row(1), row(2))

    def test_an_append_with_skip_keeps_what_stands(self, loading: Loading) -> None:
        loading.append([row(1)])
        result = loading.append([row(1, "differs"), row(2)], ConflictResolution.SKIP)
        assert counts(result) == (1, 0, 0, 1, 0)
        assert loading.rows() == stored(row(1), row(2))

    def test_an_overwrite_leaves_the_frame_s_rows_alone(self, loading: Loading) -> None:
        loading.overwrite([row(1), row(2), row(3)])
        result = loading.overwrite([row(2, "changed"), row(3), row(4, day=JULY)])
        assert result.rows_in == result.accounted == 3
        assert loading.rows() == stored(row(2, "changed"), row(3), row(4, day=JULY))
        loading.overwrite([row(2, "changed"), row(3), row(4, day=JULY)])
        assert loading.rows() == stored(row(2, "changed"), row(3), row(4, day=JULY))
        assert loading.staging_left() == []

    def test_a_failure_half_way_leaves_the_table_as_it_was(self, loading: Loading) -> None:
        loading.merge([row(1)])
        frame = loading.frame([row(key) for key in range(1, 101)]).repartition(4, "id")
        broken = frame.withColumn("body", F.expr("if(id = 77, raise_error('the 77th row'), 'new')"))
        with pytest.raises(Exception, match="the 77th row"):
            loading.loader(901).load(broken, loading.store.merging(loading.table))
        assert loading.rows() == stored(row(1))
        loading.loader().remove_orphans(loading.store.merging(loading.table), frozenset())
        assert loading.staging_left() == []
        assert counts(loading.merge([row(1), row(2)])) == (1, 0, 1, 0, 0)
        assert loading.rows() == stored(row(1), row(2))

    def test_no_staging_is_left_behind(self, loading: Loading) -> None:
        loading.merge([row(1)])
        loading.merge([row(1, "changed"), row(2, day=JULY)])
        assert loading.staging_left() == []

    def test_the_target_is_named_and_found(self, loading: Loading) -> None:
        config = loading.store.merging(loading.table)
        loader = loading.loader()
        assert not loader.target_exists(config)
        result = loading.merge([row(1)])
        assert loader.target_exists(config)
        assert loading.table in loader.target(config)
        assert result.target == loader.target(config)

    def test_a_plan_writes_nothing(self, loading: Loading) -> None:
        config = loading.store.merging(loading.table)
        loader = loading.loader()
        assert loader.plan(loading.frame([row(1)]), config)
        assert not loader.target_exists(config)

    def test_wide_types_are_validated_in_the_store(self, loading: Loading) -> None:
        """A loader that compares every column's checksum in the store with the frame's would raise ValidationError."""
        early = dt.datetime(1950, 1, 1, 0, 0, 0, 1, tzinfo=dt.UTC)
        rows = [
            (1, JUNE, True, -5, 0.1, 2.5, Decimal(PRICE), early, b"\x00\xff", ["a", None], [1]),
            (2, dt.date(1950, 1, 1), None, None, float("nan"), None, None, AT, None, [], []),
        ]
        frame = loading.spark.createDataFrame(rows, WIDE)
        result = loading.loader().load(frame, loading.store.merging(loading.table))
        assert counts(result) == (2, 0, 0, 0, 0)
        assert counts(loading.loader().load(frame, loading.store.merging(loading.table))) == (0, 0, 2, 0, 0)
        assert [each[0] for each in loading.rows("id day small price")] == ["1", "2"]
        assert loading.rows("id price")[0][1] == PRICE

    def test_a_loader_raises_only_errors_of_the_tree_for_what_it_can_know(self, loading: Loading) -> None:
        loading.merge([row(1)])
        other = loading.frame([row(2)]).withColumn("day", F.lit("not a date"))
        with pytest.raises(EtlError):
            loading.loader().load(other, loading.store.merging(loading.table))
        assert loading.rows() == stored(row(1))
