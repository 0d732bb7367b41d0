"""Which errors of a load are tried again; how long says `settings.run`."""

from __future__ import annotations

import structlog
from tenacity import RetryCallState, Retrying

from etl.config.settings import RunSettings
from etl.errors import TransientError
from etl.load.postgresql.door import sqlstate
from etl.retrying import retrying
from etl.statements.postgresql.sqlstates import CANCELED

log = structlog.get_logger(__name__)


def loading_again(run: RunSettings, table: str) -> Retrying:
    return retrying(run.retries, run.retry_for_seconds, again=_again, say=lambda state: _say(state, table))


def _again(state: RetryCallState) -> bool:
    """A cancelled statement is tried once more: an administrator who cancels twice means it."""
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, TransientError):
        return False
    return sqlstate(error) != CANCELED or state.attempt_number < 2


def _say(state: RetryCallState, table: str) -> None:
    error = state.outcome.exception() if state.outcome else None
    wait_seconds = round(state.next_action.sleep, 3) if state.next_action else 0
    log.warning("load retried", table=table, attempt=state.attempt_number, wait_seconds=wait_seconds, error=str(error))
