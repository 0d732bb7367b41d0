"""A database of these tests' own, with an empty staging ledger for each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from etl.config.settings import PostgreSQLSettings
from etl.ledger.migrations import read_migrations
from etl.postgresql.connection import connect
from etl.stack.embedded import Stack
from etl.stack.layout import Layout
from etl.staging.ledger.queries import SQL_DIRECTORY
from etl.staging.migrate import MigrationSettings
from tests.databases import Execute, database_of_its_own, statements_of

if TYPE_CHECKING:
    from tests.conftest import RunningStack

_TOUCH = """CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql
AS 'BEGIN NEW.updated_at := now(); RETURN NEW; END'"""


@pytest.fixture(scope="session")
def migrate_database(stack: RunningStack) -> Iterator[PostgreSQLSettings]:
    with database_of_its_own(stack.settings.postgresql, "migrate_test") as settings:
        yield settings


@pytest.fixture
def execute(migrate_database: PostgreSQLSettings) -> Iterator[Execute]:
    with statements_of(migrate_database) as execute:
        yield execute


@pytest.fixture
def database(migrate_database: PostgreSQLSettings, execute: Execute) -> PostgreSQLSettings:
    execute("DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public")
    for migration in read_migrations(SQL_DIRECTORY / "migrations"):
        execute(migration.text)
    execute(_TOUCH)
    return migrate_database


@pytest.fixture
def settings() -> MigrationSettings:
    return MigrationSettings(lock_timeout_seconds=0.5, longest_pause_seconds=0.5)


@pytest.fixture
def administer(stack: RunningStack, migrate_database: PostgreSQLSettings) -> Iterator[Execute]:
    """As `execute`, by the server's administrator."""
    admin = Stack(Layout(stack.data_dir), say=print).credentials()
    assert admin is not None
    changed = {"user": "postgres", "password": SecretStr(admin.postgresql_admin)}
    with closing(connect(migrate_database.model_copy(update=changed))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor.execute


@pytest.fixture
def silenced_triggers(administer: Execute, migrate_database: PostgreSQLSettings) -> Iterator[None]:
    """What an administrator grants so that triggers of the users' own do not fire for a migration."""
    administer(f"GRANT SET ON PARAMETER session_replication_role TO {migrate_database.user}")
    yield
    administer(f"REVOKE SET ON PARAMETER session_replication_role FROM {migrate_database.user}")
