"""A database of the staging tests' own, with an empty staging ledger and one job's table for each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from threading import Event
from typing import TYPE_CHECKING

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.staging.batch.store import BatchStore
from etl.staging.batch.upsert import Target
from etl.staging.database.database import StagingDatabase
from etl.staging.database.installation import install_ledger
from etl.staging.ledger.journal import Journal
from etl.staging.ledger.ledger import StagingLedger
from etl.staging.watch.observers import Observers
from etl.statements.staging.tables import StagingTable, staging_table_statements
from tests.databases import Execute, database_of_its_own, statements_of

if TYPE_CHECKING:
    from tests.conftest import RunningStack

TABLE = StagingTable("stg_events")


@pytest.fixture(scope="session")
def staging_settings(stack: RunningStack) -> Iterator[PostgreSQLSettings]:
    with database_of_its_own(stack.settings.postgresql, "staging_test") as settings:
        yield settings


@pytest.fixture
def execute(staging_settings: PostgreSQLSettings) -> Iterator[Execute]:
    with statements_of(staging_settings) as execute:
        yield execute


@pytest.fixture
def empty(execute: Execute) -> None:
    execute("DROP SCHEMA IF EXISTS public CASCADE")
    execute("CREATE SCHEMA public")


@pytest.fixture
def database(staging_settings: PostgreSQLSettings, empty: None) -> Iterator[StagingDatabase]:
    with closing(StagingDatabase(staging_settings)) as database:
        install_ledger(database)
        yield database


@pytest.fixture
def events(database: StagingDatabase) -> StagingTable:
    with database.transaction("create table") as cursor:
        for statement in staging_table_statements(TABLE):
            cursor.execute(statement)
    return TABLE


def store_of(database: StagingDatabase, target: Target) -> BatchStore:
    """A worker's, without retries."""
    ledger = StagingLedger(database)
    return BatchStore(ledger, target, Observers([]), retries=0, cancelled=Event(), journal=Journal(ledger))
