"""Empty databases on the session's server, and the sample's command line pointed at them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest
from click.testing import Result
from typer.testing import CliRunner

from etl.sample.__main__ import app
from etl.sample.source import TABLES
from tests.databases import drop_database

if TYPE_CHECKING:
    from tests.conftest import RunningStack

URL_VARIABLE = "SAMPLE_TEST_URL"


@dataclass(frozen=True)
class SampleDatabase:
    """One database; `run` calls the command line on it."""

    url: str

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--url-env", URL_VARIABLE], env={URL_VARIABLE: self.url})

    def run_json(self, *arguments: str) -> dict[str, Any]:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return dict(json.loads(result.stdout))

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with closing(psycopg2.connect(self.url)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def count(self, table: str) -> int:
        return int(self.query(f'SELECT count(*) FROM "{table}"')[0][0])

    def contents(self) -> dict[str, set[str]]:
        """Every row of every table as text."""
        return {table: {row for (row,) in self.query(f'SELECT t::text FROM "{table}" AS t')} for table in TABLES}


@pytest.fixture(scope="module")
def make_database(stack: RunningStack) -> Iterator[Callable[[], SampleDatabase]]:
    made: list[str] = []

    def make() -> SampleDatabase:
        name = f"sample_test_{secrets.token_hex(4)}"
        with _server(stack.postgres_url) as cursor:
            cursor.execute(f'CREATE DATABASE "{name}"')
        made.append(name)
        return SampleDatabase(urlunsplit(urlsplit(stack.postgres_url)._replace(path=f"/{name}")))

    yield make
    with _server(stack.postgres_url) as cursor:
        for name in made:
            drop_database(cursor.execute, name)


@contextmanager
def _server(url: str) -> Iterator[Any]:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor
