"""Makes the orchestrator's tables, or brings those that stand to their shape while others work in them.

In phases: tables; indexes and constraints; what `between` does (jobs, history); last what may be there once at a time.
Where nothing stands all is made in one transaction. Else it goes from what the catalogs say to what the migrations
make, a step at a time: killed anywhere, it goes on where it stopped when it is started again. Migrations are recorded
as each phase ends; further ones must be repeatable (IF NOT EXISTS), since tables made by hand may have what they add.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from etl.errors import UsageError
from etl.ledger.migrations import Migration, applied_in, bootstrap, missing_of, read_migrations
from etl.orchestrator.database.changing import Changing, Tell
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.hygiene import RULES, listed, resolved
from etl.orchestrator.database.lease import MigrationLease
from etl.orchestrator.database.obstacles import obstacles
from etl.orchestrator.database.planning import plan_steps, refusals
from etl.orchestrator.database.queries import SQL_DIRECTORY, statement
from etl.orchestrator.database.shape import at_once, standing_shape, wanted_shape
from etl.orchestrator.database.steps import BuildIndex, Phase, Plan, Refusal
from etl.postgresql_types import OLDEST_TARGET

_NEW_SECONDS = 300.0
_PIECEMEAL = "ne statement at a time"
"""In a migration's first lines: the steps do it. The text of others is run as it stands."""


@dataclass
class Report:
    applied: list[str] = field(default_factory=list)
    steps: int = 0
    resolved: list[str] = field(default_factory=list)
    """What was two where one may be, row by row."""


def install(database: OrchestratorDatabase) -> list[str]:
    """The names of the migrations that were applied."""
    return migrate(database).applied


def migrate(
    database: OrchestratorDatabase, *, tell: Tell | None = None, between: Callable[[], None] | None = None
) -> Report:
    """Waits for another that is under way."""
    report = Report()
    tell = tell or _tell_nobody
    check_server(database)
    with closing(MigrationLease(database.settings, database.schema)) as lease:
        plan = plan_migration(database)
        refuse(database, plan)
        if plan.is_new:
            _make_all(database, report, tell)
        changing = Changing(database, lease.check, tell, report.resolved)
        _phase(database, changing, plan, Phase.TABLES, report)
        _phase(database, changing, plan, Phase.CONSTRAINTS, report)
        if between:
            if plan.of(Phase.ONE_AT_A_TIME):  # a job's one active schedule is what `between` changes
                report.resolved += resolved(database, "dw_etl_schedules_active_key")
            between()
        _phase(database, changing, plan, Phase.ONE_AT_A_TIME, report)
    return report


def plan_migration(database: OrchestratorDatabase) -> Plan:
    """Writes nothing."""
    migrations = read_migrations(SQL_DIRECTORY / "migrations")
    with database.transaction("read migrations") as cursor:
        missing = missing_of(migrations, applied_in(cursor, statement))
    names = {migration.name for migration in missing}
    standing = standing_shape(database)
    if not standing.tables:
        return Plan(is_new=True, missing=tuple(migration.name for migration in migrations))
    wanted = wanted_shape(database, migrations)
    refused = refusals(standing, wanted)
    if not refused:
        refused = obstacles(database, standing, wanted)
    if wanted.functions - standing.functions or wanted.tables.keys() - standing.tables.keys():
        names |= {migration.name for migration in migrations if _is_whole(migration)}
    todo = tuple(migration.name for migration in migrations if migration.name in names)
    return Plan(tuple(plan_steps(standing, wanted)), tuple(refused), missing=todo)


def check_server(database: OrchestratorDatabase) -> None:
    found = surroundings(database)
    address = database.settings.address
    if found["version"] < OLDEST_TARGET:
        raise UsageError(f"{address}: expected PostgreSQL 16 or newer, found {found['version'] // 10000}")
    if found["is_read_only"]:
        raise UsageError(f"{address} is read-only (a standby, or default_transaction_read_only); name the primary")


