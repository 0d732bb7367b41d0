from __future__ import annotations

import sys
import time
from datetime import datetime, timedelta, tzinfo
from types import ModuleType
from typing import Any

import pytest

HOUR = timedelta(hours=1)


class _HourAhead(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return datetime.now(tz) + HOUR

    @classmethod
    def utcnow(cls) -> Any:
        return datetime.now() + HOUR


@pytest.fixture
def wrong_by_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's clock, for all of the orchestrator that could read it."""
    read = time.time
    monkeypatch.setattr(time, "time", lambda: read() + HOUR.total_seconds())
    for module in [each for name, each in sys.modules.items() if name.startswith("etl.orchestrator")]:
        _set_clock(module, monkeypatch)


def _set_clock(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    if getattr(module, "datetime", None) is datetime:
        monkeypatch.setattr(module, "datetime", _HourAhead)
