"""Again only what may pass, after 1, 2, 4, … seconds and up to half a second more."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field

import pytest

from etl.errors import (
    ConnectionLostError,
    ContentionError,
    OverloadedError,
    StoreError,
    TransientError,
    UsageError,
)
from etl.retrying import LONGEST_WAIT_SECONDS, Retry, retrying_async


@dataclass
class Tries:
    """Fails with `error` so many times, then answers 42."""

    error: Exception
    failures: int
    attempts: int = 0
    heard: list[Retry] = field(default_factory=list)

    async def __call__(self) -> int:
        self.attempts += 1
        if self.attempts <= self.failures:
            raise self.error
        return 42

    def run(self, max_retries: int) -> int:
        return asyncio.run(self._run(max_retries))

    async def _run(self, max_retries: int) -> int:
        return await retrying_async(max_retries, "tried again", heard=self.heard.append)(self)


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Without waiting; servers in other threads of this process go on as they are."""
    waited: list[float] = []
    own_thread, real = threading.get_ident(), asyncio.sleep

    async def sleep(seconds: float) -> None:
        if threading.get_ident() != own_thread:
            await real(seconds)
            return
        waited.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return waited


@pytest.mark.parametrize("kind", [ConnectionLostError, ContentionError, OverloadedError, TransientError])
def test_what_may_pass_is_tried_again(kind: type[TransientError], waits: list[float]) -> None:
    tries = Tries(kind("for now"), failures=2)
    assert tries.run(max_retries=3) == 42
    assert (tries.attempts, len(waits)) == (3, 2)


@pytest.mark.parametrize("error", [StoreError("no"), UsageError("no"), ValueError("no"), OSError("no")])
def test_what_stays_wrong_is_not(error: Exception, waits: list[float]) -> None:
    tries = Tries(error, failures=1)
    with pytest.raises(type(error), match="no"):
        tries.run(max_retries=3)
    assert (tries.attempts, waits, tries.heard) == (1, [], [])


def test_waits_double_with_up_to_half_a_second_more(waits: list[float]) -> None:
    Tries(TransientError("for now"), failures=9).run(max_retries=9)
    floors = [1, 2, 4, 8, 16, 32, *([LONGEST_WAIT_SECONDS] * 3)]
    assert all(floor <= seconds <= floor + 0.5 for floor, seconds in zip(floors, waits, strict=True))


def test_waits_are_not_the_same_every_time(waits: list[float]) -> None:
    for _ in range(20):
        Tries(TransientError("for now"), failures=1).run(max_retries=1)
    assert len(set(waits)) > 1


def test_the_last_error_comes_out(waits: list[float]) -> None:
    tries = Tries(TransientError("for ever"), failures=99)
    with pytest.raises(TransientError, match="for ever"):
        tries.run(max_retries=3)
    assert (tries.attempts, len(waits)) == (4, 3)


def test_none_asked_for_is_none(waits: list[float]) -> None:
    with pytest.raises(TransientError):
        Tries(TransientError("for now"), failures=1).run(max_retries=0)
    assert waits == []


def test_every_wait_is_told_before_it_begins(waits: list[float]) -> None:
    tries = Tries(TransientError("for now"), failures=2)
    tries.run(max_retries=3)
    assert tries.heard == [(tries.error, 1, waits[0]), (tries.error, 2, waits[1])]
