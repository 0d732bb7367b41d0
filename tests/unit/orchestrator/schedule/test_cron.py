"""Ticks against a crontab's daemon as Debian has it, written down here in the simplest way: minute by minute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from etl.orchestrator.schedule.cron import Cron, local

ZONES = (
    "America/New_York",
    "Europe/Berlin",
    "Europe/London",
    "Australia/Lord_Howe",  # half an hour
    "Pacific/Chatham",
    "America/Santiago",  # at midnight, as the next three
    "Africa/Cairo",
    "Asia/Beirut",
    "America/Havana",
    "Africa/Casablanca",  # winter time in Ramadan
)
BEGIN, END = datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
NEW_YORK = "America/New_York"


def changes(zone: str) -> list[datetime]:
    """The days of the two years within which this zone's clock changes."""
    days = [BEGIN + DAY * number for number in range((END - BEGIN).days)]
    return [day for day in days if local(day, zone).utcoffset() != local(day + DAY, zone).utcoffset()]


CHANGES = {zone: changes(zone) for zone in ZONES}


@dataclass(frozen=True)
class Field:
    text: str
    values: frozenset[int]


def field(lowest: int, highest: int) -> st.SearchStrategy[Field]:
    step = st.integers(2, 20).map(lambda by: Field(f"*/{by}", frozenset(range(lowest, highest + 1, by))))
    every = st.just(Field("*", frozenset(range(lowest, highest + 1))))
    return st.one_of(numbers(lowest, highest), step, every)


def numbers(lowest: int, highest: int) -> st.SearchStrategy[Field]:
    number = st.integers(lowest, highest)
    one = number.map(lambda value: Field(str(value), frozenset({value})))
    some = st.sets(number, min_size=2, max_size=4).map(
        lambda values: Field(",".join(map(str, sorted(values))), frozenset(values))
    )
    several = st.tuples(number, number).map(lambda ends: reach(*sorted(ends)))
    return st.one_of(one, some, several)


def reach(first: int, last: int) -> Field:
    return Field(f"{first}-{last}", frozenset(range(first, last + 1)))


@dataclass(frozen=True)
class Line:
    """A crontab's line, by its fields."""

    minute: Field
    hour: Field
    day: Field
    month: Field
    weekday: Field

    @property
    def text(self) -> str:
        return " ".join(each.text for each in (self.minute, self.hour, self.day, self.month, self.weekday))

    @property
    def goes_by_the_wall(self) -> bool:
        return self.minute.text.startswith("*") or self.hour.text.startswith("*")

    def matches(self, wall: datetime) -> bool:
        is_time = wall.minute in self.minute.values and wall.hour in self.hour.values
        return is_time and wall.month in self.month.values and self._is_day(wall.date())

    def _is_day(self, day: date) -> bool:
        by_month = day.day in self.day.values
        by_week = bool({day.isoweekday(), day.isoweekday() % 7} & self.weekday.values)
        if self.day.text.startswith("*") or self.weekday.text.startswith("*"):
            return by_month and by_week
        return by_month or by_week


