"""Every wait ends, directly and through PgBouncer, and leaves no limit behind in a session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import orjson
import psycopg2
import pytest
from structlog.testing import capture_logs

from etl.config.settings import PostgreSQLSettings
from etl.config.staging.models import JsonFiles, StagingJob
from etl.errors import ContentionError, OverloadedError
from etl.postgresql import waits
from etl.staging.database.database import StagingDatabase, Timeouts
from etl.staging.ledger.ledger import StagingLedger
from etl.staging.loader import LoadOptions, StagingLoader, Summary
from etl.staging.sources import streams
from etl.staging.sources.files import FileSource
from etl.staging.sources.ndjson import NdjsonFormat
from etl.staging.sources.streams import Query
from etl.statements.staging.tables import StagingTable
from tests.integration.staging.conftest import Execute
from tests.pgbouncer import pgbouncer

pytestmark = pytest.mark.stack

SLEEP = """CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END';
CREATE TRIGGER sleep BEFORE INSERT ON stg_events FOR EACH ROW WHEN (NEW.source_id = 'k150') EXECUTE FUNCTION sleep()"""


@pytest.fixture(params=["direct", "pooled"])
def server(
    request: pytest.FixtureRequest, staging_settings: PostgreSQLSettings, tmp_path: Path
) -> Iterator[PostgreSQLSettings]:
    with ExitStack() as held:
        if request.param == "direct":
            yield staging_settings
            return
        folder = tmp_path / "pgbouncer"
        folder.mkdir()
        yield held.enter_context(pgbouncer(staging_settings, folder))


@pytest.fixture
def hasty(server: PostgreSQLSettings, events: StagingTable) -> Iterator[StagingDatabase]:
    with closing(StagingDatabase(server, timeouts=Timeouts(statement=0.5, lock=0.3, pool=0.2))) as database:
        yield database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"".join(orjson.dumps({"id": f"k{i}"}) + b"\n" for i in range(300)))
    return path


def load(database: StagingDatabase, file: Path, run_id: str) -> Summary:
    """Three batches; the one in the middle has k150."""
    job = StagingJob(
        id="events",
        target_table="stg_events",
        source=JsonFiles(type="ndjson", path=(str(file),)),
        source_id="id",
        batch_size=100,
        workers=1,
        skip_unchanged=False,
    )
    options = LoadOptions(run_id, retries=0)
    return StagingLoader(database).load(job, FileSource(NdjsonFormat(1 << 20), (file,)), options)


def failed(execute: Execute) -> list[Any]:
    """The last: what the message says is to be done."""
    return execute(
        "SELECT batch_index, error_code, regexp_replace(error_message, '^.*; ', '') FROM etl_run_batches "
        "WHERE status = 'failed'"
    )


def test_a_statement_that_takes_too_long_fails_its_batch(hasty: StagingDatabase, file: Path, execute: Execute) -> None:
    execute(SLEEP)
    summary = load(hasty, file, "slow")
    assert (summary.run.status, summary.run.rows_inserted) == ("partial", 200)
    assert failed(execute) == [(1, "57014", "it took longer than it may: raise the job's timeouts.statement")]


def test_a_row_that_another_session_holds_fails_its_batch(
    hasty: StagingDatabase, file: Path, execute: Execute, staging_settings: PostgreSQLSettings
) -> None:
    assert load(hasty, file, "first").is_success
    with closing(psycopg2.connect(**staging_settings.connection_parameters)) as holder, holder.cursor() as cursor:
        cursor.execute("SELECT FROM stg_events WHERE source_id = 'k150' FOR UPDATE")
        summary = load(hasty, file, "second")
    assert (summary.run.status, summary.run.rows_updated) == ("partial", 200)
    lock = "another session held the rows or the table for too long: end it, or raise the job's timeouts.lock"
    assert failed(execute) == [(1, "55P03", lock)]


def test_no_limit_stays_behind_in_the_session(hasty: StagingDatabase) -> None:
    names = ("statement_timeout", "lock_timeout", "search_path")
    look = f"SELECT {', '.join(f'current_setting({name!r})' for name in names)}"
    with hasty.transaction("look") as cursor:
        cursor.execute(look)
        assert cursor.fetchall() == [("500ms", "300ms", "public")]
        cursor.connection.commit()
        cursor.execute(look)
        assert cursor.fetchall() == [("0", "0", '"$user", public')]


def test_a_connection_that_never_becomes_free_is_told(hasty: StagingDatabase, server: PostgreSQLSettings) -> None:
    narrow = StagingDatabase(server, connections=1, timeouts=Timeouts(pool=0.2))
    with (
        closing(narrow),
        narrow.transaction("hold"),
        pytest.raises(OverloadedError, match=r"waited 0\.2 s for one of 1 connections; raise timeouts\.pool"),
        narrow.transaction("wait"),
    ):
        raise AssertionError("there is only one")


def test_a_lock_that_is_waited_for_too_long_is_contention(hasty: StagingDatabase) -> None:
    with hasty.transaction("hold") as holder:
        holder.execute("LOCK TABLE stg_events")
        with pytest.raises(ContentionError, match="lock timeout"), hasty.transaction("wait") as waiter:
            waiter.execute("SELECT FROM stg_events")


def test_a_wait_says_for_what_and_who_holds_it(
    server: PostgreSQLSettings,
    staging_settings: PostgreSQLSettings,
    events: StagingTable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While it lasts, and in the error that comes of it; also of what init, status and cancel ask."""
    monkeypatch.setattr(waits, "INTERVAL_SECONDS", 0.2)
    patient = StagingDatabase(server, timeouts=Timeouts(lock=2))
    with closing(patient), closing(psycopg2.connect(**staging_settings.connection_parameters)) as holder:
        holder.cursor().execute("LOCK TABLE stg_events, etl_runs; SELECT")
        held_by = f"held by pid {holder.info.backend_pid} (no application name, {staging_settings.user}), idle in trans"
        for doing, table, work in (
            ("look for rows", "stg_events", lambda: _select(patient, "stg_events")),
            ("read runs", "etl_runs", lambda: StagingLedger(patient).recent_runs()),
            ("cancel run", "etl_runs", lambda: StagingLedger(patient).cancel("run", "me")),
        ):
            with capture_logs() as logs, pytest.raises(ContentionError) as told:
                work()
            assert f"it was waiting for {table}, {held_by}" in told.value.message
            assert doing in told.value.message
            assert [(entry["event"], entry["doing"]) for entry in logs] == [("waiting for a lock", doing)]
            assert f"pg_terminate_backend({holder.info.backend_pid})" in logs[0]["next_step"]


def _select(database: StagingDatabase, table: str) -> None:
    with database.transaction("look for rows") as cursor:
        cursor.execute(f"SELECT FROM {table}")


def test_a_query_waits_for_a_lock_no_longer_than_it_may(
    server: PostgreSQLSettings,
    staging_settings: PostgreSQLSettings,
    events: StagingTable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waits, "INTERVAL_SECONDS", 0.2)
    monkeypatch.setattr(streams, "_LONGEST_LOCK_SECONDS", 1)
    with closing(psycopg2.connect(**staging_settings.connection_parameters)) as holder:
        holder.cursor().execute("LOCK TABLE stg_events")
        with pytest.raises(ContentionError, match=r"read the query: .*waiting for stg_events, held by pid \d+"):
            list(Query(server, "SELECT * FROM stg_events").batches(100))
