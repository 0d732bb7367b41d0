from datetime import UTC, datetime

import pytest

from etl.config.tables.models import ExtractConfig
from etl.extract.values import Transactions, Unseen
from etl.model import ExtractMode
from etl.pipeline.options import RunOptions
from etl.pipeline.tables.windows import (
    Bounds,
    bounds_for,
    holds_all_seen,
    is_after,
    less_overlap,
    next_mark,
    widest,
)

INCREMENTAL = ExtractConfig(mode=ExtractMode.INCREMENTAL, watermark="updated_at", overlap_seconds=600)
MARK = "2026-06-30T12:00:00.000000+00:00"
LATER = "2026-07-01T00:00:00.000000+00:00"


def instant(day: int) -> datetime:
    return datetime(2026, 6, day, tzinfo=UTC)


def test_a_full_table_has_no_bounds_even_when_resumed() -> None:
    assert bounds_for(ExtractConfig(), MARK, RunOptions(), frozen_upper=LATER) == Bounds()


def test_without_a_mark_everything_is_read() -> None:
    assert bounds_for(INCREMENTAL, None, RunOptions(), None) == Bounds(None, None)


def test_reading_starts_at_the_mark_less_the_overlap() -> None:
    bounds = bounds_for(INCREMENTAL, MARK, RunOptions(), None)
    assert bounds == Bounds(MARK, None, 600)
    assert bounds.first == "2026-06-30T11:50:00.000000+00:00"


def test_a_resumed_run_stops_at_its_frozen_mark() -> None:
    assert bounds_for(INCREMENTAL, None, RunOptions(), frozen_upper=LATER) == Bounds(None, LATER)


def test_full_refresh_forgets_the_mark() -> None:
    assert bounds_for(INCREMENTAL, MARK, RunOptions(full_refresh=True), None) == Bounds(None, None)


def test_since_is_inclusive_and_until_exclusive() -> None:
    bounds = bounds_for(INCREMENTAL, MARK, RunOptions(since=instant(1), until=instant(2)), None)
    assert bounds == Bounds("2026-05-31T23:59:59.999999+00:00", "2026-06-01T23:59:59.999999+00:00")


@pytest.mark.parametrize(
    ("mark", "expected"),
    [("42", "42"), ("-7", "-7"), ("2026-06-30", "2026-06-29"), (None, None)],
)
def test_overlap_of_numbers_and_dates(mark: str | None, expected: str | None) -> None:
    assert less_overlap(mark, 600) == expected


def test_a_mark_moves_forward_only() -> None:
    assert next_mark(MARK, Bounds(), LATER, RunOptions()) == LATER
    assert next_mark(LATER, Bounds(), MARK, RunOptions()) == LATER
    assert next_mark(MARK, Bounds(), None, RunOptions()) == MARK


def test_a_backfill_behind_the_mark_may_move_it_and_one_beyond_a_gap_may_not() -> None:
    since = RunOptions(since=instant(1))
    assert next_mark(MARK, Bounds(lower="2026-06-01T00:00:00+00:00"), LATER, since) == LATER
    assert next_mark(MARK, Bounds(lower="2026-06-30T12:00:00.000001+00:00"), LATER, since) == MARK
    assert next_mark(None, Bounds(lower="2026-06-01T00:00:00+00:00"), LATER, since) is None


def test_the_widest_bounds_start_first() -> None:
    assert widest([Bounds(LATER), Bounds(MARK)]) == Bounds(MARK)
    assert widest([Bounds(MARK), Bounds(None)]) == Bounds(None)


def test_what_a_destination_has_not_seen_is_within_its_bounds() -> None:
    unseen = Transactions(5, 9)
    assert bounds_for(INCREMENTAL, MARK, RunOptions(), None, Unseen(unseen)) == Bounds(MARK, None, 600, unseen)
    assert bounds_for(INCREMENTAL, None, RunOptions(), None, Unseen(unseen)) == Bounds()
    since = bounds_for(INCREMENTAL, MARK, RunOptions(since=instant(1)), None, Unseen(unseen))
    assert since == Bounds("2026-05-31T23:59:59.999999+00:00")
    lost = Unseen(lost="another server")
    assert bounds_for(INCREMENTAL, MARK, RunOptions(), LATER, lost) == Bounds(None, LATER)
    assert bounds_for(INCREMENTAL, MARK, RunOptions(since=instant(1)), None, lost) == since


def test_the_widest_bounds_have_what_any_has_not_seen() -> None:
    one, other = Bounds(MARK, None, 600, Transactions(7, 9)), Bounds(LATER, None, 600, Transactions(5, 9))
    assert widest([one, other]) == Bounds(MARK, None, 600, Transactions(5, 9))
    assert widest([other, Bounds(MARK)]) == Bounds(MARK, unseen=Transactions(5, 9))
    assert widest([one, Bounds()]) == Bounds(unseen=Transactions(7, 9))


def test_seen_is_only_what_was_read_up_to_the_mark() -> None:
    assert holds_all_seen(MARK, Bounds(MARK), RunOptions())
    assert holds_all_seen(MARK, Bounds(MARK, MARK), RunOptions())
    assert not holds_all_seen(LATER, Bounds(LATER, MARK), RunOptions())
    assert not holds_all_seen(MARK, Bounds(), RunOptions(since=instant(1)))
    assert not holds_all_seen(None, Bounds(), RunOptions())


def test_marks_as_postgresql_prints_them() -> None:
    assert is_after("2026-06-30 12:00:00.5+00", "2026-06-30 12:00:00+00")
    assert less_overlap("2026-06-30 12:00:00.25+00", 1) == "2026-06-30T11:59:59.250000+00:00"


def test_marks_compare_by_value() -> None:
    assert is_after("10", "9")
    assert is_after("2026-06-30T12:00:00.5+00:00", "2026-06-30T12:00:00+00:00")
