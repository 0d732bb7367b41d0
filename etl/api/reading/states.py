"""The ledger's states → those of the page. docs/page.md has the same as a table."""

from __future__ import annotations

from etl.api.models import RunStatus

ENDED = frozenset({RunStatus.SUCCESS, RunStatus.PARTIAL_SUCCESS, RunStatus.FAILED, RunStatus.CANCELED})

_OF_STATUS = {
    "pending": RunStatus.QUEUED,
    "success": RunStatus.SUCCESS,
    "partial": RunStatus.PARTIAL_SUCCESS,
    "failed": RunStatus.FAILED,
    "canceled": RunStatus.CANCELED,
}
_OF_PHASE = {
    "queued": RunStatus.VALIDATING,
    "validating": RunStatus.VALIDATING,
    "loading": RunStatus.LOADING,
    "committing": RunStatus.COMMITTING,
}


def run_status(status: str, phase: str, *, has_open_request: bool) -> RunStatus:
    """A run that has ended and is to be retried is queued again. A job without a run is idle: nothing stands for it."""
    if status == "running":
        return _OF_PHASE[phase]
    return RunStatus.QUEUED if has_open_request else _OF_STATUS[status]
