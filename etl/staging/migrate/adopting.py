"""Another system's etl_jobs and etl_runs, standing where the ledger is to stand: told, and on request taken over.

They are set aside as they are, into a schema of their own; then the ledger is made, and what they know of jobs and runs
is written into it. Each step may be repeated: killed in between, the same command goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from etl.command.typed import etl_as_typed
from etl.config.settings import PostgreSQLSettings
from etl.errors import UsageError
from etl.staging.ledger.queries import statement
from etl.staging.migrate.lease import Lease
from etl.staging.migrate.session import Session
from etl.staging.migrate.settings import MigrationSettings
from etl.statements.quoting import postgresql_name
from etl.statements.staging import adoption as sql
from etl.statements.staging.adoption import ForeignColumn, ForeignTable

LINEAGE_TABLES = ("etl_jobs", "etl_runs")


@dataclass(frozen=True)
class Adoption:
    """`rows` of the other system's table; `adopted`: those that the ledger knows now, or would know."""

    table: str
    kept_as: str
    id_column: str | None
    rows: int
    adopted: int

    @property
    def left(self) -> int:
        return self.rows - self.adopted


def refuse_foreign_ledger(address: str, schema: str, tables: Sequence[str]) -> None:
    if tables:
        raise UsageError(
            f"{address} has {', '.join(tables)} of another system in schema {schema!r}, where the staging ledger is to "
            f"stand. `{etl_as_typed()} staging migrate --adopt-ledger` keeps them in schema "
            f"{schema + '_adopted'!r} and takes their jobs and runs over as the lineage of the rows (with --dry-run it "
            "only tells); or name another schema for stg_* tables and ledger: staging.schema in etl.yaml"
        )


def check_ledger_place(session: Session) -> None:
    """Refuses what would be in the ledger's way, and what cannot be adopted."""
    settings, address = session.settings, session.database.address
    found = foreign_ledger(session)
    if not settings.adopts_ledger:
        refuse_foreign_ledger(address, settings.schema, found["tables"])
        return
    if not found["tables"]:
        return
    if not found["is_owned"]:
        raise UsageError(f"{', '.join(found['tables'])} in {address} belong to somebody else: connect as their owner")
    with session.look("look at the schema of what is adopted") as cursor:
        values = {"adopted": settings.adopted_schema, "tables": found["tables"]}
        cursor.execute(statement("adopted_schema"), values)
        place = cursor.fetchone()
    if place["tables"]:
        raise UsageError(
            f"schema {settings.adopted_schema!r} of {address} has {', '.join(place['tables'])} already: rename them"
        )
    if not place["may_create"]:
        grant = f"SCHEMA {settings.adopted_schema}" if place["has_schema"] else f"DATABASE {session.database.database}"
        raise UsageError(
            f"{session.database.user} may not create schema {settings.adopted_schema!r} or tables in it; "
            f"GRANT CREATE ON {grant} TO {session.database.user}"
        )


def set_ledger_aside(database: PostgreSQLSettings, settings: MigrationSettings) -> None:
    """Does nothing where no other system's tables stand in the ledger's place."""
    with closing(Session(database, settings)) as session, closing(Lease(database, settings)):
        tables = foreign_ledger(session)["tables"]
        if tables:
            statements = sql.set_aside(settings.schema, settings.adopted_schema, tables)
            session.change(tables[0], f"move {', '.join(tables)} to schema {settings.adopted_schema}", statements)


def adopt(session: Session) -> list[Adoption]:
    """Writes into the ledger what the tables that were set aside know; what it knows already stays."""
    settings = session.settings
    tables = _tables_in(session, settings.adopted_schema)
    values = {
        "pattern": settings.pattern,
        "job_id": settings.historical_job_id,
        "succeeded": list(sql.SUCCEEDED),
        "partly": list(sql.PARTLY),
    }
    with session.transaction("adopt jobs and runs") as cursor:
        for table in tables:
            if table.id_column:
                text = sql.adopt_jobs(table) if table.name == "etl_jobs" else sql.adopt_runs(table)
                cursor.execute(text, values)
    return [_counted(session, table) for table in tables]


def would_adopt(session: Session) -> list[Adoption]:
    """For a plan: before anything is moved, or after."""
    place = session.settings.schema if foreign_ledger(session)["tables"] else session.settings.adopted_schema
    return [_counted(session, table) for table in _tables_in(session, place)]


def foreign_ledger(session: Session) -> Any:
    with session.look("look for another system's ledger") as cursor:
        cursor.execute(statement("foreign_ledger"), {"schema": session.settings.schema})
        return cursor.fetchone()


def _tables_in(session: Session, schema: str) -> list[ForeignTable]:
    """Jobs first: runs refer to them."""
    found: list[ForeignTable] = []
    for name in LINEAGE_TABLES:
        with session.look(f"look at {name}") as cursor:
            cursor.execute(statement("foreign_columns"), {"table": postgresql_name(schema, name)})
            columns = [ForeignColumn(**row) for row in cursor.fetchall()]
        if columns:
            found.append(sql.foreign_table(schema, name, columns, session.settings.time_zone))
    return found


def _counted(session: Session, table: ForeignTable) -> Adoption:
    with session.transaction(f"count {table.name}") as cursor:
        cursor.execute(sql.count_ids(table))
        row = cursor.fetchone()
    kept_as = f"{session.settings.adopted_schema}.{table.name}"
    return Adoption(table.name, kept_as, table.id_column, row["rows"], row["usable"])
