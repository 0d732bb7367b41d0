"""citext and collations that call different texts equal, from PostgreSQL into PostgreSQL, lake and ClickHouse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from pyspark.sql import SparkSession

from etl.config.settings import PostgreSQLSettings
from tests.conftest import RunningStack
from tests.contrib import LOOSE
from tests.integration.pipeline.conftest import Shop, execute, load_of, shop_on

pytestmark = [pytest.mark.stack, pytest.mark.slow]

KINDS = ["citext", "text COLLATE loose", "varchar(9) COLLATE loose"]
TABLES = (
    "CREATE TABLE plain (id int PRIMARY KEY, name {kind});"
    "CREATE TABLE keyed (id {kind} PRIMARY KEY, n int);"
    "CREATE TABLE paired (id int, word {kind}, n int, PRIMARY KEY (id, word));"
)
ENTRIES = """tables:
  plain: {kind: snapshot, extract: {mode: full}, vanished_rows: keep}
  keyed: {kind: snapshot, extract: {mode: full}, vanished_rows: keep}
  paired: {kind: snapshot, key: [id, word], extract: {mode: full}, vanished_rows: keep}
"""


@pytest.fixture
def loose(contrib: PostgreSQLSettings, stack: RunningStack, spark: SparkSession, tmp_path: Path) -> Iterator[Shop]:
    """Source and target on a server that has both."""
    password = quote(contrib.password.get_secret_value(), safe="")
    server = f"postgresql://{contrib.user}:{password}@{contrib.host}:{contrib.port}"
    changed = {"ETL_POSTGRES_URL": f"{server}/warehouse", "ETL_SOURCE_POSTGRES_URL": f"{server}/source"}
    with shop_on(replace(stack, environment={**stack.environment, **changed}), tmp_path) as shop:
        execute(changed["ETL_SOURCE_POSTGRES_URL"], "CREATE EXTENSION IF NOT EXISTS citext SCHEMA pg_catalog")
        shop.source(LOOSE)
        shop.target(f"CREATE EXTENSION citext; {LOOSE}")
        shop.tables(ENTRIES)
        yield shop


def counts(report: dict[str, Any], table: str, store: str = "postgresql") -> tuple[int, ...]:
    load = load_of(report, table, store)
    names = ("rows_inserted", "rows_updated", "rows_unchanged", "rows_rejected")
    found = tuple(load[name] for name in names)
    assert load["rows_read"] == sum(found), load
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_stored_is_what_was_sent(loose: Shop, kind: str) -> None:
    loose.source(TABLES.format(kind=kind))
    loose.target(TABLES.format(kind=kind))
    loose.source(
        "INSERT INTO plain VALUES (1, 'Abc'), (2, 'same'); INSERT INTO keyed VALUES ('Abc', 1), ('same', 2);"
        "INSERT INTO paired VALUES (1, 'Abc', 1), (1, 'same', 2)"
    )
    exit_code, report = loose.run(destinations="postgresql")
    assert exit_code == 0, report
    loose.source(
        "UPDATE plain SET name = 'abc' WHERE id = 1; UPDATE keyed SET id = 'abc' WHERE n = 1;"
        "UPDATE paired SET word = 'abc' WHERE n = 1"
    )
    exit_code, report = loose.run(destinations="postgresql")
    assert exit_code == 0, report
    assert {table: counts(report, table) for table in ("plain", "keyed", "paired")} == dict.fromkeys(
        ("plain", "keyed", "paired"), (0, 1, 1, 0)
    )
    assert loose.target("SELECT id, name::text FROM plain ORDER BY 1") == [(1, "abc"), (2, "same")]
    assert loose.target("SELECT id::text, n FROM keyed ORDER BY 2") == [("abc", 1), ("same", 2)]
    assert loose.target("SELECT word::text, n FROM paired ORDER BY 2") == [("abc", 1), ("same", 2)]
    assert {load["status"] for load in loose.run(destinations="postgresql")[1]["loads"]} == {"unchanged"}


@pytest.mark.parametrize("kind", KINDS)
def test_keys_that_only_the_target_calls_equal_are_told(loose: Shop, kind: str) -> None:
    """Into an empty table, and into one with rows; where another unique index does, the row is rejected."""
    loose.source(TABLES.format(kind="text"))
    loose.target(TABLES.format(kind=kind) + "ALTER TABLE plain ADD UNIQUE (name)")
    loose.source(
        "INSERT INTO keyed VALUES ('Abc', 1), ('abc', 2), ('x', 3);"
        "INSERT INTO plain VALUES (1, 'Abc'), (2, 'abc'), (3, 'x')"
    )
    for stored in ([], [("other", 0)]):
        exit_code, report = loose.run("--tables", "keyed", destinations="postgresql")
        error = load_of(report, "keyed", "postgresql")["error"]
        assert exit_code == 1
        assert error.startswith("expected each key of keyed once, found 1 keys more than once, for example (id=")
        assert "; the target calls them equal (id " in error
        assert loose.target("SELECT id::text, n FROM keyed") == stored
        loose.target("INSERT INTO keyed VALUES ('other', 0) ON CONFLICT DO NOTHING")
    assert loose.run("--tables", "plain", destinations="postgresql")[0] == 0
    exit_code, report = loose.run("--tables", "plain", "--full-refresh", destinations="postgresql")
    assert (exit_code, counts(report, "plain")) == (0, (0, 0, 2, 1)), report
    assert loose.target("SELECT id FROM plain ORDER BY 1") == [(1,), (3,)]
