"""Which errors of a load are tried again; how long says `settings.run`."""

from __future__ import annotations

from tenacity import RetryCallState, Retrying

from etl.config.settings import RunSettings
from etl.errors import TransientError
from etl.model import Destination
from etl.postgresql.door import sqlstate
from etl.postgresql.sqlstates import CANCELED
from etl.retrying import as_configured


def loading_again(run: RunSettings, table: str) -> Retrying:
    return as_configured(run, "load retried", table, Destination.POSTGRESQL, again=_again)


def _again(state: RetryCallState) -> bool:
    """A cancelled statement is tried once more: an administrator who cancels twice means it."""
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, TransientError):
        return False
    return sqlstate(error) != CANCELED or state.attempt_number < 2
