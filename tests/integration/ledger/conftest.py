"""A database of the ledger tests' own, with an empty ledger for each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.ledger import Ledger, LoadPlan, NewRun, Run
from etl.model import Destination, LoadResult, WriteMode
from tests.databases import Execute, database_of_its_own, statements_of

if TYPE_CHECKING:
    from tests.conftest import RunningStack


@pytest.fixture(scope="session")
def ledger_settings(stack: RunningStack) -> Iterator[PostgreSQLSettings]:
    with database_of_its_own(stack.settings.ledger, "ledger_test") as settings:
        yield settings


@pytest.fixture
def execute(ledger_settings: PostgreSQLSettings) -> Iterator[Execute]:
    with statements_of(ledger_settings) as execute:
        yield execute


@pytest.fixture
def empty_database(execute: Execute) -> None:
    execute("DROP SCHEMA IF EXISTS etl CASCADE")


@pytest.fixture
def ledger(ledger_settings: PostgreSQLSettings, empty_database: None) -> Iterator[Ledger]:
    with closing(Ledger(ledger_settings)) as ledger:
        ledger.migrate()
        yield ledger


@pytest.fixture
def named_ledger(ledger: Ledger, ledger_settings: PostgreSQLSettings, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """The environment names it for the commands, and no other server."""
    password = quote(ledger_settings.password.get_secret_value(), safe="")
    server = f"{ledger_settings.user}:{password}@{ledger_settings.host}:{ledger_settings.port}"
    for name in ("ETL_LEDGER_POSTGRES_URL", "ETL_CLICKHOUSE_URL", "ETL_S3_ENDPOINT", "ETL_S3_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ETL_POSTGRES_URL", f"postgresql://{server}/{ledger_settings.database}")
    return ledger


@pytest.fixture
def run(ledger: Ledger) -> Run:
    return start_run(ledger)


def start_run(ledger: Ledger) -> Run:
    return ledger.start_run(NewRun((Destination.S3, Destination.POSTGRESQL), ("customers", "orders")))


def plan(**changes: Any) -> LoadPlan:
    """Ten rows read of customers, one of them rejected, one filtered, two deduplicated: six are left to the loader."""
    facts: dict[str, Any] = {
        "table_name": "customers",
        "destination": Destination.POSTGRESQL,
        "target": "public.customers",
        "mode": WriteMode.UPSERT,
        "rows_read": 10,
        "rows_rejected": 1,
        "rows_deduplicated": 2,
        "rows_filtered": 1,
        "next_watermark": "2026-11-20T00:00:00+00:00",
    }
    return LoadPlan(**{**facts, **changes})


def result(**changes: Any) -> LoadResult:
    """What came of those six."""
    facts: dict[str, Any] = {
        "table_name": "customers",
        "destination": Destination.POSTGRESQL,
        "target": "public.customers",
        "mode": WriteMode.UPSERT,
        "rows_in": 6,
        "rows_inserted": 2,
        "rows_updated": 1,
        "rows_unchanged": 1,
        "rows_skipped": 1,
        "rows_rejected": 1,
        "bytes_written": 600,
        "seconds": 0.5,
    }
    return LoadResult(**{**facts, **changes})


def make_dead(execute: Execute, run: Run) -> None:
    """As if the process had been killed two minutes ago."""
    execute("UPDATE etl.runs SET heartbeat_at = now() - interval '2 minutes' WHERE run_id = %s", [run.run_id])
    execute("UPDATE etl.leases SET expires_at = now() - interval '1 minute' WHERE run_id = %s", [run.run_id])
