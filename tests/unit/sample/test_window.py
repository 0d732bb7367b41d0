"""Days and traffic."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np

from etl.sample.window import Window

WEEK = Window(date(2026, 6, 28), 7)


def test_a_window_ends_with_its_last_day() -> None:
    assert WEEK.first_date == date(2026, 6, 22)
    assert datetime.fromtimestamp(WEEK.start / 1e6, UTC) == datetime(2026, 6, 22, tzinfo=UTC)
    assert datetime.fromtimestamp(WEEK.end / 1e6, UTC) == datetime(2026, 6, 29, tzinfo=UTC)


def test_the_next_window_begins_where_this_one_ends() -> None:
    assert WEEK.after(3) == Window(date(2026, 7, 1), 3)
    assert WEEK.after(3).start == WEEK.end


def test_traffic_runs_from_start_to_end_and_back_again() -> None:
    positions = np.linspace(0, 1, 1_000)
    instants = WEEK.instant_at(positions)
    assert instants[0] == WEEK.start
    assert instants[-1] == WEEK.end - 1
    assert (np.diff(instants) >= 0).all()
    assert np.allclose(WEEK.position_of(instants), positions, atol=1e-6)


def test_evenings_are_busier_than_nights_and_mondays_than_saturdays() -> None:
    instants = WEEK.instant_at(np.linspace(0, 1, 50_000, endpoint=False))
    hours = np.bincount(instants // 3_600_000_000 % 24, minlength=24)
    days = np.bincount((instants - WEEK.start) // 86_400_000_000, minlength=7)
    assert hours[20] > 5 * hours[3]
    assert days[0] > 1.2 * days[5]