def check_rights(database: OrchestratorDatabase) -> None:
    """To make what is missing."""
    found = surroundings(database)
    address, user = database.settings.address, found["user_name"]
    if not found["may_create_schema"] or not found["may_create_tables"]:
        grant = f"SCHEMA {database.schema}" if found["has_schema"] else f"DATABASE {found['database_name']}"
        raise UsageError(
            f"{user} may not create anything in schema {database.schema!r} of {address}; "
            f"GRANT CREATE ON {grant} TO {user}"
        )


def surroundings(database: OrchestratorDatabase) -> dict[str, Any]:
    with database.transaction("look at the server") as cursor:
        cursor.execute(statement("shape_surroundings"))
        found = dict(cursor.fetchone() or {})
        # a pooler gives its clients a process id of its own making
        found["is_direct"] = found["process_id"] == cursor.connection.info.backend_pid
    return found


def refuse(database: OrchestratorDatabase, plan: Plan) -> None:
    """Before anything is written."""
    if not plan.is_empty:
        check_rights(database)
    if plan.refusals:
        raise UsageError(told(database, plan.refusals))
    builds = any(isinstance(step, BuildIndex) for step in plan.steps)
    if builds and not surroundings(database)["is_direct"]:
        raise UsageError(
            f"{database.settings.address} is a connection pooler (PgBouncer or the like): indexes are built"
            " CONCURRENTLY, which needs a direct connection; name the server itself in ETL_ORCHESTRATOR_POSTGRES_URL"
        )


def told(database: OrchestratorDatabase, found: Sequence[Refusal]) -> str:
    lines = [f"  {refusal.table}: {refusal.found}" for refusal in found]
    head = f"{database.settings.address}, schema {database.schema!r}: {len(lines)} in the way; nothing was written:"
    return "\n".join([head, *lines])


def in_the_way(database: OrchestratorDatabase, plan: Plan) -> list[str]:
    """What the hygiene before the last phase would resolve, for a plan; as far as the tables have the columns."""
    if plan.is_new or plan.of(Phase.TABLES):
        return []
    names = [step.name for step in plan.of(Phase.ONE_AT_A_TIME) if isinstance(step, BuildIndex)]
    return [text for name in names if name in RULES for text in listed(database, name)]


def _make_all(database: OrchestratorDatabase, report: Report, tell: Tell) -> None:
    """Nobody uses what is not there: no need to be gentle."""
    tell("make all tables, indexes and constraints")
    with database.transaction("make the tables", statement_timeout_seconds=_NEW_SECONDS) as cursor:
        bootstrap(cursor, statement)
        for migration in read_migrations(SQL_DIRECTORY / "migrations"):
            cursor.execute(at_once(migration))
            _record(cursor, migration, report)
    report.steps += 1


def _phase(database: OrchestratorDatabase, changing: Changing, plan: Plan, phase: Phase, report: Report) -> None:
    for step in plan.of(phase):
        changing.do(step)
        report.steps += 1
    if plan.is_new:
        return
    for migration in read_migrations(SQL_DIRECTORY / "migrations"):
        if migration.name in plan.missing and _phase_of(migration) is phase:
            with database.transaction(f"migration {migration.name}") as cursor:
                bootstrap(cursor, statement)
                if _is_whole(migration):
                    cursor.execute(migration.text)
                _record(cursor, migration, report)


def _phase_of(migration: Migration) -> Phase:
    if _is_whole(migration):
        return Phase.TABLES
    is_last = migration.text.count("CREATE UNIQUE INDEX") == migration.text.count(" WHERE ") > 0
    return Phase.ONE_AT_A_TIME if is_last else Phase.CONSTRAINTS


def _is_whole(migration: Migration) -> bool:
    return _PIECEMEAL not in migration.text


def _record(cursor: Any, migration: Migration, report: Report) -> None:
    if migration.name in applied_in(cursor, statement):
        return
    cursor.execute(statement("record_migration"), {"name": migration.name, "sha256": migration.sha256})
    report.applied.append(migration.name)


def _tell_nobody(what: str) -> None:
    """The caller does not want to know."""
