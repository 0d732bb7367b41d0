"""Whether a schedule's cron and time zone are such. What they mean is the scheduler's to say."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import available_timezones

from cronsim import CronSim, CronSimError

from etl.nearest import suggestion

FIELDS = ("minute", "hour", "day of the month", "month", "day of the week")

_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)


def check_cron(written: str) -> str:
    """The expression in one spelling; ValueError where it is none, or where no such day ever comes."""
    fields = written.split()
    if len(fields) != len(FIELDS):
        raise ValueError(f"expected five fields ({', '.join(FIELDS)}), such as 0 2 * * *; found {written!r}")
    expression = " ".join(fields)
    try:
        next(CronSim(expression, _ANY_TIME))
    except CronSimError as error:
        raise ValueError(f"expected a cron expression, such as 0 2 * * *; found {written!r}: {error}") from error
    except StopIteration:
        raise ValueError(f"expected days that come; found {written!r}, which no calendar has") from None
    return expression


def check_time_zone(written: str) -> str:
    if written not in _time_zones():
        raise ValueError(f"expected an IANA time zone, such as Europe/Berlin; found {written!r}; {_nearest(written)}")
    return written


def _nearest(written: str) -> str:
    return suggestion(written, sorted(_time_zones()))


@lru_cache(maxsize=1)
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())
