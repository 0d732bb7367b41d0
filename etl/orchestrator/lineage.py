"""Which ledger runs and tables an attempt touched, taken from the ledgers of the tools that it started.

Read: rows of the source as the main job counts them, a table once for all its destinations; records of the batches that
the staging loader and the uploader have stored. Written: rows inserted and updated, and those that the main job has
deleted. Rows that were unchanged, skipped, rejected or deduplicated were read, not written.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

import structlog
from psycopg2.extras import Json

from etl.config.settings import PostgreSQLSettings, Settings
from etl.errors import EtlError
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.queries import statement
from etl.orchestrator.values import Claim, Counts
from etl.postgresql.pool import Database
from etl.retrying import retrying
from etl.statements.quoting import postgresql_known_identifier

READ_RETRIES = 2
STORE_RETRIES = 4
STORE_FOR_SECONDS = 20
"""The orchestrator's own server may just be starting again."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Touched:
    """One table in one ledger run. `ledger` is main, staging or uploader; rows are None where no ledger counts them."""

    ledger: str
    ledger_run_id: str
    table_name: str
    destination: str
    status: str
    rows_read: int | None
    rows_written: int | None


def collect(database: OrchestratorDatabase, settings: Settings, claim: Claim) -> Counts:
    """Writes down what the attempt touched, and sums it up.

    Raises no EtlError: a server that does not answer is told in the log, for how the attempt ended does not hang on it.
    """
    touched = [each for server in _servers(settings) for each in _read(server, settings, claim)]
    if touched:
        _store(database, claim, touched)
    return counts_of(touched)


def counts_of(touched: Iterable[Touched]) -> Counts:
    """None where no ledger counts anything."""
    rows = list(touched)
    written = [each.rows_written for each in rows if each.rows_written is not None]
    read: dict[tuple[str, str, str], int] = {}
    for each in rows:
        if each.rows_read is not None:
            table = (each.ledger, each.ledger_run_id, each.table_name)
            read[table] = max(each.rows_read, read.get(table, 0))
    if not rows:
        return Counts()
    runs = {(each.ledger, each.ledger_run_id) for each in rows}
    metrics = {"ledger_runs": len(runs), "tables": len({each.table_name for each in rows})}
    return Counts(sum(read.values()) if read else None, sum(written) if written else None, metrics)


def _servers(settings: Settings) -> list[PostgreSQLSettings]:
    """Each database once: the ledgers may stand together."""
    configured = (settings.postgresql, settings.staging, settings.ledger)
    found = {(server.host, server.port, server.database): server for server in configured if server is not None}
    return list(found.values())


def _read(server: PostgreSQLSettings, settings: Settings, claim: Claim) -> list[Touched]:
    facts: dict[str, Any] = {"run_id": claim.run_id, "token": claim.fencing_token, "server": server.address}
    with closing(Database(server)) as database:
        try:
            read: list[Touched] = retrying(READ_RETRIES, 0, "ledgers read again", ended=None, **facts)(
                _touched, database, settings.staging_schema, claim.fencing_token
            )
        except EtlError as error:
            log.error("ledgers not read", **facts, error=error.message)
            return []
        return read


def _store(database: OrchestratorDatabase, claim: Claim, touched: list[Touched]) -> None:
    facts: dict[str, Any] = {"run_id": claim.run_id, "token": claim.fencing_token}
    told = Json([asdict(each) for each in touched])
    again = retrying(STORE_RETRIES, STORE_FOR_SECONDS, "lineage stored again", ended=None, **facts)
    try:
        again(database.at_once, "store_lineage", {**facts, "touched": told})
    except EtlError as error:
        log.error("lineage not stored", **facts, error=error.message)


def _touched(database: Database, staging_schema: str, token: int) -> list[Touched]:
    found = []
    with database.transaction("look for ledgers") as cursor:
        cursor.execute(statement("lineage_places"), {"staging_schema": staging_schema})
        places = [(str(row["ledger"]), str(row["schema_name"])) for row in cursor.fetchall()]
    for ledger, schema in places:
        search_path = f"SET LOCAL search_path = {postgresql_known_identifier(schema)}"
        with database.transaction(f"read the {ledger} ledger", settings=search_path) as cursor:
            cursor.execute(statement(f"lineage_of_{ledger}"), {"token": token})
            rows = cursor.fetchall()
        found += [Touched(ledger=ledger, **row) for row in rows]
    return found
