"""Every mode, engine and conflict resolution, twice; what each leaves in the table and in the counts."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from etl.errors import ConfigurationError, ConflictError, DuplicateKeyError, VanishedRowsError
from etl.load.base import LoadFacts
from etl.load.clickhouse import classify, publish
from etl.load.clickhouse.job import Job, Staged
from etl.model import LoadResult
from etl.statements.clickhouse.changes import Comparison
from tests.integration.load.clickhouse.conftest import ClickHouse, FrameOf, LoaderOf, entry

pytestmark = pytest.mark.stack

DAY = date(2025, 3, 1)
STORED = [("1", DAY, "one", Decimal("1.50")), ("2", DAY, "two", None), ("3", DAY, "three", Decimal("3"))]
INCOMING = [("1", DAY, "one", Decimal("1.50")), ("2", DAY, "zwei", None), ("4", DAY, None, Decimal("4"))]
MODES = [
    ("append", "MergeTree"),
    ("append", "ReplacingMergeTree"),
    ("merge", "ReplacingMergeTree"),
    ("replace_partition", "MergeTree"),
    ("replace_partition", "ReplacingMergeTree"),
]


def counts(result: LoadResult) -> dict[str, int]:
    named = {
        "inserted": result.rows_inserted,
        "updated": result.rows_updated,
        "unchanged": result.rows_unchanged,
        "skipped": result.rows_skipped,
        "rejected": result.rows_rejected,
        "deleted": result.rows_deleted,
    }
    assert result.accounted == result.rows_in
    return {name: count for name, count in named.items() if count}


def as_stored(rows: list[tuple[Any, ...]]) -> list[list[Any]]:
    """The rows as JSONCompact shows them."""
    return [[row[0], str(row[1]), row[2], None if row[3] is None else float(row[3])] for row in rows]


@pytest.mark.parametrize(("mode", "engine"), MODES)
@pytest.mark.parametrize("partition_by", [(), ("toYYYYMM(day)",)])
def test_update_publishes_new_and_changed_rows_once(
    clickhouse: ClickHouse,
    table: str,
    loader_of: LoaderOf,
    frame_of: FrameOf,
    mode: str,
    engine: str,
    partition_by: tuple[str, ...],
) -> None:
    config = entry(table, mode=mode, engine=engine, partition_by=partition_by)
    replaces = mode == "replace_partition"
    kept = INCOMING if replaces else [INCOMING[0], INCOMING[1], STORED[2], INCOMING[2]]

    assert counts(loader_of(1).load(frame_of(*STORED), config)) == {"inserted": 3}
    assert counts(loader_of(1).load(frame_of(*STORED), config)) == {"unchanged": 3}
    changed = counts(loader_of(2).load(frame_of(*INCOMING), config))
    again = counts(loader_of(3).load(frame_of(*INCOMING), config))

    assert changed == {"inserted": 1, "updated": 1, "unchanged": 1} | ({"deleted": 1} if replaces else {})
    assert again == {"unchanged": 3}
    assert clickhouse.rows(table, final=engine == "ReplacingMergeTree") == as_stored(kept)
    assert clickhouse.staging_of(table) == []


@pytest.mark.parametrize(("mode", "engine"), MODES[:3])
def test_skip_keeps_the_stored_row(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf, mode: str, engine: str
) -> None:
    config = entry(table, mode=mode, engine=engine, conflict_resolution="skip")
    loader_of(1).load(frame_of(*STORED), config)

    first = loader_of(2).load(frame_of(*INCOMING), config)
    second = loader_of(3).load(frame_of(*INCOMING), config)

    assert counts(first) == {"inserted": 1, "skipped": 1, "unchanged": 1}
    assert counts(second) == {"skipped": 1, "unchanged": 2}
    assert clickhouse.rows(table, final=engine == "ReplacingMergeTree") == as_stored([*STORED, INCOMING[2]])


@pytest.mark.parametrize(("mode", "engine"), MODES)
def test_error_names_the_key_and_changes_nothing(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf, mode: str, engine: str
) -> None:
    config = entry(table, mode=mode, engine=engine, conflict_resolution="error")
    loader_of(1).load(frame_of(*STORED), config)

    with pytest.raises(ConflictError, match=r"found 1 in .*\(2\)"):
        loader_of(2).load(frame_of(*INCOMING), config)

    assert clickhouse.rows(table, final=engine == "ReplacingMergeTree") == as_stored(STORED)
    assert clickhouse.staging_of(table) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mode": "replace_partition", "conflict_resolution": "skip"}, "cannot skip"),
        ({"mode": "merge", "engine": "MergeTree"}, "cannot merge"),
        ({"key": ()}, "a key is needed"),
        ({"order_by": ("day", "id")}, "order_by must hold just the key"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_touched(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        loader_of().load(frame_of(*STORED), entry(table, **options))

    assert table not in clickhouse.tables()


@pytest.mark.parametrize("mode", ["append", "merge", "replace_partition"])
def test_empty_frame_creates_the_table_and_never_wipes_it(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf, mode: str
) -> None:
    config = entry(table, mode=mode, partition_by=("toYYYYMM(day)",))
    empty = frame_of(*STORED).where("false")

    assert counts(loader_of(1).load(empty, config)) == {}
    assert clickhouse.rows(table) == []
    assert counts(loader_of(2).load(frame_of(*STORED), config)) == {"inserted": 3}
    assert counts(loader_of(3).load(empty, config)) == {}
    assert clickhouse.rows(table, final=True) == as_stored(STORED)


@pytest.mark.parametrize("mode", ["merge", "replace_partition"])
@pytest.mark.parametrize("partition_by", [(), ("toYYYYMMDD(day)",)])
def test_what_vanished_goes_whatever_its_partition(
    clickhouse: ClickHouse,
    table: str,
    loader_of: LoaderOf,
    frame_of: FrameOf,
    mode: str,
    partition_by: tuple[str, ...],
) -> None:
    """One of two rows of a day, all rows of a day, everything; too many are refused."""
    config = entry(table, mode=mode, partition_by=partition_by, vanished_rows="delete", maximum_deleted="60%")
    alone = ("9", date(2025, 3, 2), "alone", None)
    loader_of(1).load(frame_of(*STORED, alone), config)

    assert counts(loader_of(2).load(frame_of(*INCOMING[:2]), config)) == {"updated": 1, "unchanged": 1, "deleted": 2}
    assert clickhouse.rows(table, final=True) == as_stored(INCOMING[:2])
    with pytest.raises(VanishedRowsError, match=r"at most 60% of the 2 rows of .* found 2"):
        loader_of(3).load(frame_of(*STORED).where("false"), config)
    assert clickhouse.rows(table, final=True) == as_stored(INCOMING[:2])
    accepted = config.model_copy(update={"maximum_deleted": "100%"})
    assert counts(loader_of(4).load(frame_of(*STORED).where("false"), accepted)) == {"deleted": 2}
    assert clickhouse.rows(table) == []
    assert clickhouse.staging_of(table) == []


def test_merge_takes_a_moved_row_out_of_its_old_partition(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    config = entry(table, partition_by=("toYYYYMM(day)",))
    loader_of(1).load(frame_of(*STORED), config)
    moved = ("2", date(2025, 4, 1), "two", None)

    result = loader_of(2).load(frame_of(moved), config)

    assert counts(result) == {"updated": 1}
    assert clickhouse.rows(table) == as_stored([STORED[0], moved, STORED[2]])  # without FINAL: no second version


def test_replace_partition_takes_a_moved_row_out_of_a_partition_it_does_not_replace(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    config = entry(table, mode="merge", partition_by=("toYYYYMM(day)",))
    april = ("5", date(2025, 4, 1), "five", None)
    loader_of(1).load(frame_of(*STORED, april), config)
    moved = ("2", date(2025, 4, 1), "two", None)

    result = loader_of(2).replace_partition(frame_of(moved), config)

    assert counts(result) == {"updated": 1, "deleted": 1}
    assert clickhouse.rows(table) == as_stored([STORED[0], moved, STORED[2]])


def test_replace_partition_leaves_other_partitions_and_equal_ones_alone(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    config = entry(table, mode="replace_partition", partition_by=("toYYYYMMDD(day)",), key=("id", "day"))
    days = [date(2025, 3, day) for day in (1, 2, 3)]
    loader_of(1).load(frame_of(*[("a", day, "x", None) for day in days]), config)

    result = loader_of(2).load(frame_of(("a", days[0], "x", None), ("b", days[1], "y", None)), config)

    assert counts(result) == {"inserted": 1, "unchanged": 1, "deleted": 1}
    assert clickhouse.rows(table, final=True) == as_stored(
        [("a", days[0], "x", None), ("a", days[2], "x", None), ("b", days[1], "y", None)]
    )
    versions = clickhouse.query(f"SELECT day, _etl_version FROM `{table}` ORDER BY day")
    assert versions == [["2025-03-01", 1], ["2025-03-02", 2], ["2025-03-03", 1]]


@pytest.mark.parametrize(("mode", "engine"), MODES)
def test_partitions_that_stand_as_staged_are_left_out_of_the_comparison(
    clickhouse: ClickHouse,
    table: str,
    loader_of: LoaderOf,
    frame_of: FrameOf,
    mode: str,
    engine: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(classify, "ROWS_WORTH_SUMMING", 0)
    left_out: list[tuple[str, ...]] = []
    find_changes = classify.find_changes

    def finding(job: Job, comparison: Comparison, staged: Staged) -> classify.Changes:
        left_out.append(comparison.equal_ids)
        return find_changes(job, comparison, staged)

    monkeypatch.setattr(publish, "find_changes", finding)
    config = entry(table, mode=mode, engine=engine, partition_by=("toYYYYMMDD(day)",))
    days = [date(2025, 3, day) for day in (1, 2, 3)]
    rows = [(f"{day:%d}{letter}", day, letter, None) for day in days for letter in "ab"]
    swapped = [("01a", days[0], "b", None), ("01b", days[0], "a", None), *rows[2:]]
    crossed = [*rows[:2], ("03a", days[1], "a", None), rows[3], ("02a", days[2], "a", None), rows[5]]

    def load(run: int, content: list[tuple[Any, ...]]) -> dict[str, int]:
        return counts(loader_of(run).load(frame_of(*content), config, LoadFacts(len(content))))

    def stored() -> list[list[Any]]:
        return clickhouse.rows(table, final=engine == "ReplacingMergeTree")

    assert load(1, rows) == {"inserted": 6}
    assert load(2, rows) == {"unchanged": 6}
    assert load(3, swapped) == {"updated": 2, "unchanged": 4}
    assert stored() == as_stored(sorted(swapped))
    assert load(4, rows) == {"updated": 2, "unchanged": 4}
    assert load(5, crossed) == {"updated": 2, "unchanged": 4}
    assert stored() == as_stored(sorted(crossed))
    first, second, third = ("20250301", "20250302", "20250303")
    assert left_out[0] == (first, second, third)
    assert left_out[1] == (second, third)


def test_a_key_staged_twice_is_found_among_rows_that_stand(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classify, "ROWS_WORTH_SUMMING", 0)
    config = entry(table, mode="append", engine="MergeTree")
    loader_of(1).load(frame_of(*STORED), config, LoadFacts(3))
    clickhouse.execute(f"INSERT INTO `{table}` SELECT * FROM `{table}` WHERE id = '1'")

    with pytest.raises(DuplicateKeyError):
        loader_of(2).load(frame_of(*STORED, STORED[0]), config)


def test_a_row_older_than_the_stored_version_is_skipped(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    config = entry(table, version="day")
    loader_of(1).load(frame_of(("1", date(2025, 3, 2), "newer", None)), config)

    older = loader_of(2).load(frame_of(("1", date(2025, 3, 1), "older", None)), config)
    newer = loader_of(3).load(frame_of(("1", date(2025, 3, 3), "newest", None)), config)

    assert counts(older) == {"skipped": 1}
    assert counts(newer) == {"updated": 1}
    assert clickhouse.rows(table, final=True) == as_stored([("1", date(2025, 3, 3), "newest", None)])


def test_null_safe_key_matches_null_with_null(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    config = entry(table, key=("id", "name"), null_safe_key=True)
    first = loader_of(1).load(frame_of(("1", DAY, None, None), ("1", DAY, "x", None)), config)
    second = loader_of(2).load(frame_of(("1", DAY, None, Decimal("2")), ("1", DAY, "x", None)), config)

    assert counts(first) == {"inserted": 2}
    assert counts(second) == {"updated": 1, "unchanged": 1}
    expected = as_stored([("1", DAY, None, Decimal("2")), ("1", DAY, "x", None)])
    assert sorted(clickhouse.rows(table, final=True), key=str) == sorted(expected, key=str)


def test_a_year_of_daily_partitions_goes_in_at_once(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    config = entry(table, mode="append", engine="MergeTree", partition_by=("toYYYYMMDD(day)",))
    year = frame_of(("x", DAY, "", None)).selectExpr("explode(sequence(0, 364)) AS number", "name", "amount")
    df = year.selectExpr("cast(number AS string) AS id", "date_add(date'2025-01-01', number) AS day", "name", "amount")

    assert counts(loader_of(1).load(df, config)) == {"inserted": 365}
    assert clickhouse.query(f"SELECT count(), uniqExact(_partition_id) FROM `{table}`") == [[365, 365]]
