"""What must be so before a run begins. Every fault is one clear line, exit 2, and nothing has been written."""

from __future__ import annotations

from collections.abc import Iterable

from etl.command.typed import etl_as_typed
from etl.errors import UsageError
from etl.staging.database.database import StagingDatabase
from etl.staging.ledger.queries import statement
from etl.statements.staging.tables import StagingTable

_CONTRACT = {
    "source_id": "text",
    "data": "jsonb",
    "etl_job_id": "text",
    "etl_run_id": "text",
    "loaded_at": "timestamp with time zone",
    "created_at": "timestamp with time zone",
    "updated_at": "timestamp with time zone",
    "is_valid": "boolean",
    "validation_errors": "jsonb",
    "input_position": "bigint",
}
_OPTIONAL = {"source_updated_at": "timestamp with time zone", "hash_digest": "text"}
_KNOWN = {**_CONTRACT, **_OPTIONAL}


def check_database(database: StagingDatabase) -> None:
    """Reachable, writable, and with the staging ledger in it."""
    if check_ledger(database):
        raise UsageError(
            f"{database.settings.address} is read-only (a standby, or default_transaction_read_only); name the primary"
        )


def check_ledger(database: StagingDatabase) -> bool:
    """Whether the database can only be read; refused where the ledger is not in it."""
    address = database.settings.address
    with database.transaction("look at the database") as cursor:
        cursor.execute(statement("server_state"), {"schema": database.schema})
        ((is_read_only, has_schema, has_ledger, is_current),) = cursor.fetchall()
    if not has_schema:
        raise UsageError(f"{address} has no schema {database.schema!r}; create it, or set staging.schema in etl.yaml")
    if not has_ledger:
        raise UsageError(
            f"{address} has no staging ledger in schema {database.schema!r}; run `{etl_as_typed()} staging init`"
        )
    if not is_current:
        raise UsageError(
            f"the staging ledger in schema {database.schema!r} of {address} is of an older version; "
            f"run `{etl_as_typed()} staging init`, which brings it up to date"
        )
    return bool(is_read_only)


def check_table(database: StagingDatabase, name: str) -> StagingTable:
    """The table as it stands, which optional columns it has; refused where it is not as the contract says."""
    with database.transaction("look at the staging table") as cursor:
        cursor.execute(statement("table_columns"), {"table": name})
        found = cursor.fetchall()
        cursor.execute(statement("has_unique_source_id"), {"table": name})
        ((has_unique,),) = cursor.fetchall()
        cursor.execute(statement("missing_privileges"), {"table": name})
        lacking = [f"{privilege} on {table}" for table, privilege in cursor.fetchall()]
    columns = {str(column): str(kind) for column, kind, _ in found}
    if not columns:
        raise UsageError(
            f"{database.settings.address} has no table {name} in schema {database.schema!r}; "
            f"run `{etl_as_typed()} staging init`"
        )
    faults = [*_faults(columns), *([] if has_unique else ["no valid UNIQUE (source_id) that is not deferrable"])]
    if faults:
        told = "; ".join(faults)
        raise UsageError(f"{name} is no staging table yet: {told}; run `{etl_as_typed()} staging migrate`")
    unknown = [column for column, _, must_be_given in found if must_be_given and column not in _KNOWN]
    if unknown:
        raise UsageError(
            f"{name} has NOT NULL columns without a default that the loader does not know: {', '.join(unknown)}; "
            "give them a default, or drop their NOT NULL"
        )
    if lacking:
        raise UsageError(f"user {database.settings.user} lacks {', '.join(lacking)}; ask for GRANT")
    return StagingTable(name, "source_updated_at" in columns, "hash_digest" in columns)


def _faults(columns: dict[str, str]) -> Iterable[str]:
    missing = [name for name in _CONTRACT if name not in columns]
    if missing:
        yield f"no column {', '.join(missing)}"
    for name, kind in _KNOWN.items():
        found = columns.get(name, kind)
        if found != kind:
            yield f"{name} is {found}, expected {kind}"
