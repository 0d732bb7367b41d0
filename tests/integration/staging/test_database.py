"""What a transaction begins with holds for its first statement already, and for nothing after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.errors import ContentionError
from etl.staging.database.database import StagingDatabase, Timeouts
from tests.integration.staging.conftest import Execute

pytestmark = pytest.mark.stack

SETTINGS = """SELECT current_setting('search_path') AS path, current_setting('synchronous_commit') AS commit,
    current_setting('timezone') AS zone, current_setting('statement_timeout') AS statement,
    current_setting('lock_timeout') AS lock, %(text)s AS text"""


@pytest.fixture
def odd(staging_settings: PostgreSQLSettings) -> Iterator[StagingDatabase]:
    """Of a schema whose name needs quotes, and holds what a driver could take for a parameter."""
    with closing(StagingDatabase(staging_settings, 'ünï "%s"', timeouts=Timeouts(statement=7, lock=3))) as database:
        yield database


def test_the_first_statement_has_the_settings(odd: StagingDatabase) -> None:
    expected = ('"ünï ""%s"""', "on", "UTC", "7s", "3s", "100%s")
    with odd.transaction("look") as cursor:
        cursor.execute(SETTINGS, {"text": "100%s"})
        assert cursor.fetchall() == [expected]
        cursor.execute("SELECT current_setting('search_path') || '%s'")
        assert cursor.fetchall() == [('"ünï ""%s"""%s',)]
    with odd.transaction("look", is_durable=False) as cursor:
        cursor.execute(SETTINGS, {"text": ""})
        assert cursor.fetchall()[0][1] == "off"
    with odd.rows("look", statement_timeout_seconds=9) as rows:
        rows.execute(SETTINGS, {"text": "100%s"})
        assert [tuple(row.values()) for row in rows.fetchall()] == [(*expected[:3], "9s", *expected[4:])]


def test_the_first_statement_is_timed_by_itself(staging_settings: PostgreSQLSettings) -> None:
    with (
        closing(StagingDatabase(staging_settings, timeouts=Timeouts(statement=0.2))) as database,
        pytest.raises(ContentionError, match="sleep: canceling statement due to statement timeout"),
        database.transaction("sleep") as cursor,
    ):
        cursor.execute("SELECT pg_sleep(60)")


def test_a_transaction_without_statements_leaves_nothing_open(odd: StagingDatabase, execute: Execute) -> None:
    with odd.transaction("nothing"):
        pass
    with odd.transaction("look") as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        ((process,),) = cursor.fetchall()
    assert execute("SELECT state FROM pg_stat_activity WHERE pid = %s", (process,)) == [("idle",)]
