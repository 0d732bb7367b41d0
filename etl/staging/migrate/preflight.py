"""What must be so before a table is touched: one clear line each, exit 2, and nothing has been written."""

from __future__ import annotations

from typing import Any

from etl.command.typed import etl_as_typed
from etl.errors import UsageError
from etl.postgresql_types import OLDEST_TARGET
from etl.staging.ledger.queries import statement
from etl.staging.migrate.session import Session

_OWN_TABLES = ("etl_jobs", "etl_runs", "etl_staging_archive")


def check_reading(session: Session) -> None:
    """Enough for a plan: a standby and a pooler serve as well."""
    settings, address = session.settings, session.database.address
    found = _surroundings(session)
    if found["version"] < OLDEST_TARGET:
        raise UsageError(f"{address}: expected PostgreSQL 16 or newer, found {found['version'] // 10000}")
    if not found["has_schema"]:
        raise UsageError(f"{address} has no schema {settings.schema!r}; set staging.schema in etl.yaml")
    if not found["knows_time_zone"]:
        raise UsageError(f"expected a time zone that PostgreSQL knows (Europe/Berlin), found {settings.time_zone!r}")


def check_connection(session: Session) -> None:
    """Before the ledger itself is made."""
    _refuse_pooler(session)
    if _surroundings(session)["is_read_only"]:
        raise UsageError(
            f"{session.database.address} is read-only (a standby, or default_transaction_read_only); name the primary"
        )


def check_writing(session: Session) -> None:
    check_connection(session)
    settings, address = session.settings, session.database.address
    found = _surroundings(session)
    if not found["may_create"]:
        raise UsageError(
            f"{found['user_name']} may not create anything in schema {settings.schema!r} of {address}; "
            f"GRANT CREATE ON SCHEMA {settings.schema} TO {found['user_name']}"
        )
    missing = sorted(set(_OWN_TABLES) - set(found["own_tables"]))
    if missing:
        raise UsageError(
            f"{address} has no {', '.join(missing)} in schema {settings.schema!r}; run `{etl_as_typed()} staging init`"
        )
    _check_privileges(session, found["user_name"])


def register_historical_run(session: Session) -> None:
    """The job and the run that rows of unknown lineage are given; those that stand are taken as they are."""
    settings = session.settings
    values = {
        "job_id": settings.historical_job_id,
        "run_id": settings.historical_run_id,
        "pattern": settings.pattern,
    }
    with session.transaction("register the historical run") as cursor:
        cursor.execute(statement("legacy_historical_job"), values)
        cursor.execute(statement("legacy_historical_run"), values)
        cursor.execute(statement("legacy_run_owner"), values)
        owner = cursor.fetchone()["etl_job_id"]
        if owner != settings.historical_job_id:
            raise UsageError(
                f"run {settings.historical_run_id} is of job {owner}, not of {settings.historical_job_id}; "
                "name another historical run"
            )


def _refuse_pooler(session: Session) -> None:
    if not session.is_direct:
        raise UsageError(
            f"{session.database.address} is a connection pooler (PgBouncer or the like): migrate builds indexes"
            " CONCURRENTLY and needs a direct connection; name the server itself in ETL_STAGING_POSTGRES_URL"
        )


def _surroundings(session: Session) -> Any:
    values = {"schema": session.settings.schema, "time_zone": session.settings.time_zone}
    with session.look("look at the database") as cursor:
        cursor.execute(statement("legacy_surroundings"), values)
        return cursor.fetchone()


def _check_privileges(session: Session, user: str) -> None:
    with session.transaction("look at the privileges") as cursor:
        cursor.execute(statement("legacy_lacking_privileges"), {"schema": session.settings.schema})
        lacking = [row["lacking"] for row in cursor.fetchall()]
    if lacking:
        raise UsageError(f"{user} lacks {', '.join(lacking)}; grant them and migrate again")
