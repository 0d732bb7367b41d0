"""Brings existing stg_* tables to the contract while writers write. Read `run_migration` first.

Everything is read from the catalogs and the rows themselves: killed at any point, a migration goes on where it stopped
when it is started again, and does nothing where nothing is left to do.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

from etl.config.settings import PostgreSQLSettings
from etl.errors import UsageError
from etl.staging.migrate.adopting import adopt, check_ledger_place, would_adopt
from etl.staging.migrate.lease import Lease
from etl.staging.migrate.planning.columns import Columns
from etl.staging.migrate.planning.facts import TableFacts
from etl.staging.migrate.planning.find import find_tables
from etl.staging.migrate.planning.plan import Defects, MigrationPlan, TablePlan, plan_table
from etl.staging.migrate.planning.steps import ArchiveDuplicates, ArchiveUnusable, Step
from etl.staging.migrate.preflight import check_connection, check_reading, check_writing, register_historical_run
from etl.staging.migrate.report import MigrationReport
from etl.staging.migrate.running import OnStep, TableMigration
from etl.staging.migrate.session import Session
from etl.staging.migrate.settings import MigrationSettings
from etl.statements.staging.migration import count_defects


def plan_migration(database: PostgreSQLSettings, settings: MigrationSettings) -> MigrationPlan:
    """Touches nothing; counts the rows that would be archived."""
    with closing(Session(database, settings)) as session:
        check_reading(session)
        check_ledger_place(session)
        adopted = would_adopt(session) if settings.adopts_ledger else []
        tables = [_with_defects(session, facts, plan_table(facts, settings)) for facts in _found(session)]
    return MigrationPlan(database.address, settings.schema, settings.pattern, tuple(tables), tuple(adopted))


def check_database(database: PostgreSQLSettings, settings: MigrationSettings) -> None:
    """Refuses what no migration could use; to be asked before the ledger is made there."""
    with closing(Session(database, settings)) as session:
        check_reading(session)
        check_connection(session)
        check_ledger_place(session)
        _found(session)


def run_migration(
    database: PostgreSQLSettings, settings: MigrationSettings, *, on_step: OnStep | None = None
) -> MigrationReport:
    """Table by table; one that fails does not keep the others from being migrated."""
    with closing(Session(database, settings)) as session:
        check_reading(session)
        check_writing(session)
        with closing(Lease(database, settings)) as lease:
            plans = [plan_table(facts, settings) for facts in _found(session)]
            if settings.adopts_ledger or any(plan.steps for plan in plans):
                register_historical_run(session)
            adopted = adopt(session) if settings.adopts_ledger else []
            reports = [
                TableMigration(session, plan.table, on_step or _tell_nobody, lease.check).run() for plan in plans
            ]
    return MigrationReport(database.address, settings.schema, tuple(reports), tuple(adopted))


def _found(session: Session) -> list[TableFacts]:
    settings = session.settings
    with session.transaction("find the tables") as cursor:
        found = find_tables(cursor, settings)
    if not found:
        raise UsageError(
            f"expected tables that match {settings.pattern!r} in schema {settings.schema!r} of "
            f"{session.database.address}, found none; only % is a wildcard"
        )
    return found


def _with_defects(session: Session, facts: TableFacts, plan: TablePlan) -> TablePlan:
    is_clearing = any(isinstance(step, ArchiveUnusable | ArchiveDuplicates) for step in plan.steps)
    if not is_clearing or not {"source_id", "data"} <= set(facts.columns):
        return plan
    rows = Columns(facts, session.settings).rows(is_extended=False)
    with session.transaction(f"{facts.name}: count defects") as cursor:
        cursor.execute(count_defects(rows))
        found: dict[str, Any] = cursor.fetchone()
    return plan.with_defects(Defects(found["rows"], found["unusable"], found["duplicates"]))


def _tell_nobody(table: str, step: Step) -> None:
    """The caller does not want to know."""
