from __future__ import annotations

from typing import Any

import pytest

from etl.config.durations import parse_duration, spelled


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("10s", 10), ("5m", 300), ("2h", 7200), ("1d", 86400), ("1.5h", 5400), (30, 30), (0.5, 0.5), (0, 0)],
)
def test_durations_are_seconds(written: Any, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize("written", ["10", "10 s", "m", "-5m", "", "5w", -1, True, None, [5]])
def test_whatever_else_is_refused(written: Any) -> None:
    with pytest.raises(ValueError, match="expected a duration: 10s, 5m, 2h, 1d"):
        parse_duration(written)


@pytest.mark.parametrize(("seconds", "written"), [(10, "10s"), (90, "90s"), (300, "5m"), (86400, "1d"), (0.5, "0.5s")])
def test_seconds_are_spelled_in_the_largest_unit_that_says_them(seconds: float, written: str) -> None:
    assert spelled(seconds) == written