def daemon(line: Line, zone: str, begin: datetime, end: datetime) -> Iterator[datetime]:
    """Wakes each minute; started a day before, so that it knows what it has seen on the wall."""
    instant = begin - DAY
    furthest = wall_of(instant, zone) - MINUTE
    while instant < end:
        wall = wall_of(instant, zone)
        if line.goes_by_the_wall:
            is_due = line.matches(wall)
        else:
            new = [furthest + MINUTE * number for number in range(1, (wall - furthest) // MINUTE + 1)]
            is_due = any(line.matches(each) for each in new)
        furthest = max(furthest, wall)
        if is_due and instant >= begin:
            yield instant
        instant += MINUTE


def wall_of(instant: datetime, zone: str) -> datetime:
    return instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


LINES = st.builds(Line, field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7))
OFTEN = st.builds(
    Line, field(0, 59), st.one_of(numbers(0, 3), field(0, 23)), *(st.just(Field("*", frozenset(range(32)))),) * 3
)
DAYS = st.sampled_from(ZONES).flatmap(
    lambda zone: st.tuples(
        st.just(zone),
        st.one_of(st.sampled_from(CHANGES[zone]), st.integers(0, 729).map(lambda number: BEGIN + DAY * number)),
    )
)


@given(line=st.one_of(OFTEN, LINES), day=DAYS, minutes=st.integers(0, 1439))
@examples(max_examples=100)
def test_no_tick_is_lost_or_doubled(line: Line, day: tuple[str, datetime], minutes: int) -> None:
    zone, start = day
    begin, end = start - DAY / 2 + MINUTE * minutes, start + DAY * 1.2
    try:
        cron = Cron(line.text, zone)
    except ValueError:  # a day that never comes; what is refused is asked below
        return
    assert list(cron.between(begin, end)) == list(daemon(line, zone, begin, end))


@given(line=st.one_of(OFTEN, LINES), day=DAYS, seconds=st.integers(0, 86_399), microseconds=st.integers(0, 999_999))
@examples(max_examples=100)
def test_next_is_later_at_the_right_time_of_day(
    line: Line, day: tuple[str, datetime], seconds: int, microseconds: int
) -> None:
    zone, start = day
    try:
        cron = Cron(line.text, zone)
    except ValueError as fault:
        assert "Bad day-of-month" in str(fault) or "no calendar" in str(fault)
        return
    instant = start + timedelta(seconds=seconds, microseconds=microseconds)
    tick = cron.after(instant)
    assert tick is not None and tick > instant
    wall = wall_of(tick, zone)
    assert line.matches(wall) or wall_of(tick - MINUTE, zone) + MINUTE < wall
    assert cron.before(tick + MINUTE / 60) == tick
    begin, end = cron.interval(tick)
    assert begin < end == tick
    assert cron.after(begin) == tick


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("expression", ["30 1 * * *", "30 2 * * *", "0 0 * * *", "0,30 5 * * *"])
def test_two_years_have_each_day_once(zone: str, expression: str) -> None:
    ticks = list(Cron(expression, zone).between(BEGIN, END))
    assert all(previous < following for previous, following in pairwise(ticks))
    days = [local(tick, zone).date() for tick in ticks]
    if expression == "0,30 5 * * *":
        assert set(map(days.count, days[2:-2])) == {2}
    else:
        assert days == [days[0] + DAY * number for number in range(len(days))]
    assert set(days) >= {(BEGIN + DAY * number).date() for number in range(1, 729)}


@pytest.mark.parametrize(
    ("expression", "zone", "day", "expected"),
    [
        ("30 1 * * *", NEW_YORK, "2026-11-01", ["01:30-0400"]),
        ("30 2 * * *", NEW_YORK, "2026-03-08", ["03:00-0400"]),
        ("0,30 2,3 * * *", NEW_YORK, "2026-03-08", ["03:00-0400", "03:30-0400"]),
        ("0 1-3 * * *", NEW_YORK, "2026-11-01", ["01:00-0400", "02:00-0500", "03:00-0500"]),
        ("0 7,9 * * *", "Europe/Berlin", "2026-03-29", ["07:00+0200", "09:00+0200"]),
        ("*/30 1 * * *", NEW_YORK, "2026-11-01", ["01:00-0400", "01:30-0400", "01:00-0500", "01:30-0500"]),
        ("*/20 2 * * *", NEW_YORK, "2026-03-08", []),
        # which cronsim loses when it is given the zone
        (
            "0 */2 * * *",
            "Australia/Lord_Howe",
            "2026-04-05",
            [f"{hour:02}:00+{1100 if hour < 2 else 1030}" for hour in range(0, 24, 2)],
        ),
    ],
)
def test_days_on_which_clocks_change(expression: str, zone: str, day: str, expected: list[str]) -> None:
    begin = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    ticks = Cron(expression, zone).between(begin, begin + DAY)
    assert [local(tick, zone).strftime("%H:%M%z") for tick in ticks] == expected


def test_second_hour_does_not_begin_the_first_anew() -> None:
    within_the_second = datetime(2026, 11, 1, 6, 15, tzinfo=UTC)
    assert Cron("30 1 * * *", NEW_YORK).after(within_the_second) == datetime(2026, 11, 2, 6, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 0 13 * 5", ["06", "13", "20", "27"]),  # Fridays, and the 13th, which is one
        ("0 0 1,15 * 1", ["01", "02", "09", "15", "16", "23", "30"]),
        ("0 0 */2 * 1", ["09", "23"]),
        ("0 0 13 * */5", ["13"]),
        ("0 0 L * *", ["30"]),
        ("0 0 * * MON#2", ["09"]),
    ],
)
def test_day_of_month_and_day_of_week(expression: str, expected: list[str]) -> None:
    november = Cron(expression).between(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    assert [tick.strftime("%d") for tick in november] == expected


@pytest.mark.parametrize(
    ("expression", "zone", "told"),
    [
        ("0 0 31 2 *", "UTC", "day"),
        ("0 0 31 4,6,9,11 *", "UTC", "day"),
        ("0 0 2 * * *", "UTC", "five fields"),
        ("@daily", "UTC", "five fields"),
        ("", "UTC", "five fields"),
        ("60 * * * *", "UTC", "minute"),
        ("0 22-2 * * *", "UTC", "hour"),
        ("0 0 * * 8", "UTC", "day-of-week"),
        ("0 0 * * *", "Europe/Berln", "did you mean 'Europe/Berlin'"),
        ("0 0 * * *", "", "time zone"),
        ("0 0 * * *", "../etc/passwd", "time zone"),
        ("0 0 * * *", "America", "time zone"),
    ],
)
def test_what_is_none_is_refused(expression: str, zone: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Cron(expression, zone)


@given(st.text(alphabet="0123456789*/,-#LW MON²", max_size=24))
@example("* * * * 5L/2")
@example("* * 1,L/3 * *")
@example("0 0 30 2 */2")
def test_any_text_means_ticks_or_is_refused(text: str) -> None:
    try:
        cron = Cron(text)
    except ValueError as fault:
        assert "found" in str(fault)
        return
    assert cron.after(BEGIN) is not None


def test_latest_are_found_however_many_there_were() -> None:
    cron = Cron("* * * * *")
    found = cron.latest(END, 3, datetime(1990, 1, 1, tzinfo=UTC))
    assert found == [END - 3 * MINUTE, END - 2 * MINUTE, END - MINUTE]
    assert cron.latest(END, 3, END - MINUTE) == [END - MINUTE]
    assert cron.latest(END, 3, END) == []


def test_leap_sundays_are_found_both_ways() -> None:
    cron = Cron("0 0 29 2 */7")
    assert cron.before(BEGIN) == datetime(2004, 2, 29, tzinfo=UTC)
    assert cron.after(BEGIN) == datetime(2032, 2, 29, tzinfo=UTC)
