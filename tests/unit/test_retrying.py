from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from tenacity import wait_none

from etl.errors import ConnectionLostError, InterruptionError, StoreError
from etl.interruption import INTERRUPTED, interrupted, require_uninterrupted
from etl.retrying import retrying


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
    policy = retrying(1, for_seconds=30).copy(wait=wait_none())
    assert policy(server.ask) == "here"
    assert server.asked > 2


def test_retries_are_a_least_and_none_means_none() -> None:
    for retries, asked in ((3, 4), (0, 1)):
        server = Server(away_seconds=60)
        with pytest.raises(ConnectionLostError):
            retrying(retries, for_seconds=0).copy(wait=wait_none())(server.ask)
        assert server.asked == asked
    with pytest.raises(ConnectionLostError):
        retrying(0, for_seconds=60)(Server(away_seconds=60).ask)


def test_what_a_retry_cannot_help_is_raised_at_once() -> None:
    def refuse() -> None:
        raise StoreError("no")

    with pytest.raises(StoreError):
        retrying(9, for_seconds=60)(refuse)


def test_an_interruption_ends_the_waiting() -> None:
    server = Server(away_seconds=60)
    with pytest.raises(ConnectionLostError):
        retrying(9, for_seconds=60, say=lambda _: INTERRUPTED.set())(server.ask)
    assert server.asked == 2
    with pytest.raises(InterruptionError, match="interrupted"):
        require_uninterrupted()
    cause = OSError("no")
    assert interrupted(cause).__cause__ is cause
