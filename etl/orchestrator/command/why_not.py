"""Why a run has not started, or a job not run: in sentences, each with what holds it up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from etl.command.edge import say
from etl.command.typed import etl_as_typed
from etl.orchestrator.command.finding import Row, find_job, find_run, is_run
from etl.orchestrator.command.moments import clock, moment
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.values import EventType, RunStatus

SILENT_SECONDS = 30.0
"""As long as a lease: a process that has not been heard for so long may be dead."""

SHOWN_OPEN = 10
"""Of a job's open runs so many are explained."""


def reasons(database: OrchestratorDatabase, what: str) -> list[dict[str, Any]]:
    """Of a run, or of a job: then of its runs that are open."""
    if is_run(database, what):
        return [_why(database, find_run(database, what))]
    job = find_job(database, what)
    is_open = database.at_once("open_runs_of_job", {"job_id": job["job_id"]})
    if not is_open:
        return [{"what": f"job {what}", "slug": what, "run_id": None, "reasons": why_job(database, job)}]
    if len(is_open) > SHOWN_OPEN:
        say(f"{len(is_open)}{' or more' if len(is_open) == 100 else ''} of its runs are open; the oldest:")
    return [_why(database, find_run(database, str(row["run_id"]))) for row in is_open[:SHOWN_OPEN]]


def why_run(database: OrchestratorDatabase, run: Row) -> list[str]:
    status = RunStatus(run["status"])
    if status is RunStatus.RUNNING:
        return [_running(database, run)]
    if status.has_ended:
        return list(_ended(run))
    found = list(_queued(database, run))
    return found or ["nothing holds it up: a worker takes it at its next look, within a second"]


def why_job(database: OrchestratorDatabase, job: Row) -> list[str]:
    """Of a job without an open run."""
    return [*_disabled(job), *_latest(database, job), *_schedule(job), *_dead(database, "scheduler")]


def nobody_works(database: OrchestratorDatabase) -> list[str]:
    """Where what was asked for would not be done by anybody."""
    return list(_dead(database, "worker"))


def _why(database: OrchestratorDatabase, run: Row) -> dict[str, Any]:
    what = f"run {run['run_id']} of {run['slug']}, cycle {run['cycle_id']}"
    return {"what": what, "slug": run["slug"], "run_id": run["run_id"], "reasons": why_run(database, run)}


def _running(database: OrchestratorDatabase, run: Row) -> str:
    since = run["started_at"]
    for event in database.at_once("events_of_run", {"run_id": run["run_id"]}):
        since = event["ts"] if event["event_type"] == EventType.CLAIMED else since
    ran = clock((run["seen_at"] - since).total_seconds())
    return f"it runs: attempt {run['attempts']} by {run['worker_id']} since {moment(since)}, {ran} ago"


def _ended(run: Row) -> Iterator[str]:
    yield f"it has ended: {run['status']} at {moment(run['ended_at'])}{_told(run['reason'] or run['error_message'])}"
    if run["because_run_id"]:
        command = f"{etl_as_typed()} orchestrator run retry {run['because_run_id']} --from-failure"
        yield f"because of run {run['because_run_id']}; `{command}` goes on from there"


def _queued(database: OrchestratorDatabase, run: Row) -> Iterator[str]:
    yield from _disabled(run)
    if run["ready_at"] is None:
        yield from _parents(database, run)
        return
    if run["ready_at"] > run["seen_at"]:
        yield from _later(database, run)
        return
    yield from _key(database, run)
    yield from _limits(database, run)
    yield from _dead(database, "worker")
    yield from _slots(database)


def _disabled(row: Row) -> Iterator[str]:
    if not row["is_enabled"]:
        command = f"{etl_as_typed()} orchestrator job enable {row['slug']}"
        yield f"job {row['slug']} is disabled; `{command}` lets its runs start"


def _parents(database: OrchestratorDatabase, run: Row) -> Iterator[str]:
    """Those that still hold it up; a parent that waits itself is asked about with a command of its own."""
    parents = database.at_once("parents_of_run", {"run_id": run["run_id"]})
    still = [parent for parent in parents if parent["status"] != RunStatus.SUCCESS]
    for parent in still:
        yield f"it waits for {parent['slug']}: run {parent['run_id']} is {_state(parent)}"
    if not still and parents:
        yield "all its parents have succeeded; a scheduler makes it ready at its next look"
    yield from _dead(database, "worker" if still else "scheduler")


def _later(database: OrchestratorDatabase, run: Row) -> Iterator[str]:
    wait = clock((run["ready_at"] - run["seen_at"]).total_seconds() + 0.999)
    if run["attempts"] == 0:
        yield f"it is ready at {moment(run['ready_at'])}, in {wait}"
        return
    yield (
        f"it is tried again at {moment(run['ready_at'])}, in {wait}: attempt {run['attempts']} of "
        f"{run['maximum_attempts']} failed{_told(_last_failure(database, run))}"
    )


