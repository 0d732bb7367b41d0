"""Asks an orchestrator's fence within transactions of one database."""

from __future__ import annotations

from functools import cache
from typing import Any

import structlog

from etl.config.settings import PostgreSQLSettings
from etl.fencing import Fence

log = structlog.get_logger(__name__)


class Gate:
    """What publishes goes through it; open where no orchestrator has started this. Used by many threads at once."""

    def __init__(self, settings: PostgreSQLSettings) -> None:
        self._fence = settings.fence
        self._address = settings.address
        self._is_there: bool | None = None

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
        if self._fence is None:
            return None
        if self._is_there is None:
            cursor.execute(self._fence.is_there)
            self._is_there = cursor.fetchone() is not None
        if not self._is_there:
            tell_that_it_cannot_be_asked(self._fence, self._address)
            return None
        return self._fence


@cache
def tell_that_it_cannot_be_asked(fence: Fence, address: str) -> None:
    """Once a process."""
    log.warning(
        "fence cannot be asked",
        database=address,
        run=fence.run_id,
        token=fence.token,
        next_step="the orchestrator's tables are in another database: an attempt that was given up may still publish "
        "in this one; ETL_ORCHESTRATOR_POSTGRES_URL may name it",
    )
