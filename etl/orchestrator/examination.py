"""Is all well? What `doctor` looks at; each finding says what to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from etl.command.typed import etl_as_typed
from etl.config.orchestrator.jobs import JobsConfiguration
from etl.errors import EtlError
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.installation import check_server, plan_migration
from etl.orchestrator.database.steps import Phase, Plan
from etl.orchestrator.seed import differences

SILENT_SECONDS = 30.0
"""A scheduler or worker writes every five seconds that it lives."""

_CLOCK_SECONDS = 5.0
_REAPED_SECONDS = 30.0
_SHOWN = 3
_FEW_ROWS = 10_000


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """It works, and somebody should look at it."""
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    check: str
    state: State
    found: str
    next_step: str = ""


Jobs = Callable[[], JobsConfiguration]


def examine(database: OrchestratorDatabase, jobs: Jobs) -> list[Finding]:
    """In an order in which one thing needs another: without a server nothing more is looked at. Writes nothing."""
    server = _guarded("server", lambda: _server(database))
    if server.state is State.WRONG:
        return [server]
    try:
        plan = plan_migration(database)
    except EtlError as error:
        return [server, Finding("migrations", State.WRONG, error.message)]
    tables = _migrations(plan)
    if plan.is_new or plan.of(Phase.TABLES) or plan.refusals:
        return [server, tables]
    return [server, tables, *_of_tables(database, jobs)]


def is_well(findings: list[Finding]) -> bool:
    return all(finding.state is not State.WRONG for finding in findings)


def _of_tables(database: OrchestratorDatabase, jobs: Jobs) -> Iterator[Finding]:
    yield _guarded("indexes", lambda: _indexes(database))
    yield _guarded("jobs", lambda: _jobs(database, jobs))
    alive = database.at_once("doctor_processes_alive")
    yield _processes("scheduler", alive)
    yield _processes("worker", alive)
    yield _guarded("clock", lambda: _clock(database))
    yield _guarded("locks", lambda: _locks(database))
    yield _guarded("runs", lambda: _runs(database))
    yield _guarded("alerts", lambda: _alerts(database))
    yield _guarded("vacuum", lambda: _vacuum(database))


def _guarded(check: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except EtlError as error:
        return Finding(check, State.WRONG, error.message)


def _server(database: OrchestratorDatabase) -> Finding:
    check_server(database)
    return Finding("server", State.OK, f"{database.settings.address}, schema {database.schema}")


def _migrations(plan: Plan) -> Finding:
    if plan.is_empty:
        return Finding("migrations", State.OK, "all applied, and the tables are as they make them")
    found = "nothing stands" if plan.is_new else f"{len(plan.steps)} steps to do"
    if plan.missing and not plan.is_new:
        found += f", and to be run or recorded {', '.join(plan.missing)}"
    if plan.refusals:
        found = _some([f"{refusal.table}: {refusal.found}" for refusal in plan.refusals])
    return Finding("migrations", State.WRONG, found, _command("migrate"))


def _indexes(database: OrchestratorDatabase) -> Finding:
    broken = [row["name"] for row in database.at_once("doctor_indexes_invalid")]
    if not broken:
        return Finding("indexes", State.OK, "all valid")
    return Finding("indexes", State.WRONG, f"not valid: {_some(broken)}", _command("migrate"))


def _jobs(database: OrchestratorDatabase, jobs: Jobs) -> Finding:
    found = differences(database, wanted := jobs())
    if not found:
        return Finding("jobs", State.OK, f"{len(wanted.jobs)} jobs, as their files say")
    told = _some([" ".join(filter(None, (each.kind, each.slug, each.field))) for each in found])
    return Finding("jobs", State.WRONG, f"their files say otherwise: {told}", _command("migrate"))


def _processes(kind: str, found: list[dict[str, Any]]) -> Finding:
    mine = [row for row in found if row["kind"] == kind]
    alive = [row for row in mine if row["silent_seconds"] <= SILENT_SECONDS]
    silent = [row for row in mine if row["silent_seconds"] > SILENT_SECONDS]
    told = [f"{row['worker_id']} has been silent for {row['silent_seconds']:.0f} s" for row in silent]
    if not alive:
        return Finding(f"{kind}s", State.WRONG, _some(["none is alive", *told]), _command(kind))
    state = State.WARNING if silent else State.OK
    said = f"{len(alive)} alive, the last word {max(row['silent_seconds'] for row in alive):.0f} s ago"
    return Finding(f"{kind}s", state, _some([said, *told]))


def _clock(database: OrchestratorDatabase) -> Finding:
    """Half of the way there and back is not the clock's."""
    began = time.time()
    (row,) = database.at_once("now")
    here = (began + time.time()) / 2
    ahead = here - row["now"].timestamp()
    found = f"this machine is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} the database"
    if abs(ahead) <= _CLOCK_SECONDS:
        return Finding("clock", State.OK, found)
    return Finding("clock", State.WARNING, f"{found}, whose clock counts", "set this machine's clock")


