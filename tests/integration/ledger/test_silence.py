"""Servers that stand still, through each door that psycopg2 has here."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import cursor
from psycopg2.extras import RealDictCursor

from etl.config.settings import PostgreSQLSettings
from etl.errors import ConnectionLostError
from etl.extract.postgresql.door import connect as connect_to_source
from etl.extract.postgresql.door import source_door
from etl.load.postgresql.door import transaction as loading
from etl.postgresql import patience, silence
from etl.postgresql.connection import connect
from etl.postgresql.door import door
from etl.postgresql.pool import Database
from etl.postgresql.silence import answering
from etl.staging.database.database import StagingDatabase, Timeouts
from tests.stopping import stopped

pytestmark = pytest.mark.stack

SILENT = r"no answer for 1\.2 s, longer than it lets a statement take: the server stands still; check that"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "GRACE_SECONDS", 0.2)
    monkeypatch.setattr(silence, "_LOOKS_EVERY_SECONDS", 0.1)


def ledger(settings: PostgreSQLSettings) -> Iterator[Any]:
    with closing(Database(settings)) as database, database.transaction("ask", statement_timeout_seconds=1) as work:
        yield work


def loader(settings: PostgreSQLSettings) -> Iterator[Any]:
    with loading(settings, "ask") as work:
        yield work


def source(settings: PostgreSQLSettings) -> Iterator[Any]:
    with source_door(settings, "asking"), closing(connect_to_source(settings)) as held, held.cursor() as work:
        yield work


def staging(settings: PostgreSQLSettings) -> Iterator[Any]:
    with (
        closing(StagingDatabase(settings, connections=1, timeouts=Timeouts(statement=1))) as database,
        database.transaction("ask") as work,
    ):
        work.execute("SELECT 1")
        yield work


@pytest.mark.parametrize("way", [ledger, loader, source, staging], ids=lambda way: way.__name__)
def test_a_server_that_stands_still_is_given_up(
    ledger_settings: PostgreSQLSettings, way: Callable[[PostgreSQLSettings], Iterator[Any]]
) -> None:
    settings = ledger_settings.model_copy(update={"statement_timeout_seconds": 1})
    asking = _as_context(way(settings))
    with pytest.raises(ConnectionLostError, match=SILENT), asking as work, stopped(_backend(work)):
        work.execute("SELECT 2")


def test_so_is_one_that_takes_no_rows_and_one_that_says_nothing_of_the_commit(
    ledger_settings: PostgreSQLSettings,
) -> None:
    with door(ledger_settings, "test"), closing(connect(ledger_settings)) as held, answering(held, 1):
        with held.cursor() as work:
            work.execute("CREATE TEMPORARY TABLE t (n text)")
        with pytest.raises(psycopg2.OperationalError, match="stands still"), stopped(held.info.backend_pid):
            held.commit()
    with closing(connect(ledger_settings)) as held, answering(held, 1), held.cursor() as work:
        work.execute("CREATE TEMPORARY TABLE t (n text)")
        rows = io.BytesIO(b"x" * 1024 * 1024 * 64 + b"\n")
        with pytest.raises(psycopg2.OperationalError, match="stands still"), stopped(held.info.backend_pid):
            work.copy_expert("COPY t FROM STDIN", rows)


def test_the_limit_is_each_statements_and_holds_in_its_block_alone(ledger_settings: PostgreSQLSettings) -> None:
    with door(ledger_settings, "test"), closing(connect(ledger_settings)) as held, held.cursor() as work:
        with answering(held, 0.5):
            work.execute("SELECT pg_sleep(0.4); SELECT pg_sleep(0.4); SELECT 1 AS one")
            assert work.fetchone() == {"one": 1}
        work.execute("SELECT pg_sleep(0.9)")
        with answering(held, 0):
            work.execute("SELECT pg_sleep(0.9)")


def test_cursors_stay_what_they_are(ledger_settings: PostgreSQLSettings) -> None:
    with door(ledger_settings, "test"), closing(connect(ledger_settings)) as held:
        for wanted, row in ((None, {"one": 1}), (RealDictCursor, {"one": 1}), (cursor, (1,))):
            with held.cursor(cursor_factory=wanted) as work:
                work.execute("SELECT %s AS one", (1,))
                assert work.fetchone() == row
        with held.cursor("named", cursor_factory=cursor) as work, answering(held, 5):
            work.execute("SELECT generate_series(1, 3)")
            assert (work.fetchmany(2), work.fetchall()) == ([(1,), (2,)], [(3,)])


def test_many_threads_are_watched_by_one(ledger_settings: PostgreSQLSettings) -> None:
    def ask() -> None:
        with closing(Database(ledger_settings)) as database, database.transaction("ask") as work:
            work.execute("SELECT pg_sleep(0.3)")

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert [thread.name for thread in threading.enumerate()].count("silence") == 1
    assert not silence._WATCH._questions


def _as_context(way: Iterator[Any]) -> AbstractContextManager[Any]:
    return contextmanager(lambda: way)()


def _backend(work: Any) -> int:
    return int(work.connection.info.backend_pid)
