"""Brings existing stg_* tables to the contract while writers write."""

from etl.staging.migrate.adopting import set_ledger_aside
from etl.staging.migrate.migration import check_database, plan_migration, run_migration
from etl.staging.migrate.planning.plan import Defects, MigrationPlan, TablePlan
from etl.staging.migrate.report import MigrationReport, TableReport, TableStatus
from etl.staging.migrate.settings import MigrationSettings

__all__ = [
    "Defects",
    "MigrationPlan",
    "MigrationReport",
    "MigrationSettings",
    "TablePlan",
    "TableReport",
    "TableStatus",
    "check_database",
    "plan_migration",
    "run_migration",
    "set_ledger_aside",
]