def _last_failure(database: OrchestratorDatabase, run: Row) -> str:
    """As the row keeps it, else as the event of the attempt told it."""
    if run["error_message"]:
        return str(run["error_message"])
    for event in reversed(database.at_once("events_of_run", {"run_id": run["run_id"]})):
        if failure := event["details"].get("failure"):
            return str(failure.get("message", ""))
    return ""


def _key(database: OrchestratorDatabase, run: Row) -> Iterator[str]:
    key = run["concurrency_key"]
    if key is None:
        return
    for lock in database.at_once("holder_of_key", {"concurrency_key": key}):
        yield (
            f"its key {key!r} is held by run {lock['run_id']} of {lock['slug']} since {moment(lock['acquired_at'])} "
            f"(worker {lock['worker_id']}, {lease(lock)})"
        )
    wanted = ("concurrency_key", "priority", "ready_at", "run_id")
    ((ahead,),) = (row.values() for row in database.at_once("runs_ahead", {name: run[name] for name in wanted}))
    if ahead:
        count = "1,000 or more runs come" if ahead == 1000 else "1 run comes" if ahead == 1 else f"{ahead} runs come"
        yield f"{count} first of those that wait for this key: by priority, then by age"


def _limits(database: OrchestratorDatabase, run: Row) -> Iterator[str]:
    for limit in database.at_once("limits_of_job", {"job_id": run["job_id"]}):
        if limit["running"] >= limit["maximum"]:
            yield f"the limit of {limit['scope']} is reached: {limit['running']} of {limit['maximum']} run"


def _dead(database: OrchestratorDatabase, kind: str) -> Iterator[str]:
    """Where none is alive of those that would have to see to it."""
    row = _alive(database, kind)
    if not row["alive"]:
        heard = (
            f"the last was heard at {moment(row['last_heard_at'])}" if row["last_heard_at"] else "there never was one"
        )
        yield f"no {kind} is alive ({heard}); `{etl_as_typed()} orchestrator up` starts one"


def _slots(database: OrchestratorDatabase) -> Iterator[str]:
    row = _alive(database, "worker")
    if row["running"] >= row["slots"] > 0:
        workers = "the worker" if row["alive"] == 1 else f"the {row['alive']} workers"
        yield f"all slots of {workers} alive are taken: {row['running']} of {row['slots']}"


def _alive(database: OrchestratorDatabase, kind: str) -> Row:
    rows = database.at_once("processes_alive", {"silent_seconds": SILENT_SECONDS})
    return next(row for row in rows if row["kind"] == kind)


def _latest(database: OrchestratorDatabase, job: Row) -> Iterator[str]:
    found = database.at_once("latest_run_of_job", {"job_id": job["job_id"]})
    if not found:
        yield "it has never been asked for"
        return
    run = find_run(database, str(found[0]["run_id"]))
    yield f"nothing of it is queued; its latest run {run['run_id']}, of {moment(run['scheduled_at'])}:"
    yield from _ended(run) if RunStatus(run["status"]).has_ended else why_run(database, run)


def _schedule(job: Row) -> Iterator[str]:
    if job["cron"] is None:
        yield "it has no schedule: it runs in the cycles of the jobs that it depends on, or by `run start`"
    elif job["paused_at"] is not None:
        by = f" by {job['paused_by']}" if job["paused_by"] else ""
        command = f"{etl_as_typed()} orchestrator schedule resume {job['slug']}"
        yield f"its schedule is paused since {moment(job['paused_at'])}{by}; `{command}` goes on"
    elif job["next_run_at"] is None:
        yield f"its schedule {job['cron']!r} has no next tick"
    else:
        away: timedelta = job["next_run_at"] - job["seen_at"]
        how = f"in {clock(away.total_seconds())}" if away > timedelta() else "which has come: a scheduler sees to it"
        yield f"its next tick is at {moment(job['next_run_at'])}, {how} ({job['cron']} {job['time_zone']})"


def lease(lock: Row) -> str:
    left = (lock["expires_at"] - lock["seen_at"]).total_seconds()
    return f"its lease ends in {left:.0f} s" if left >= 0 else f"its lease ran out {-left:.0f} s ago"


def _state(run: Row) -> str:
    if run["status"] == RunStatus.RUNNING:
        return f"running since {moment(run['started_at'])}"
    if run["status"] == RunStatus.QUEUED:
        how = "waits itself" if run["ready_at"] is None else "ready, not yet taken"
        return f"queued, {how} (`{etl_as_typed()} orchestrator run why-not {run['run_id']}`)"
    return f"{run['status']} since {moment(run['ended_at'])}"


def _told(text: str | None) -> str:
    return f": {text}" if text else ""
