"""A database of the orchestrator's tests' own; its tables are empty at the start of each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.installation import install
from tests.databases import Execute, database_of_its_own, statements_of

if TYPE_CHECKING:
    from tests.conftest import RunningStack

SCHEMA = "orchestrator"
EMPTY = """
DO $$ BEGIN EXECUTE (
    SELECT 'TRUNCATE ' || string_agg(format('orchestrator.%I', tablename), ', ') || ' RESTART IDENTITY CASCADE'
    FROM pg_tables WHERE schemaname = 'orchestrator' AND tablename <> 'dw_etl_migrations'
); END $$
"""


@pytest.fixture(scope="session")
def orchestrator_settings(stack: RunningStack) -> Iterator[PostgreSQLSettings]:
    with database_of_its_own(stack.settings.postgresql, "orchestrator_test") as settings:
        with closing(OrchestratorDatabase(settings, SCHEMA)) as database:
            install(database)
        yield settings


@pytest.fixture
def execute(orchestrator_settings: PostgreSQLSettings) -> Iterator[Execute]:
    """With search_path at the orchestrator's tables."""
    with statements_of(orchestrator_settings) as execute:
        execute("SET search_path = orchestrator")
        yield execute


@pytest.fixture
def database(orchestrator_settings: PostgreSQLSettings, execute: Execute) -> Iterator[OrchestratorDatabase]:
    execute(EMPTY)
    with closing(OrchestratorDatabase(orchestrator_settings, SCHEMA)) as database:
        yield database


def environment_of(settings: PostgreSQLSettings) -> dict[str, str]:
    """Of a command's process: the tests' database, and nothing of who runs them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ETL_", "AWS_"))}
    password = quote(settings.password.get_secret_value(), safe="")
    url = f"postgresql://{settings.user}:{password}@{settings.host}:{settings.port}/{settings.database}"
    return {**kept, "ETL_ORCHESTRATOR_POSTGRES_URL": url}
