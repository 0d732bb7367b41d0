"""Filling a real source: complete, repeatable, all or nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import psycopg2
import pytest

from etl.command.exits import Exit
from etl.sample.dirty import Dirt
from etl.sample.filling import fill
from etl.sample.source import DEFAULT_URL_VARIABLE, LEFT_ALONE, SCHEMA_DIR, TABLES, open_source
from etl.sample.tables import BUILDERS_BY_DOMAIN
from etl.sample.window import Window
from etl.submission import fill_if_empty
from tests.integration.sample.conftest import SampleDatabase

pytestmark = pytest.mark.stack

SCALE = ("--scale", "0.003")
MakeDatabase = Callable[[], SampleDatabase]


@pytest.fixture(scope="module")
def filled(make_database: MakeDatabase) -> SampleDatabase:
    database = make_database()
    report = database.run_json(*SCALE)
    assert report["filled"]
    return database


def test_every_table_holds_the_rows_reported(make_database: MakeDatabase) -> None:
    database = make_database()
    report = database.run_json(*SCALE)
    assert {table: database.count(table) for table in TABLES} == {
        table: counts["new"] for table, counts in report["tables"].items()
    }
    assert report["rows"] == sum(counts["new"] for counts in report["tables"].values())
    assert all(counts["new"] > 0 for counts in report["tables"].values())


def test_the_same_command_gives_the_same_contents(filled: SampleDatabase, make_database: MakeDatabase) -> None:
    twin, other = make_database(), make_database()
    twin.run_json(*SCALE)
    other.run_json(*SCALE, "--seed", "2")
    assert twin.contents() == filled.contents()
    assert other.contents()["customer_events"] != filled.contents()["customer_events"]


def test_the_schema_is_left_as_the_files_make_it(filled: SampleDatabase, make_database: MakeDatabase) -> None:
    """Foreign keys were set aside while copying; each is back, and none was skipped."""
    plain = make_database()
    for domain in BUILDERS_BY_DOMAIN:
        plain.query((SCHEMA_DIR / f"{domain}.sql").read_text(encoding="utf-8"))
    statement = (
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2"
    )
    assert filled.query(statement) == plain.query(statement)


def test_a_schema_applied_by_hand_is_filled(make_database: MakeDatabase) -> None:
    database = make_database()
    for domain in BUILDERS_BY_DOMAIN:
        database.query((SCHEMA_DIR / f"{domain}.sql").read_text(encoding="utf-8"))
    assert database.run_json(*SCALE)["filled"]


def test_identities_go_on_after_the_rows_copied(filled: SampleDatabase) -> None:
    count = filled.count("users")
    ((user_id,),) = filled.query("SELECT nextval(pg_get_serial_sequence('users', 'user_id'))")
    assert user_id == count + 1


def test_a_filled_source_is_left_alone_or_refused(filled: SampleDatabase) -> None:
    before = filled.contents()
    assert filled.run_json(*SCALE, "--if-empty") == {"filled": False}
    refused = filled.run(*SCALE)
    assert refused.exit_code == Exit.USAGE
    assert "--recreate" in refused.stderr
    assert filled.contents() == before


@pytest.mark.slow
def test_recreate_starts_anew(make_database: MakeDatabase) -> None:
    database = make_database()
    database.run_json(*SCALE)
    first = database.contents()
    database.run_json(*SCALE, "--seed", "5", "--recreate")
    assert database.contents() != first
    database.run_json(*SCALE, "--recreate")
    assert database.contents() == first


def test_rows_of_someone_else_are_never_dropped(make_database: MakeDatabase) -> None:
    database = make_database()
    database.query("CREATE TABLE browsers (browser_id smallint); INSERT INTO browsers VALUES (1)")
    assert database.run_json(*SCALE, "--if-empty") == {"filled": False}
    refused = database.run(*SCALE, "--recreate")
    assert refused.exit_code == Exit.USAGE
    assert "browsers" in refused.stderr
    assert database.count("browsers") == 1


def test_some_tables_without_rows_are_named(make_database: MakeDatabase) -> None:
    database = make_database()
    database.query("CREATE TABLE countries (country_id smallint)")
    refused = database.run(*SCALE)
    assert refused.exit_code == Exit.USAGE
    assert "found 1 (no companies)" in refused.stderr


def test_a_job_does_not_begin_over_a_sample_that_was_refused(
    make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database = make_database()
    database.query("CREATE TABLE countries (country_id smallint)")
    monkeypatch.setenv(DEFAULT_URL_VARIABLE, database.url)
    assert fill_if_empty(database.url) == Exit.USAGE
    assert "found 1 (no companies)" in capsys.readouterr().err
    database.query("INSERT INTO countries VALUES (1)")
    assert fill_if_empty(database.url) == Exit.DONE
    assert capsys.readouterr().err == f"{LEFT_ALONE}\n"


class _KilledError(Exception):
    pass


def test_a_fill_that_dies_leaves_nothing(make_database: MakeDatabase) -> None:
    database = make_database()

    def die(domain: str, rows: int, seconds: float) -> None:
        if domain == "editorial":
            raise _KilledError

    with pytest.raises(_KilledError), open_source(database.url) as cursor:
        window = Window(date(2026, 6, 30), 3)
        fill(cursor, seed=1, scale=0.003, window=window, dirt=Dirt(0), recreate=False, on_domain=die)
    assert database.query("SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 'etl_sample')") == [(0,)]
    assert database.run_json(*SCALE, "--if-empty")["filled"]


def test_errors_say_what_is_missing_and_keep_the_password(make_database: MakeDatabase) -> None:
    missing = SampleDatabase("").run()
    assert missing.exit_code == Exit.USAGE
    assert "SAMPLE_TEST_URL" in missing.stderr
    nowhere = SampleDatabase("postgresql://reader:hidden-word@127.0.0.1:1/source").run()
    assert nowhere.exit_code == Exit.FAILED
    assert "does not answer" in nowhere.stderr
    assert "hidden-word" not in nowhere.output + nowhere.stderr
    misspelt = SampleDatabase("mysql://reader:hidden-word@127.0.0.1/source").run()
    assert misspelt.exit_code == Exit.USAGE
    assert "hidden-word" not in misspelt.output + misspelt.stderr


def test_dirt_is_in_the_database_as_counted(make_database: MakeDatabase) -> None:
    database = make_database()
    report = database.run_json(*SCALE, "--dirty", "0.1")
    counts = {(dirt["table"], dirt["column"], dirt["fault"]): dirt["rows"] for dirt in report["dirty"]}
    expected = {
        (
            "users",
            "display_name",
            "stray spaces",
        ): "SELECT count(*) FROM users WHERE display_name <> btrim(display_name)",
        ("users", "last_name", "control characters"): (
            "SELECT count(*) FROM users WHERE last_name ~ '[\\x01\\x0b\\x1f\\x7f\\u0085\\u200b\\ufeff]'"
        ),
        ("customer_events", "article_id", "orphans"): (
            "SELECT count(*) FROM customer_events e LEFT JOIN editorial_articles a USING (article_id)"
            " WHERE e.article_id IS NOT NULL AND a.article_id IS NULL"
        ),
        ("customer_events", "event_type", "wrong case"): (
            "SELECT count(*) FROM customer_events WHERE event_type <> lower(event_type)"
        ),
        ("customer_sessions", "session_start", "absurd dates"): (
            "SELECT count(*) FROM customer_sessions WHERE session_start NOT BETWEEN '2026-01-01' AND '2026-12-31'"
        ),
        ("user_accounts", "user_id, brand_id, account_type", "duplicate business keys"): (
            "SELECT count(*) - count(DISTINCT (user_id, brand_id, account_type)) FROM user_accounts"
        ),
    }
    assert {key: database.query(statement)[0][0] for key, statement in expected.items()} == {
        key: counts[key] for key in expected
    }


def test_the_schema_refuses_what_it_promises_to_refuse(filled: SampleDatabase) -> None:
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        filled.query("UPDATE company_employees SET department_id = 100000 WHERE employee_id = 1")
    with pytest.raises(psycopg2.errors.CheckViolation):
        filled.query("UPDATE editorial_articles SET status = 'Published' WHERE article_id = 1")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        filled.query("UPDATE users SET email = (SELECT email FROM users WHERE user_id = 2) WHERE user_id = 1")
