"""Asks an orchestrator's fence within transactions of one database."""

from __future__ import annotations

import threading
from typing import Any

import structlog

from etl.config.settings import PostgreSQLSettings
from etl.fencing import NO_FUNCTION, Fence

log = structlog.get_logger(__name__)


class Gate:
    """What publishes goes through it; open where no orchestrator has started this. Used by many threads at once."""

    def __init__(self, settings: PostgreSQLSettings) -> None:
        self._fence = settings.fence
        self._address = settings.address
        self._is_there: bool | None = None
        self._guard = threading.Lock()

    @property
    def token(self) -> int | None:
        return self._fence.token if self._fence else None

    def require(self, cursor: Any, doing: str) -> None:
        """In the transaction of `cursor`, which must be rolled back where this raises FencedError."""
        fence = self.fence(cursor)
        if fence is None:
            return
        cursor.execute(fence.question)
        if cursor.fetchone() is None:
            raise fence.lost(doing)

    def fence(self, cursor: Any) -> Fence | None:
        """For whoever asks it with a statement of his own; None where there is none, or none that can be asked."""
        if self._fence is None or self._is_there is False:
            return None
        if self._is_there is None:
            self._look_for(self._fence, cursor)
        return self._fence if self._is_there else None

    def _look_for(self, fence: Fence, cursor: Any) -> None:
        cursor.execute(fence.is_there)
        is_there = cursor.fetchone() is not None
        with self._guard:
            is_first, self._is_there = self._is_there is None, is_there
        if is_first and not is_there:
            facts = {"database": self._address, "run": fence.run_id, "token": fence.token}
            log.warning("fence cannot be asked", **facts, next_step=NO_FUNCTION)
