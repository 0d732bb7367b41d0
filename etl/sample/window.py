"""A stretch of whole days, and how a media company's traffic spreads over it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np

from etl.sample.draw import Floats, Whole
from etl.sample.values import MICROSECONDS_A_DAY

_HOURS = np.array(
    [14, 9, 6, 5, 6, 12, 30, 58, 66, 60, 55, 54, 62, 58, 50, 48, 50, 56, 64, 70, 74, 66, 46, 26], dtype=float
)
_WEEKDAYS = np.array([1.08, 1.06, 1.04, 1.02, 1.0, 0.78, 0.86])
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Window:
    """`days` whole days (UTC) up to `end_date`, the last of them."""

    end_date: date
    days: int

    @property
    def first_date(self) -> date:
        return self.end_date - timedelta(days=self.days - 1)

    @property
    def first_day(self) -> int:
        """Days since 1970-01-01."""
        return (self.first_date - _EPOCH).days

    @property
    def start(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        return self.first_day * MICROSECONDS_A_DAY

    @property
    def end(self) -> int:
        """The first instant after the window."""
        return (self.first_day + self.days) * MICROSECONDS_A_DAY

    def after(self, days: int) -> Window:
        return Window(self.end_date + timedelta(days=days), days)

    def instant_at(self, position: Floats) -> Whole:
        """When that share (0 to 1) of the traffic has passed: dense at breakfast and prime time, thin at night."""
        hours = np.interp(position, self._traffic, np.arange(self.days * 24 + 1))
        return np.minimum(self.start + (hours * 3_600_000_000).astype(np.int64), self.end - 1)

    def position_of(self, instant: Whole) -> Floats:
        """The reverse of instant_at."""
        return np.interp((instant - self.start) / 3_600_000_000, np.arange(self.days * 24 + 1), self._traffic)

    @cached_property
    def _traffic(self) -> Floats:
        weekday = (self.first_date.weekday() + np.arange(self.days)) % 7
        hourly = np.outer(_WEEKDAYS[weekday], _HOURS).ravel()
        return np.concatenate([[0.0], np.cumsum(hourly) / hourly.sum()])
