"""A schema of the test's own in the source database."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from etl.config.settings import PostgreSQLSettings
from etl.config.tables.models import PostgreSQLSource, TableConfig
from etl.model import TableKind
from tests.conftest import RunningStack


@pytest.fixture
def source(stack: RunningStack) -> PostgreSQLSettings:
    assert stack.settings.source is not None
    return stack.settings.source


@pytest.fixture
def database(stack: RunningStack) -> Iterator[Connection]:
    connection = psycopg2.connect(stack.source_postgres_url)
    connection.autocommit = True
    yield connection
    connection.close()


@pytest.fixture
def schema(database: Connection) -> Iterator[str]:
    name = f"extract_{uuid.uuid4().hex[:12]}"
    with database.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {name}; SET search_path = {name}")
    yield name
    with database.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA {name} CASCADE")


def source_table(schema: str, name: str, **fields: Any) -> TableConfig:
    defaults = {"domain": "test", "kind": TableKind.REFERENCE, "key": ("id",), "loads": {}}
    return TableConfig(**{"name": name, **defaults, **fields}, source=PostgreSQLSource(schema_name=schema, table=name))
