"""All that is known of a job, or of a run, for the eye."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.text import Text

from etl.command.typed import etl_as_typed
from etl.orchestrator.command.facts import RunFacts
from etl.orchestrator.command.finding import Row
from etl.orchestrator.command.moments import between, clock, moment
from etl.orchestrator.command.rendering import shown_status, state, written

_LABEL = 14


def print_job(job: Row, console: Console) -> None:
    lines = [
        ("", f"{job['slug']}  {job['title']}".rstrip()),
        ("layer", f"{job['layer']}{', tags ' + ', '.join(job['tags']) if job['tags'] else ''}"),
        ("enabled", "yes" if job["is_enabled"] else "no: its runs are not started"),
        ("starts", _command(job["command"])),
        ("parameters", _json(job["parameters"])),
        ("parents", ", ".join(job["parents"])),
        ("children", ", ".join(job["children"])),
        ("schedule", _schedule(job)),
        ("key", _key(job)),
        ("priority", str(job["priority"])),
        ("retries", _retries(job)),
        ("timeout", _seconds(job["timeout_seconds"], "none")),
        ("told when", _told_when(job)),
        ("written in", job["source_file"] or "no file any more"),
        ("last run", _last(job["runs"])),
    ]
    _print(lines, console)


def print_run(facts: RunFacts, console: Console) -> None:
    run = facts.run
    heading = Text.assemble(f"run {run['run_id']} of {run['slug']}: ", state(shown_status(run)))
    console.print(heading, soft_wrap=True)
    _print(list(_facts(run)), console)
    _print([("waits for", _ties(facts.parents)), ("before", _ties(facts.children))], console)
    _print_tables(facts.tables, console)
    _print_events(facts.events, console)
    for alert in facts.alerts:
        failed = f": {alert['last_error']}" if alert["last_error"] and alert["status"] != "sent" else ""
        _print([("alert", f"{alert['kind']} to {alert['channel']}, {alert['status']}{failed}")], console)


def _facts(run: Row) -> Iterator[tuple[str, str]]:
    yield "job", run["title"]
    yield "cycle", f"{run['cycle_id']} ({run['trigger']})"
    yield "correlation", run["correlation_id"]
    yield "asked by", run["requested_by"] or ""
    yield "due", moment(run["scheduled_at"])
    yield (
        "interval",
        f"{moment(run['interval_from'])} to {moment(run['interval_until'])}" if run["interval_from"] else "",
    )
    yield "parameters", _json(run["parameters"])
    yield "key", f"{run['concurrency_key'] or 'none'}, when held: {run['when_held']}"
    yield "started", _started(run)
    yield "ended", _ended(run)
    yield "attempts", f"{run['attempts']} of {run['maximum_attempts']}"
    yield "worker", f"{run['worker_id']}, token {run['fencing_token']}" if run["worker_id"] else ""
    yield "rows", _rows(run)
    yield "error", _error(run)
    yield "why", run["reason"] or ""
    yield "because of", f"run {run['because_run_id']}" if run["because_run_id"] else ""
    yield "cancelled", _cancelled(run)
    yield "next", _next(run)


def _started(run: Row) -> str:
    if run["started_at"] is None:
        return "" if run["ready_at"] is None else f"not yet; ready at {moment(run['ready_at'])}"
    late = (run["started_at"] - run["scheduled_at"]).total_seconds()
    return f"{moment(run['started_at'])}, {clock(late)} after it was due"


def _ended(run: Row) -> str:
    took = between(run["started_at"], run["ended_at"])
    return f"{moment(run['ended_at'])}{f', after {took}' if took else ''}" if run["ended_at"] else ""


def _rows(run: Row) -> str:
    counts = {"read": run["records_read"], "written": run["records_written"]}
    return ", ".join(f"{written(count)} {name}" for name, count in counts.items() if count is not None)


def _error(run: Row) -> str:
    if run["error_class"] is None and run["error_message"] is None:
        return ""
    kinds = {True: "transient", False: "permanent", None: "nobody knows whether it may help to try again"}
    return f"{run['error_class']} ({run['error_type']}, {kinds[run['is_transient_error']]}): {run['error_message']}"


def _cancelled(run: Row) -> str:
    if run["cancel_requested_at"] is None and run["cancelled_by"] is None:
        return ""
    return f"asked for by {run['cancelled_by']} at {moment(run['cancel_requested_at'] or run['ended_at'])}"


def _next(run: Row) -> str:
    command = f"{etl_as_typed()} orchestrator run"
    if run["status"] == "queued":
        return f"{command} why-not {run['run_id']}"
    return f"{command} retry {run['run_id']} --from-failure" if run["status"] == "failed" else ""


def _ties(rows: Sequence[Row]) -> str:
    return ", ".join(f"{row['slug']} (run {row['run_id']}, {shown_status(row)})" for row in rows)


def _print_tables(tables: Sequence[Row], console: Console) -> None:
    for table in tables:
        where = f" -> {table['destination']}" if table["destination"] else ""
        rows = f"{written(table['rows_read']) or '?'} read, {written(table['rows_written']) or '?'} written"
        told = f"{table['table_name']}{where}: {table['status']}, {rows} ({table['ledger']} {table['ledger_run_id']})"
        _print([("table", told)], console)


def _print_events(events: Sequence[Row], console: Console) -> None:
    for event in events:
        attempt = f" attempt {event['attempt']}" if event["attempt"] is not None else ""
        by = f" by {event['worker_id']}" if event["worker_id"] else ""
        details = f"  {_details(event['details'])}" if event["details"] else ""
        _print(
            [(f"{event['ts']:%H:%M:%S.%f}"[:12], f"{event['event_type'].replace('_', ' ')}{attempt}{by}{details}")],
            console,
        )


def _details(details: Mapping[str, Any]) -> str:
    told = {name: _detail(value) for name, value in details.items()}
    return ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in told.items() if value not in ("", "null"))


def _detail(value: Any) -> str:
    if isinstance(value, Mapping) and "error_class" in value:
        return f"{value['error_class']}: {value.get('message', '')}"
    if isinstance(value, float):
        return f"{value:.1f}"
    return value if isinstance(value, str) else _json(value)


def _command(command: Row) -> str:
    if "argv" in command:
        return " ".join(map(str, command["argv"]))
    return ", ".join(f"{name}: {value}" for name, value in command.items())


def _schedule(job: Row) -> str:
    if job["cron"] is None:
        return "none of its own"
    paused = f", paused since {moment(job['paused_at'])} by {job['paused_by']}" if job["paused_at"] else ""
    upcoming = f", next {moment(job['next_run_at'])} UTC" if job["next_run_at"] and not paused else ""
    return f"{job['cron']} {job['time_zone']}, catches up {job['catch_up']}{upcoming}{paused}"


def _key(job: Row) -> str:
    if job["concurrency_key"] is None:
        return "none: any number of its runs side by side"
    return f"{job['concurrency_key']}, when held: {job['when_held']}"


def _retries(job: Row) -> str:
    waits = f"{_seconds(job['backoff_seconds'])} to {_seconds(job['backoff_limit_seconds'])} apart"
    limit = f", for {_seconds(job['retry_for_seconds'])}" if job["retry_for_seconds"] else ""
    return f"{job['retries']}, {waits}{limit}" if job["retries"] else "none"


def _told_when(job: Row) -> str:
    limits = {"late after": job["late_after_seconds"], "stuck after": job["stuck_after_seconds"]}
    return ", ".join(f"{name} {_seconds(seconds)}" for name, seconds in limits.items() if seconds)


def _last(runs: Sequence[Row]) -> str:
    return ", ".join(f"run {run['run_id']} {run['status']} {moment(run['ended_at'])}".rstrip() for run in runs)


def _seconds(seconds: float | None, missing: str = "") -> str:
    if seconds is None:
        return missing
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s"


def _json(value: Any) -> str:
    return orjson.dumps(value, default=str).decode() if value != {} else ""


def _print(lines: Sequence[tuple[str, str]], console: Console) -> None:
    """Empty facts are left out; what is long goes on below itself."""
    for label, told in lines:
        if told:
            console.print(Text(f"  {label:<{_LABEL}}{told}" if label else told), soft_wrap=True)
