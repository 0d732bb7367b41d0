"""A query as a source, on the real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import psycopg2
import pytest

from etl.config.settings import PostgreSQLSettings
from etl.errors import ConnectionLostError, SourceError
from etl.staging.sources import streams
from etl.staging.sources.spool import Spool, SpooledSource
from etl.staging.sources.streams import Query
from tests.integration.staging.conftest import Execute
from tests.unit.staging.sources.support import records_of

pytestmark = pytest.mark.stack


@pytest.fixture
def numbers(execute: Execute) -> Iterator[Execute]:
    execute("DROP TABLE IF EXISTS numbers")
    execute("CREATE TABLE numbers AS SELECT n FROM generate_series(1, 10000) AS n")
    yield execute
    execute("DROP TABLE numbers")


def records(settings: PostgreSQLSettings, query: str) -> list[bytes]:
    return records_of(list(Query(settings, query).batches(1000)))


def test_rows_are_json_as_postgresql_writes_it(staging_settings: PostgreSQLSettings) -> None:
    query = """
        SELECT 12345678901234567890123.4500::numeric AS exact, 'é % \\' AS text, NULL::int AS nothing,
               E'{\n"a": 1.10}'::json AS document, timestamptz '2026-03-01 12:00+01' AS at
        WHERE 'a%' LIKE 'a%'  -- the end"""
    assert records(staging_settings, query) == [
        '{"exact":12345678901234567890123.4500,"text":"é % \\\\","nothing":null,"document":{ "a": 1.10},'
        '"at":"2026-03-01T11:00:00+00:00"}'.encode()
    ]


def test_a_record_is_the_whole_row_whatever_its_columns_are_called(staging_settings: PostgreSQLSettings) -> None:
    query = "SELECT 1 AS id, ROW(2, 3) AS record"
    assert records(staging_settings, query) == [b'{"id":1,"record":{"f1":2,"f2":3}}']


def test_a_row_of_1600_columns_is_a_record(staging_settings: PostgreSQLSettings) -> None:
    columns = ", ".join(f"{place} AS c{place}" for place in range(1_600))
    assert orjson.loads(*records(staging_settings, f"SELECT {columns}")) == {f"c{p}": p for p in range(1_600)}


def test_batches_of_a_query_are_spooled_and_read_again(
    staging_settings: PostgreSQLSettings, numbers: Execute, tmp_path: Path
) -> None:
    query = Query(staging_settings, "SELECT n FROM numbers ORDER BY n")
    source = SpooledSource(query, Spool(tmp_path)).for_run("run-1")
    batches = list(source.batches(3000))
    assert records_of(batches) == [b'{"n":%d}' % n for n in range(1, 10_001)]
    assert [len(batch.records) for batch in batches] == [3000, 3000, 3000, 1000]
    assert source.locate(batches[1], 3000) == {"row": 3001}
    numbers("TRUNCATE numbers")
    assert [source.read_again(batch.index, batch.position) for batch in batches] == batches


def test_all_rows_are_of_one_snapshot(staging_settings: PostgreSQLSettings, numbers: Execute) -> None:
    batches = Query(staging_settings, "SELECT n FROM numbers").batches(100)
    first = next(batches)
    numbers("DELETE FROM numbers WHERE n > 100")
    assert len(records_of([first, *batches])) == 10_000


def test_large_rows_are_fetched_few_at_a_time(staging_settings: PostgreSQLSettings) -> None:
    query = (
        "SELECT n, repeat('x', CASE WHEN n % 100 < 10 THEN 3000000 ELSE 10 END) AS text FROM generate_series(1, 120) n"
    )
    fetched: list[int] = []

    class Counting(psycopg2.extensions.cursor):
        def fetchmany(self, size: int | None = None) -> list[Any]:
            rows = super().fetchmany(size)
            fetched.append(sum(len(text) for (text,) in rows))
            return rows

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "Cursor", Counting)
        batches = list(Query(staging_settings, query).batches(1000))
    assert [len(batch.records) for batch in batches] == [6, 96, 6, 12]
    assert [orjson.loads(each)["n"] for each in records_of(batches)] == list(range(1, 121))
    assert max(fetched) < 40_000_000


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT nothing FROM numbers", 'column "nothing" does not exist'),
        (
            "WITH gone AS (DELETE FROM numbers RETURNING n) SELECT n FROM gone",
            "WITH clause containing a data-modifying",
        ),
        ("SELECT nextval('numbers_seq')", "cannot execute nextval\\(\\) in a read-only transaction"),
        ("SELECT 1; DROP TABLE numbers", "syntax error"),
    ],
)
def test_a_query_that_cannot_be_read_is_told_and_changes_nothing(
    staging_settings: PostgreSQLSettings, numbers: Execute, query: str, message: str
) -> None:
    numbers("DROP SEQUENCE IF EXISTS numbers_seq")
    numbers("CREATE SEQUENCE numbers_seq")
    with pytest.raises(SourceError, match=message):
        records(staging_settings, query)
    assert numbers("SELECT count(*) FROM numbers") == [(10_000,)]


def test_a_connection_that_is_lost_is_told_after_what_was_read(
    staging_settings: PostgreSQLSettings, numbers: Execute
) -> None:
    batches = Query(staging_settings, "SELECT n FROM numbers ORDER BY n").batches(1500)
    assert len(next(batches).records) == 1500
    numbers(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
        "AND datname = current_database() AND query LIKE '%FETCH%staging_source%'"
    )
    assert len(next(batches).records) == 500
    with pytest.raises(ConnectionLostError):
        next(batches)


def test_reading_that_is_given_up_leaves_no_session(staging_settings: PostgreSQLSettings, numbers: Execute) -> None:
    batches = Query(staging_settings, "SELECT n FROM numbers").batches(100)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    sessions = (
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%staging_source%'"
    )
    while numbers(sessions) != [(0,)]:  # the server notices a moment later
        pass


def test_rows_that_a_policy_hides_are_refused(staging_settings: PostgreSQLSettings, numbers: Execute) -> None:
    numbers(
        "CREATE POLICY even ON numbers USING (n % 2 = 0);"
        "ALTER TABLE numbers ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
    )
    with pytest.raises(SourceError, match=rf'table "numbers".* role "{staging_settings.user}".*BYPASSRLS'):
        records(staging_settings, "SELECT n FROM numbers")
