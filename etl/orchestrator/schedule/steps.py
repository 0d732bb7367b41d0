"""What a scheduler does again and again, each guarded from the others."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from tenacity import wait_random_exponential

from etl.errors import EtlError
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.retrying import seconds_until_next

AFTER_A_FAILURE = wait_random_exponential(multiplier=0.5, max=5)
"""Anything up to 0.5, 1, 2 … 5 seconds: a server that comes back is not met by all schedulers at once."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Step:
    """Done at every look, or as seldom as `every_seconds` says. Idempotent, and safe beside other schedulers'."""

    name: str
    do: Callable[[OrchestratorDatabase], object]
    every_seconds: float = 0.0


class Guarded:
    """An error of its step is logged, and the step rests for a while: longer each time, never for good."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._failures = 0
        self._rests_until = 0.0

    def take(self, database: OrchestratorDatabase) -> Exception | None:
        if time.monotonic() < self._rests_until:
            return None
        try:
            self._step.do(database)
        except Exception as error:  # noqa: BLE001 - one step's error stops neither the others nor the loop
            self._failures += 1
            self._rests_until = time.monotonic() + self._told(error)
            return error
        self._failures = 0
        self._rests_until = time.monotonic() + self._step.every_seconds
        return None

    def _told(self, error: Exception) -> float:
        if not isinstance(error, EtlError):
            log.exception("unexpected error", step=self._step.name)
        event = "scheduler's step failed"
        return seconds_until_next(error, self._failures, AFTER_A_FAILURE, event, step=self._step.name)