def _locks(database: OrchestratorDatabase) -> Finding:
    expired = database.at_once("doctor_locks_expired")
    late = [row for row in expired if row["seconds"] > _REAPED_SECONDS]
    if not late:
        return Finding("locks", State.OK, f"{len(expired)} just expired" if expired else "none has expired")
    told = [f"{row['concurrency_key']} of run {row['run_id']}, {row['seconds']:.0f} s ago" for row in late]
    return Finding("locks", State.WRONG, f"expired, and nobody takes them: {_some(told)}", _command("scheduler"))


def _runs(database: OrchestratorDatabase) -> Finding:
    stuck = [f"run {row['run_id']} of {row['slug']} {row['how']}" for row in database.at_once("doctor_runs_stuck")]
    if not stuck:
        return Finding("runs", State.OK, "none is stuck")
    return Finding("runs", State.WRONG, _some(stuck), _command("run show RUN"))


def _alerts(database: OrchestratorDatabase) -> Finding:
    (row,) = database.at_once("doctor_alerts_undelivered")
    why = f" ({row['last_error']})" if row["last_error"] else ""
    if row["waiting"]:
        found = f"{row['waiting']} have waited for more than five minutes{why}"
        return Finding("alerts", State.WRONG, found, _command("alert list --status pending"))
    if row["given_up"]:
        found = f"{row['given_up']} of the last day were given up{why}"
        return Finding("alerts", State.WARNING, found, _command("alert list --status given_up"))
    return Finding("alerts", State.OK, "all delivered")


def _vacuum(database: OrchestratorDatabase) -> Finding:
    (row,) = database.at_once("doctor_vacuum_of_runs")
    rows, dead = max(row["rows"], 0), row["dead"] or 0
    if not row["is_on"]:
        return Finding("vacuum", State.WRONG, "autovacuum is off for dw_etl_runs", "switch it on")
    if row["age"] > row["freeze_age"]:
        found = f"dw_etl_runs was not frozen for {row['age']:,} transactions"
        return Finding("vacuum", State.WRONG, found, "VACUUM (FREEZE) dw_etl_runs")
    if dead > _FEW_ROWS + rows:
        found = f"dw_etl_runs has {dead:,} dead rows beside {rows:,.0f}"
        return Finding("vacuum", State.WARNING, found, "look for a transaction that never ends; VACUUM dw_etl_runs")
    if rows > _FEW_ROWS and row["analyzed_at"] is None:
        return Finding("vacuum", State.WARNING, "dw_etl_runs was never analyzed", "ANALYZE dw_etl_runs")
    return Finding("vacuum", State.OK, f"dw_etl_runs has {rows:,.0f} rows and {dead:,} dead ones")


def _some(told: list[str]) -> str:
    more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return "; ".join(told[:_SHOWN]) + more


def _command(words: str) -> str:
    return f"{etl_as_typed()} orchestrator {words}"
