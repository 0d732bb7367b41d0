"""Ends runs, or goes on with them: one, or those of a cycle."""

from __future__ import annotations

from etl.errors import UsageError
from etl.orchestrator.command.finding import Cycles, Row, asker, find_cycles, find_run, is_run
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.queue.asking import (
    CancelRequest,
    cancel_if_open,
    reopen_if_failed,
    request_cancel,
    retry_from_failure,
)
from etl.orchestrator.values import RunStatus
from etl.redaction import redact


def cancel_runs(database: OrchestratorDatabase, named: str, reason: str) -> list[CancelRequest]:
    reason, by = kept_reason(reason), asker()
    if is_run(database, named):
        return [request_cancel(database, find_run(database, named)["run_id"], by, reason)]
    cycles = find_cycles(database, named)
    # what waits first, so that nothing starts meanwhile; a run that ends in between needs no more
    open_runs = [run for run in _runs(database, cycles) if not RunStatus(run["status"]).has_ended]
    open_runs.sort(key=lambda run: (run["status"] == RunStatus.RUNNING, -run["run_id"]))
    asked = (cancel_if_open(database, run["run_id"], by, reason) for run in open_runs)
    done = [each for each in asked if each is not None]
    if not done:
        raise UsageError(f"nothing of {cycles.name} is open; what has ended cannot be cancelled")
    return done


def kept_reason(reason: str) -> str:
    """As it may be stored and shown."""
    if not reason.strip():
        raise UsageError("--reason: expected words for whoever wonders later, found nothing")
    return redact(reason.strip())


def retry_runs(database: OrchestratorDatabase, named: str, *, from_failure: bool) -> list[Row]:
    """The runs that are open again, as they stand now."""
    by = asker()
    if is_run(database, named):
        opened = retry_from_failure(database, _failure(database, named, from_failure), by)
    else:
        failures = _failures(database, named, from_failure)
        opened = [run_id for failed in failures for run_id in reopen_if_failed(database, failed, by)]
    return [find_run(database, str(run_id)) for run_id in dict.fromkeys(opened)]


def _failure(database: OrchestratorDatabase, named: str, from_failure: bool) -> int:
    run = find_run(database, named)
    is_skipped = run["status"] == RunStatus.SKIPPED and run["because_run_id"]
    return int(run["because_run_id"] if is_skipped and from_failure else run["run_id"])


def _failures(database: OrchestratorDatabase, named: str, from_failure: bool) -> list[int]:
    cycles = find_cycles(database, named)
    if not from_failure:
        raise UsageError(f"{named!r} is a cycle: `--from-failure` goes on from each of its failures")
    failed = [run["run_id"] for run in _runs(database, cycles) if run["status"] in ("failed", "cancelled")]
    if not failed:
        raise UsageError(f"nothing of {cycles.name} failed or was cancelled: there is nothing to go on from")
    return failed


def _runs(database: OrchestratorDatabase, cycles: Cycles) -> list[Row]:
    return list(database.at_once("cycle_watched", {"cycle_ids": list(cycles.ids)}))
