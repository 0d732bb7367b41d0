"""A cron expression in an IANA time zone, and the instants that it means.

Five fields: minute, hour, day of the month, month, day of the week (0 and 7 are Sunday; names as JAN or MON; `L` is a
month's last day, `LW` its last weekday, `5L` its last Friday, `MON#2` its second Monday). What Debian's cron does, this
does:

- Day of the month and day of the week: a day that either names will do, as in `0 0 1,15 * 5`; where one of them begins
  with `*`, both must be right, so that `0 0 */2 * 1` is the Mondays with an odd date.
- Clocks that change: an expression whose minute or hour begins with `*` goes by the clock on the wall, so that
  `*/30 * * * *` is every half hour that there is: none where an hour is skipped, twice as many where one comes twice.
  Any other means times of day, each once a day: of a time that comes twice the first, and instead of one that is
  skipped the moment the clock went on (`30 2 * * *` is 03:00 there). What comes to the same instant is one tick.

cronsim steps through times of day and knows nothing of zones here: with a zone it loses `0 */2 * * *` in Lord Howe's
half hour, and begins again before the instant it was given where an hour comes twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim

from etl.config.orchestrator.cron import check_cron, check_time_zone

_DAY = timedelta(days=1)
_BACK = tuple(timedelta(minutes=minutes) for minutes in (2, 15, 60, 1_440, 8 * 1_440, 32 * 1_440, 367 * 1_440))
_AT_MOST_BACK = timedelta(days=41 * 366)
"""The 29th of February as a Sunday comes every 28 years, and where a century has no leap day after 40."""


@dataclass(frozen=True)
class Cron:
    """ValueError where the expression or the zone is none, or where such a day never comes."""

    expression: str
    zone: str = "UTC"

    def __post_init__(self) -> None:
        object.__setattr__(self, "expression", check_cron(self.expression))
        check_time_zone(self.zone)

    def after(self, instant: datetime) -> datetime | None:
        """The first tick later than this, in UTC; None where no calendar is long enough."""
        return next(self.ticks(instant), None)

    def between(self, begin: datetime, end: datetime) -> Iterator[datetime]:
        """Ticks from `begin`, with it, to `end`, without it."""
        return takewhile(lambda tick: tick < end, self.ticks(begin - timedelta(microseconds=1)))

    def before(self, instant: datetime) -> datetime | None:
        """The last tick earlier than this."""
        return next(iter(self.latest(instant, 1)), None)

    def latest(self, before: datetime, at_most: int, begin: datetime | None = None) -> list[datetime]:
        """The last so many ticks earlier than `before`, ascending; none earlier than `begin`.

        Costs what it finds, however long ago `begin` is."""
        earliest = begin or before - _AT_MOST_BACK
        for back in _BACK:
            found = list(self.between(max(earliest, before - back * at_most), before))
            if len(found) >= at_most:
                return found[-at_most:]
        return list(self.between(earliest, before))[-at_most:]

    def interval(self, tick: datetime) -> tuple[datetime, datetime]:
        """What a run at this tick is about: from the tick before to this one; never empty."""
        return self.before(tick) or tick - _DAY, tick

    def ticks(self, after: datetime) -> Iterator[datetime]:
        """All of them from here on, ascending, in UTC."""
        instants = self._by_the_wall(after) if self._goes_by_the_wall() else self._times_of_day(after)
        last = after.astimezone(UTC)
        for instant in instants:
            if instant > last:
                yield (last := instant)

    def _goes_by_the_wall(self) -> bool:
        minute, hour, *_ = self.expression.split()
        return minute.startswith("*") or hour.startswith("*")

    def _times_of_day(self, after: datetime) -> Iterator[datetime]:
        zone = ZoneInfo(self.zone)
        for wall in self._walls(_wall(after, zone)):
            yield _first(wall, zone) if _is_real(wall, zone) else _gap_end(wall, zone)

    def _by_the_wall(self, after: datetime) -> Iterator[datetime]:
        """Times that come twice come in their order: all of the first hour, then all of the second."""
        zone = ZoneInfo(self.zone)
        again: list[datetime] = []
        for wall in self._walls(_wall(after, zone) - _put_back(after, zone)):
            if not _is_real(wall, zone):
                continue
            first, second = _first(wall, zone), _second(wall, zone)
            while again and again[0] < first:
                yield again.pop(0)
            yield first
            if second != first:
                again.append(second)
        yield from again

    def _walls(self, after: datetime) -> Iterator[datetime]:
        return CronSim(self.expression, after)


def local(instant: datetime, zone: str) -> datetime:
    return instant.astimezone(ZoneInfo(zone))


def _wall(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def _first(wall: datetime, zone: ZoneInfo) -> datetime:
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def _second(wall: datetime, zone: ZoneInfo) -> datetime:
    """Of a time that comes once, that one."""
    return wall.replace(tzinfo=zone, fold=1).astimezone(UTC)


def _is_real(wall: datetime, zone: ZoneInfo) -> bool:
    return _wall(_first(wall, zone), zone) == wall


def _gap_end(wall: datetime, zone: ZoneInfo) -> datetime:
    """When the clock went on over this time: what comes after it, by the hour before, was put on by the difference."""
    skipped_by = _second(wall, zone), _first(wall, zone)
    low, high = min(skipped_by), max(skipped_by)
    offset = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == offset else (low, middle)
    return high.replace(microsecond=0)


def _put_back(after: datetime, zone: ZoneInfo) -> timedelta:
    """How far the clock is put back within the next day: times already seen on the wall come again."""
    now, later = (instant.astimezone(zone).utcoffset() or timedelta() for instant in (after, after + _DAY))
    return max(now - later, timedelta())
