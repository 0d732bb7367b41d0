"""Questions to the source and the stores, asked again after a transient error; loads are retried by their loaders."""

from __future__ import annotations

import structlog
from tenacity import RetryCallState, Retrying

from etl.config.settings import RunSettings
from etl.model import Destination
from etl.retrying import retrying

log = structlog.get_logger(__name__)


def asking_again(run: RunSettings, table: str, destination: Destination) -> Retrying:
    """As loads have it; only for what may be done twice."""

    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning("question retried", table=table, destination=str(destination), error=str(error))

    return retrying(run.retries, run.retry_for_seconds, say=say)
