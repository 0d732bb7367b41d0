"""What an attempt touched is taken from the ledgers of the tools that it started."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from structlog.testing import capture_logs

from etl.config.settings import PostgreSQLSettings, Settings
from etl.config.staging.models import JsonFiles, StagingJob
from etl.fencing import Fence
from etl.ingestion.database.settings import Dsn
from etl.ingestion.model import Header, UploadOptions
from etl.ingestion.uploader import async_upsert
from etl.ledger import Ledger, LoadPlan, NewRun
from etl.model import Destination, LoadResult, WriteMode
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.lineage import collect
from etl.orchestrator.values import Claim, Counts
from etl.staging.database.database import StagingDatabase
from etl.staging.database.installation import install
from etl.staging.loader import LoadOptions, StagingLoader
from etl.staging.sources.files import FileSource
from etl.staging.sources.ndjson import NdjsonFormat
from etl.statements.staging.tables import StagingTable
from tests.databases import Execute, database_of_its_own
from tests.integration.orchestrator.conftest import SCHEMA
from tests.integration.orchestrator.queue.queued import add_job, ask, claim_one

pytestmark = pytest.mark.stack

EMPTY = """
DROP SCHEMA IF EXISTS etl CASCADE; DROP SCHEMA IF EXISTS staging CASCADE; DROP SCHEMA public CASCADE;
CREATE SCHEMA public
"""
TOUCHED = (
    "SELECT ledger, table_name, destination, status, rows_read, rows_written FROM dw_etl_run_tables"
    " WHERE fencing_token = %s ORDER BY ledger, table_name, destination"
)


@pytest.fixture
def settings(orchestrator_settings: PostgreSQLSettings, execute: Execute) -> Iterator[Settings]:
    execute(EMPTY)
    yield Settings(ledger=orchestrator_settings, postgresql=orchestrator_settings, staging_schema="staging")
    execute(EMPTY)


@pytest.fixture
def claim(database: OrchestratorDatabase, execute: Execute) -> Claim:
    add_job(execute, "bronze")
    ask(database, "bronze")
    return claim_one(database)


@pytest.fixture
def server(settings: Settings, claim: Claim) -> PostgreSQLSettings:
    """As the tools know it that the attempt starts."""
    assert settings.postgresql is not None
    return settings.postgresql.of_attempt(Fence(SCHEMA, claim.run_id, claim.fencing_token))


@pytest.fixture
def ledger(server: PostgreSQLSettings) -> Iterator[Ledger]:
    with closing(Ledger(server)) as ledger:
        ledger.migrate()
        yield ledger


def load_main(ledger: Ledger) -> None:
    """Customers into two destinations, and orders, whose load does not end."""
    run = ledger.start_run(NewRun((Destination.S3, Destination.POSTGRESQL), ("customers", "orders")))
    for destination, unchanged in ((Destination.S3, 0), (Destination.POSTGRESQL, 4)):
        ledger.begin_load(run.run_id, LoadPlan("customers", destination, "x", WriteMode.UPSERT, rows_read=10))
        result = LoadResult(
            "customers", destination, "x", WriteMode.UPSERT, rows_in=10, rows_inserted=5, rows_deleted=2
        )
        ledger.complete_load(run.run_id, replace(result, rows_updated=5 - unchanged, rows_unchanged=unchanged))
    ledger.begin_load(run.run_id, LoadPlan("orders", Destination.S3, "y", WriteMode.UPSERT, rows_read=7))


def load_staging(server: PostgreSQLSettings, file: Path, records: int) -> None:
    file.write_bytes(b"".join(orjson.dumps({"id": str(i)}) + b"\n" for i in range(records)))
    table = StagingTable("stg_events")
    job = StagingJob(
        id="events", target_table=table.name, source=JsonFiles(type="ndjson", path=(str(file),)), source_id="id"
    )
    with closing(StagingDatabase(server, "staging")) as database:
        install(database, [table])
        source = FileSource(NdjsonFormat(1 << 20), (file,))
        assert StagingLoader(database).load(job, source, LoadOptions(reject_dir=file.parent)).is_success


def upload(server: PostgreSQLSettings, folder: Path, *rows: int) -> None:
    """A file each, of so many rows."""
    files = [folder / f"{number}.csv" for number in range(len(rows))]
    for number, file in enumerate(files):
        file.write_text("id\n" + "".join(f"{number * 1000 + row}\n" for row in range(rows[number])))
    options = UploadOptions(
        files=tuple(map(str, files)), table="uploaded", headers=(Header("id", "bigint"),), primary_key=("id",)
    )
    password = server.password.get_secret_value()
    dsn = Dsn((server.host,), (server.port,), server.user, password, server.database, fence=server.fence)
    assert asyncio.run(async_upsert(options, dsn)).is_success


def test_the_three_ledgers_add_up(
    database: OrchestratorDatabase,
    settings: Settings,
    claim: Claim,
    server: PostgreSQLSettings,
    ledger: Ledger,
    execute: Execute,
    tmp_path: Path,
) -> None:
    load_main(ledger)
    load_staging(server, tmp_path / "events.ndjson", 30)
    upload(server, tmp_path, 3, 4)

    counts = collect(database, settings, claim)

    assert execute(TOUCHED, [claim.fencing_token]) == [
        ("main", "customers", "postgresql", "success", 10, 8),
        ("main", "customers", "s3", "success", 10, 12),
        ("main", "orders", "s3", "running", 7, 0),
        ("staging", "stg_events", "postgresql", "success", 30, 30),
        ("uploader", "public.uploaded", "postgresql", "success", 7, 7),
    ]
    # customers are read once for both destinations
    assert (counts.records_read, counts.records_written) == (10 + 7 + 30 + 7, 8 + 12 + 0 + 30 + 7)
    assert counts.metrics == {"ledger_runs": 3, "tables": 4}


def test_asked_twice_it_stands_once_as_it_is_by_then(
    database: OrchestratorDatabase, settings: Settings, claim: Claim, ledger: Ledger, execute: Execute
) -> None:
    load_main(ledger)
    first = collect(database, settings, claim)
    execute(
        "UPDATE etl.loads SET rows_read = 11, status = 'failed', error_class = 'E', finished_at = now()"
        " WHERE table_name = 'orders'"
    )

    again = collect(database, settings, claim)

    assert again.records_read == (first.records_read or 0) + 4
    assert execute(TOUCHED, [claim.fencing_token])[-1] == ("main", "orders", "s3", "failed", 11, 0)


def test_a_run_without_loads_is_told_without_counts(
    database: OrchestratorDatabase, settings: Settings, claim: Claim, ledger: Ledger, execute: Execute
) -> None:
    with ledger.own_run(NewRun((Destination.S3,), ("customers",), {"command": "vacuum"})):
        pass

    counts = collect(database, settings, claim)

    assert execute(TOUCHED, [claim.fencing_token]) == [("main", "customers", "", "success", None, None)]
    assert (counts.records_read, counts.records_written) == (None, None)


def test_of_what_was_taken_up_again_an_attempt_counts_its_own(
    database: OrchestratorDatabase,
    settings: Settings,
    claim: Claim,
    server: PostgreSQLSettings,
    execute: Execute,
    tmp_path: Path,
) -> None:
    load_staging(server, tmp_path / "events.ndjson", 30)
    execute("UPDATE staging.etl_runs SET resumed_at = clock_timestamp()")
    upload(server, tmp_path, 5)
    execute("UPDATE public.ingestion_batches SET fencing_token = fencing_token + 1000")

    counts = collect(database, settings, claim)

    assert [row[-2:] for row in execute(TOUCHED, [claim.fencing_token])] == [(0, 0), (0, 0)]
    assert (counts.records_read, counts.records_written) == (0, 0)


def test_other_attempts_are_left_out(
    database: OrchestratorDatabase, settings: Settings, claim: Claim, ledger: Ledger, execute: Execute
) -> None:
    load_main(ledger)
    execute("UPDATE etl.runs SET fencing_token = fencing_token + 1000")

    assert collect(database, settings, claim) == Counts()
    assert execute("SELECT count(*) FROM dw_etl_run_tables") == [(0,)]


def test_no_ledger_is_no_fault_and_a_server_that_is_away_is_told(
    database: OrchestratorDatabase, settings: Settings, claim: Claim, orchestrator_settings: PostgreSQLSettings
) -> None:
    away = orchestrator_settings.model_copy(update={"port": 1})
    with database_of_its_own(orchestrator_settings, "no_ledgers") as empty, capture_logs() as told:
        assert collect(database, Settings(ledger=empty, staging=empty), claim) == Counts()
        assert told == []
        assert collect(database, Settings(ledger=empty, staging=away), claim) == Counts()

    assert [entry["event"] for entry in told][-1] == "ledgers not read"
