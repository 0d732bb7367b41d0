from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from tenacity import wait_none

from etl.errors import ConnectionLostError, InterruptionError, StoreError
from etl.interruption import INTERRUPTED, interrupted, require_uninterrupted
from etl.retrying import OF_STAGING, RETRIES, retries_counted, retrying, seconds_until_next

EVENT = "asked again"


class Server:
    """Away for so many seconds, or for good."""

    def __init__(self, away_seconds: float) -> None:
        self.asked = 0
        self._back_at = time.monotonic() + away_seconds

    def ask(self) -> str:
        self.asked += 1
        if time.monotonic() < self._back_at:
            raise ConnectionLostError("away")
        return "here"


@pytest.fixture(autouse=True)
def uninterrupted() -> Iterator[None]:
    INTERRUPTED.clear()
    yield
    INTERRUPTED.clear()


def test_a_server_that_restarts_is_outlasted() -> None:
    server = Server(away_seconds=0.3)
    policy = retrying(1, 30, EVENT, call="ask").copy(wait=wait_none())
    with capture_logs() as logs:
        assert policy(server.ask) == "here"
    assert server.asked > 2
    told = {"event": EVENT, "log_level": "warning", "call": "ask", "error": "away", "wait_seconds": 0}
    assert logs == [told | {"attempt": attempt} for attempt in range(1, server.asked)]


def test_retries_are_a_least_and_none_means_none() -> None:
    for retries, asked in ((3, 4), (0, 1)):
        server = Server(away_seconds=60)
        with pytest.raises(ConnectionLostError):
            retrying(retries, 0, EVENT).copy(wait=wait_none())(server.ask)
        assert server.asked == asked
    with pytest.raises(ConnectionLostError):
        retrying(0, 60, EVENT)(Server(away_seconds=60).ask)


def test_what_a_retry_cannot_help_is_raised_at_once() -> None:
    def refuse() -> None:
        raise StoreError("no")

    with pytest.raises(StoreError):
        retrying(9, 60, EVENT)(refuse)


def test_an_interruption_ends_the_waiting() -> None:
    server = Server(away_seconds=60)
    with pytest.raises(ConnectionLostError):
        retrying(9, 60, EVENT).copy(before_sleep=lambda _: INTERRUPTED.set())(server.ask)
    assert server.asked == 2
    with pytest.raises(InterruptionError, match="interrupted"):
        require_uninterrupted()
    cause = OSError("no")
    assert interrupted(cause).__cause__ is cause


def test_what_is_tried_again_is_counted() -> None:
    before = retries_counted()
    server = Server(away_seconds=60)
    with pytest.raises(ConnectionLostError):
        retrying(3, 0, "counted").copy(wait=wait_none())(server.ask)
    assert retries_counted() == before + 3
    registry = CollectorRegistry()
    registry.register(RETRIES)
    assert registry.get_sample_value("etl_retries_total", {"event": "counted"}) == 3


def test_a_library_that_waits_itself_is_told_how_long() -> None:
    before = retries_counted()
    with capture_logs() as logs:
        seconds = seconds_until_next(ConnectionLostError("away"), 3, OF_STAGING, EVENT, call="ask")
    assert 0.8 <= seconds <= 1.3
    told = {"event": EVENT, "log_level": "warning", "call": "ask", "error": "away"}
    assert logs == [told | {"attempt": 3, "wait_seconds": round(seconds, 3)}]
    assert retries_counted() == before + 1
