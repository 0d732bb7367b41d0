"""What another session holds: it is told while a run waits for it, and a statement that takes too long is ended."""

from __future__ import annotations

import sys

import pytest

from etl.postgresql import waits
from tests.integration.pipeline.conftest import RUN, Shop, load_of
from tests.waiting import HOLDER, Telling, held_until_told

pytestmark = pytest.mark.stack

ONE = "CREATE TABLE one (id int PRIMARY KEY, name text); INSERT INTO one VALUES (1, 'a')"
PATIENT = "run: {lock_timeout_seconds: 60, retries: 0}\n"


@pytest.mark.parametrize(
    ("server", "statement", "wanted", "part"),
    [
        ("ETL_POSTGRES_URL", "LOCK TABLE {name}.one", "{name}.one", "ownlens-etl "),
        ("ETL_POSTGRES_URL", "LOCK TABLE etl.loads", "etl.loads", "ownlens-etl ledger "),
        ("ETL_SOURCE_POSTGRES_URL", "LOCK TABLE {name}.one", "{name}.one", "ownlens-etl extract "),
        # a view is not locked by the snapshot: whoever measures it waits
        ("ETL_SOURCE_POSTGRES_URL", "LOCK TABLE {name}.behind", "{name}.behind", "ownlens-etl extract "),
    ],
    ids=["target", "ledger", "source", "behind a view"],
)
def test_who_holds_what_a_run_waits_for_is_told_before_the_wait_ends(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, server: str, statement: str, wanted: str, part: str
) -> None:
    shop.ledger.migrate()
    shop.target(f"CREATE SCHEMA {shop.name}; CREATE TABLE {shop.name}.one (id int PRIMARY KEY, name text)")
    shop.source("CREATE TABLE behind (id int, name text); INSERT INTO behind VALUES (1, 'a'), (2, 'b')")
    shop.source(ONE if "behind" not in statement else "CREATE VIEW one AS SELECT * FROM behind")
    shop.tables(f"tables: {{one: {{postgresql: {{target_schema: {shop.name}}}}}}}")
    (shop.folder / "etl.yaml").write_text(PATIENT)
    monkeypatch.setattr(waits, "INTERVAL_SECONDS", 0.2)
    monkeypatch.setattr(sys, "stderr", told := Telling())

    with held_until_told(shop.environ[server], statement.format(name=shop.name), told) as holders:
        exit_code, report = shop.run(destinations="postgresql")
    assert (exit_code, load_of(report, "one", "postgresql")["status"]) == (0, "success")
    wait = told.waits()[0]
    assert wait["wanted"] == wanted.format(name=shop.name)
    assert wait["held_by"].startswith(f"pid {holders[0]} ({HOLDER}, ")
    assert "idle in transaction, its transaction began 20" in wait["held_by"]
    assert f"SELECT pg_terminate_backend({holders[0]})" in wait["next_step"]
    assert wait["session"] == part + report["run_id"]


def test_sessions_of_spark_say_for_which_run_they_read(shop: Shop) -> None:
    shop.source("CREATE VIEW seen AS SELECT 1 AS id, current_setting('application_name') AS session")
    shop.tables(f"tables: {{seen: {{postgresql: {{target_schema: {shop.name}}}}}}}")
    _, report = shop.run(destinations="postgresql")
    assert shop.target(f"SELECT session FROM {shop.name}.seen") == [(f"ownlens-etl extract {report['run_id']}",)]


SLOW = {
    "measuring": (
        "source",
        "CREATE VIEW one AS SELECT 1 AS id, pg_sleep(60)::text AS waited",
        "while measuring the table: canceling statement due to statement timeout",
    ),
    "reading": (
        "source",
        "CREATE VIEW one AS SELECT 1 AS id, CASE WHEN current_query() LIKE 'SELECT count(*)%' THEN '' "
        "ELSE pg_sleep(60)::text END AS waited",
        "while reading the table: canceling statement due to statement timeout",
    ),
    "reading many rows": (
        "source",
        "CREATE VIEW one AS SELECT i AS id, CASE WHEN i > 1 OR current_query() LIKE 'SELECT count(*)%' THEN '' "
        "ELSE pg_sleep(60)::text END AS waited FROM generate_series(1, 10001) AS i",
        "a statement that took longer than it may (canceling statement due to statement timeout)",
    ),
    "publishing": (
        "postgresql",
        f"{ONE}; UPDATE one SET name = 'b'",
        "canceling statement due to statement timeout (SQLSTATE 57014); it took longer than it may",
    ),
}


@pytest.mark.parametrize("where", SLOW)
def test_a_statement_that_takes_too_long_is_ended_and_says_which_limit(shop: Shop, where: str) -> None:
    server, source, said = SLOW[where]
    shop.source(source)
    shop.tables(f"tables: {{one: {{postgresql: {{target_schema: {shop.name}}}}}}}")
    if server == "postgresql":
        shop.target(f"CREATE SCHEMA {shop.name}; {ONE.replace('one', f'{shop.name}.one')}")
        shop.target(
            f"CREATE FUNCTION {shop.name}.sleep() RETURNS trigger LANGUAGE plpgsql AS "
            f"'BEGIN PERFORM pg_sleep(60); RETURN NEW; END'; CREATE TRIGGER sleep BEFORE INSERT OR UPDATE "
            f"ON {shop.name}.one FOR EACH ROW EXECUTE FUNCTION {shop.name}.sleep()"
        )
    (shop.folder / "etl.yaml").write_text(f"{RUN}{server}: {{statement_timeout_seconds: 1}}\n")
    exit_code, report = shop.run(destinations="postgresql")
    error = load_of(report, "one", "postgresql")["error"]
    assert exit_code == 1
    assert said in error
    assert f"raise {server}.statement_timeout_seconds" in error
