"""What the ledger says is true: of ended runs, of what happened while it was away, of dead processes."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.errors
import pytest

from etl.command.typed import etl_as_typed
from etl.config.settings import PostgreSQLSettings
from etl.config.staging.models import JsonFiles, StagingJob
from etl.errors import ConnectionLostError, EtlError, LockedError, StoreError, UsageError
from etl.ledger.migrations import Migration, migrate, read_migrations
from etl.staging.batch.records import PreparedBatch, RawBatch
from etl.staging.database.database import StagingDatabase
from etl.staging.database.installation import Transactions, install_ledger
from etl.staging.ledger.batch_events import batch_failed, batch_retried
from etl.staging.ledger.failures import Failure
from etl.staging.ledger.journal import Journal
from etl.staging.ledger.ledger import StagingLedger
from etl.staging.ledger.queries import SQL_DIRECTORY, statement
from etl.staging.ledger.values import Batch, NewRun, RejectedRecord, Run
from etl.staging.loader import BrokenOffError, LoadOptions, StagingLoader
from etl.staging.sources.files import FileSource
from etl.staging.sources.ndjson import NdjsonFormat
from etl.statements.staging.tables import StagingTable
from tests.integration.ingestion.cutting_proxy import cutting_proxy
from tests.integration.staging.conftest import Execute

pytestmark = pytest.mark.stack

BATCHES = "SELECT batch_index, status, error_code, error_message FROM etl_run_batches ORDER BY batch_index"
FAILURE = Failure("23514", "no_k150")


@pytest.fixture
def ledger(database: StagingDatabase) -> StagingLedger:
    return StagingLedger(database)


@pytest.fixture
def run(ledger: StagingLedger) -> str:
    """Of four batches, none of them begun."""
    ledger.start_run(NewRun("run", "events", "stg_events", 100, 1))
    ledger.register_batches("run", [RawBatch(index, {"records": 100}, range(0), []) for index in range(4)])
    return "run"


@pytest.fixture
def job(events: StagingTable, tmp_path: Path) -> StagingJob:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"".join(b'{"id": "k%d"}\n' % number for number in range(1000)))
    source = JsonFiles(type="ndjson", path=(str(path),))
    return StagingJob(id="events", target_table=events.name, source=source, source_id="id", batch_size=100)


def source_of(job: StagingJob) -> FileSource:
    assert isinstance(job.source, JsonFiles)
    return FileSource(NdjsonFormat(1 << 20), tuple(map(Path, job.source.path)))


def failed(ledger: StagingLedger, index: int) -> None:
    ledger.tell(batch_failed("run", PreparedBatch(index, {}, 100), FAILURE, 0.1))


def states(execute: Execute) -> list[str]:
    return [status for _, status, _, _ in execute(BATCHES)]


# --- an ended run has no batch but succeeded and failed --------------------------------------------------------------


def test_a_heartbeat_leaves_a_batch_failed_that_has_just_failed(
    ledger: StagingLedger, run: str, execute: Execute
) -> None:
    """It saw the batch in flight a moment before."""
    ledger.mark_running(run, [0, 1])
    failed(ledger, 1)
    ledger.mark_running(run, [0, 1])
    assert states(execute) == ["running", "failed", "pending", "pending"]


def test_what_is_open_when_a_run_ends_has_failed(ledger: StagingLedger, run: str, execute: Execute) -> None:
    ledger.mark_running(run, [0, 1])
    ledger.tell(batch_retried(run, 1, 1, Failure("40P01", "deadlock detected"), 0.2))
    failed(ledger, 2)
    ended = ledger.finish_run(run, "cancelled")
    not_stored = ("failed", "not_stored", "not stored when the run ended: cancelled")
    assert execute(BATCHES) == [
        (0, *not_stored),
        (1, "failed", "40P01", "deadlock detected"),
        (2, "failed", FAILURE.code, FAILURE.message),
        (3, *not_stored),
    ]
    assert (ended.status, ended.batches, ended.batches_failed, ended.retries) == ("failed", 4, 4, 1)
    # what comes too late changes nothing
    ledger.mark_running(run, [0, 1, 2, 3])
    ledger.tell(batch_retried(run, 0, 1, FAILURE, 0.2))
    assert states(execute) == ["failed"] * 4


@pytest.mark.parametrize("status", ["pending", "running", "retried"])
def test_the_database_itself_keeps_an_ended_run_whole(
    ledger: StagingLedger, run: str, execute: Execute, status: str
) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation, match="run run cannot end: it has batches that are neither"):
        execute("UPDATE etl_runs SET status = 'failed', finished_at = now()")
    ledger.finish_run(run)
    with pytest.raises(psycopg2.errors.CheckViolation, match=f"run run has ended: its batch 2 cannot be {status}"):
        execute("UPDATE etl_run_batches SET status = %s WHERE batch_index = 2", (status,))
    with pytest.raises(StoreError, match="run run has ended: its batch 9 cannot be pending"):
        ledger.register_batches(run, [RawBatch(9, {}, range(0), [])])
    assert ledger.is_cancelled(run)


def test_a_retry_opens_what_it_runs_and_nothing_else(ledger: StagingLedger, run: str, execute: Execute) -> None:
    ledger.finish_run(run)
    ledger.resume_run(run, "events", [1, 2])
    assert states(execute) == ["failed", "pending", "pending", "failed"]
    ledger.finish_run(run)
    ledger.resume_run(run, "events")
    assert states(execute) == ["pending"] * 4


def test_a_ledger_of_an_older_version_is_healed(
    staging_settings: PostgreSQLSettings, empty: None, execute: Execute
) -> None:
    migrations = read_migrations(SQL_DIRECTORY / "migrations")
    with closing(StagingDatabase(staging_settings)) as database:
        migrate(Transactions(database), older(migrations), statement)
        execute("INSERT INTO etl_jobs (id, target_table) VALUES ('events', 'stg_events')")
        execute(
            "INSERT INTO etl_runs (id, etl_job_id, target_table, batch_size, status, heartbeat_at, finished_at,"
            " batches, batches_failed) VALUES ('ended', 'events', 'stg_events', 100, 'failed', now(), now(), 3, 1),"
            " ('silent', 'events', 'stg_events', 100, 'running', now() - interval '1 hour', NULL, 1, 0)"
        )
        execute(
            "INSERT INTO etl_run_batches (etl_run_id, batch_index, status, source_position, first_ordinal) VALUES"
            " ('ended', 0, 'running', '{}', 0), ('ended', 1, 'failed', '{}', 0), ('ended', 2, 'pending', '{}', 0),"
            " ('silent', 0, 'running', '{}', 0)"
        )
        with pytest.raises(UsageError, match=f"of an older version; run `{re.escape(etl_as_typed())} staging init`"):
            StagingLoader(database).load(JOB, FileSource(NdjsonFormat(1 << 20), ()))
        assert install_ledger(database) == [each.name for each in migrations[2:]]
    assert execute("SELECT status FROM etl_run_batches ORDER BY etl_run_id, batch_index") == [
        ("failed",), ("failed",), ("failed",), ("running",),
    ]  # fmt: skip
    assert execute("SELECT batches_failed FROM etl_runs ORDER BY id") == [(3,), (0,)]


def test_logs_of_an_older_version_become_entries_and_a_live_run_is_not_disturbed(
    staging_settings: PostgreSQLSettings, empty: None, execute: Execute
) -> None:
    migrations = read_migrations(SQL_DIRECTORY / "migrations")
    at = "2026-11-01T10:00:0{}.123456+00:00"
    stored = "Stored(rows_inserted=98, rows_updated=2, rows_unchanged=0, rows_deduplicated=0, superseded=frozenset())"
    logs = (
        "ttempt 1: the beginning has been cut off\n"
        f"{at.format(1)} attempt 2: deadlock detected\n on two lines\n"
        f"{at.format(2)} failed: no_k150 (SQLSTATE 23514)\n"
        f"{at.format(3)} stored: {stored}\n"
    )
    with closing(StagingDatabase(staging_settings)) as database:
        migrate(Transactions(database), [each for each in migrations if each.name < "0005"], statement)
        execute("INSERT INTO etl_jobs (id, target_table) VALUES ('events', 'stg_events')")
        execute(
            "INSERT INTO etl_runs (id, etl_job_id, target_table, batch_size, status, finished_at) VALUES"
            " ('ended', 'events', 'stg_events', 100, 'partial', now()), ('live', 'events', 'stg_events', 100,"
            " 'running', NULL)"
        )
        execute(
            "INSERT INTO etl_run_batches (etl_run_id, batch_index, status, source_position, first_ordinal,"
            " logs_fragment) VALUES ('ended', 0, 'failed', '{}', 0, %s), ('ended', 1, 'failed', '{}', 0, %s),"
            " ('ended', 2, 'failed', '{}', 0, '')",
            (logs, f"{at.format(1)} failed: {'é' * 8000}\n"),
        )
        with pytest.raises(EtlError, match="found live: wait for its end, or cancel it"):
            install_ledger(database)
        execute("UPDATE etl_runs SET status = 'failed', finished_at = now() WHERE id = 'live'")
        assert "0005_queue_and_watch_runs" in install_ledger(database)
        assert list(StagingLedger(database).batches("ended", only_open=True))[2].logs_fragment == []
    ((entries,), (long,)) = execute("SELECT logs_fragment FROM etl_run_batches ORDER BY batch_index LIMIT 2")
    assert entries == [
        {"at": at.format(1), "level": "warning", "event": "retried", "attempt": 2,
         "detail": {"error_message": "deadlock detected\n on two lines"}},
        {"at": at.format(2), "level": "error", "event": "failed", "attempt": None,
         "detail": {"error_message": "no_k150 (SQLSTATE 23514)"}},
        {"at": at.format(3), "level": "info", "event": "stored", "attempt": None,
         "detail": {"rows_inserted": 98, "rows_updated": 2, "rows_unchanged": 0, "rows_deduplicated": 0}},
    ]  # fmt: skip
    assert long[0]["detail"]["error_message"] == "é" * 2000


JOB = StagingJob(id="e", target_table="stg_events", source=JsonFiles(type="ndjson", path=("x",)), source_id="id")


def older(migrations: list[Migration]) -> list[Migration]:
    return [each for each in migrations if each.name < "0003"]


# --- what is watched --------------------------------------------------------------------------------------------------


def test_each_change_of_a_row_has_a_larger_revision_and_its_transaction(
    ledger: StagingLedger, run: str, execute: Execute
) -> None:
    of_batch, of_run = (
        f"SELECT revision, changed_xid::text::bigint FROM {name}" for name in ("etl_run_batches", "etl_runs")
    )
    seen = [execute(f"{of_batch} WHERE batch_index = 0")[0], execute(of_run)[0]]
    failed(ledger, 0)
    ledger.set_phase(run, "loading")
    after = [execute(f"{of_batch} WHERE batch_index = 0")[0], execute(of_run)[0]]
    assert all(new > old and new[1] > old[1] for new, old in zip(after, seen, strict=True))
    ledger.beat(run)
    rested = execute(of_run)
    ledger.beat(run)  # its totals stand: a heartbeat alone is no change
    assert execute(of_run) == rested


def test_a_log_is_bounded_by_whole_entries(ledger: StagingLedger, run: str, execute: Execute) -> None:
    for attempt in range(30):
        ledger.tell(batch_retried(run, 0, attempt, Failure("40P01", f"{attempt} " + 'é"' * 2000), 0.2))
    ((log, size),) = execute(
        "SELECT logs_fragment, octet_length(logs_fragment::text) FROM etl_run_batches WHERE batch_index = 0"
    )
    assert 8_000 < size <= 16_384
    assert [each["attempt"] for each in log] == list(range(30 - len(log), 30))
    assert execute(
        "SELECT attempts, jsonb_array_length(retry_timeline) FROM etl_run_batches WHERE batch_index = 0"
    ) == [(30, 30)]


def test_changes_are_hinted_at(ledger: StagingLedger, run: str, staging_settings: PostgreSQLSettings) -> None:
    with closing(psycopg2.connect(**staging_settings.connection_parameters)) as listener:
        listener.autocommit = True
        listener.cursor().execute("LISTEN etl_staging")
        for change in (
            lambda: ledger.set_phase(run, "loading"),
            lambda: failed(ledger, 1),
            lambda: ledger.finish_run(run),
        ):
            change()
            listener.cursor().execute("SELECT")
            told = {each.payload for each in listener.notifies}
            assert [json.loads(each) for each in told] == [{"schema": "public", "etl_run_id": "run"}]
            listener.notifies.clear()


# --- what happened while the ledger was away -------------------------------------------------------------------------


def test_an_event_stands_once_however_often_and_late_it_is_told(
    ledger: StagingLedger, run: str, execute: Execute
) -> None:
    retried, broken = batch_retried(run, 0, 1, FAILURE, 0.2), batch_failed(run, PreparedBatch(1, {}, 100), FAILURE, 0.1)
    for _ in range(3):
        ledger.tell(retried)
        ledger.tell(broken)
    look = (
        "SELECT attempts, jsonb_array_length(retry_timeline), status FROM etl_run_batches ORDER BY batch_index LIMIT 2"
    )
    assert execute(look) == [(1, 1, "retried"), (1, 0, "failed")]
    execute("UPDATE etl_run_batches SET status = 'succeeded', committed_at = now() WHERE batch_index = 0")
    ledger.tell(batch_retried(run, 0, 2, FAILURE, 0.4))
    assert execute(look)[0] == (2, 2, "succeeded")


def test_the_journal_keeps_what_cannot_be_told_and_its_order() -> None:
    told: list[int] = []
    is_away = True

    class Ledger(StagingLedger):
        """Away for a while; the third event it never takes."""

        def __init__(self) -> None: ...

        def tell(self, event: Any) -> None:
            number = event.parameters["batch_index"]
            if is_away:
                raise ConnectionLostError("away")
            if number == 2:
                raise StoreError("refused")
            told.append(number)

    journal = Journal(Ledger())
    for number in range(4):
        journal.add(batch_retried("run", number, 1, FAILURE, 0.1))
    with pytest.raises(ConnectionLostError):
        journal.tell()
    is_away = False
    journal.add(batch_retried("run", 4, 1, FAILURE, 0.1))
    journal.tell()
    assert told == [0, 1, 3, 4]


class Away:
    """Cuts every connection for a while, from the first row that is stored on."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end: float | None = None

    def __call__(self, data: bytes) -> bool:
        if self._end is None and b'COPY "stg_events"' in data:
            self._end = time.monotonic() + self.seconds
        return self._end is not None and time.monotonic() < self._end


@pytest.fixture
def away(staging_settings: PostgreSQLSettings, events: StagingTable) -> Iterator[StagingDatabase]:
    with cutting_proxy(staging_settings, Away(1.2)) as server, closing(StagingDatabase(server)) as database:
        yield database


class Counting:
    """An observer: what the run's log tells."""

    def __init__(self) -> None:
        self.retries = 0

    def run_started(self, run_id: str, job_id: str) -> None: ...

    def batch_stored(self, batch: Any, stored: Any, seconds: float) -> None: ...

    def batch_retried(self, batch: PreparedBatch) -> None:
        self.retries += 1

    def batch_failed(self, batch: PreparedBatch, failure: Failure) -> None: ...

    def run_finished(self, run: Run) -> None: ...


def test_retries_while_the_server_was_away_stand_in_the_ledger(
    away: StagingDatabase, job: StagingJob, execute: Execute
) -> None:
    heard = Counting()
    summary = StagingLoader(away, [heard]).load(job, source_of(job), LoadOptions(run_id="cut", retries=20))
    assert (summary.run.status, summary.run.rows_inserted) == ("success", 1000)
    assert heard.retries >= 2
    assert summary.run.retries == heard.retries
    timelines = execute("SELECT retry_timeline, attempts FROM etl_run_batches WHERE retry_timeline <> '[]'")
    for timeline, attempts in timelines:
        assert [each["attempt"] for each in timeline] == list(range(1, len(timeline) + 1))
        assert attempts == len(timeline) + 1


# --- runs whose process died, and runs that go on --------------------------------------------------------------------


def test_a_retried_run_is_timed_from_its_retry(ledger: StagingLedger, run: str, execute: Execute) -> None:
    execute("UPDATE etl_runs SET started_at = now() - interval '1 hour'")
    ledger.finish_run(run)
    ledger.resume_run(run, "events")
    ended = ledger.finish_run(run)
    assert (ended.finished_at - ended.resumed_at).total_seconds() < 600
    assert (ended.finished_at - ended.started_at).total_seconds() >= 3600


def test_a_silent_run_says_how_long_to_wait_and_is_ended_by_force(
    ledger: StagingLedger, run: str, job: StagingJob, database: StagingDatabase, execute: Execute
) -> None:
    loader, options = StagingLoader(database), LoadOptions(run_id="second")
    alive = r"wait for its end, or `cancel --run run`"
    with pytest.raises(
        LockedError, match=rf"is being loaded by run run \(process \d+ on .*{alive}, or load beside it by"
    ):
        loader.load(job, source_of(job), options)
    with pytest.raises(LockedError, match=r"run run is alive: its last heartbeat is 0 s old; `cancel --run run` ends"):
        loader.cancel(run, "me", force=True)
    execute("UPDATE etl_runs SET heartbeat_at = now() - interval '20 seconds'")
    silent = r"heartbeat is 2\d s old: if its process has died, it counts as dead in (40|3\d) s, or at once by"
    with pytest.raises(LockedError, match=silent + ".*, or load beside it by --force"):
        loader.load(job, source_of(job), options)
    with pytest.raises(LockedError, match=silent + ".*, or `retry --force` takes it over"):
        loader.retry(job, source_of(job), run)
    ended = loader.cancel(run, "me", force=True)
    assert (ended.status, states(execute)) == ("failed", ["failed"] * 4)
    assert re.match(r"ended by --force: process \d+ on .* was last heard of at", ended.failure)
    assert loader.load(job, source_of(job), options).is_success


def test_a_forced_retry_takes_a_silent_run_over(
    job: StagingJob, database: StagingDatabase, ledger: StagingLedger, execute: Execute
) -> None:
    execute("ALTER TABLE stg_events ADD CONSTRAINT no_k150 CHECK (source_id <> 'k150')")
    loader = StagingLoader(database)
    assert loader.load(job, source_of(job), LoadOptions(run_id="run")).run.batches_failed == 1
    execute("ALTER TABLE stg_events DROP CONSTRAINT no_k150")
    ledger.resume_run("run", "events")  # and its process dies
    execute("UPDATE etl_runs SET heartbeat_at = now() - interval '20 seconds'")
    summary = loader.retry(job, source_of(job), "run", options=LoadOptions(force=True))
    assert (summary.run.status, summary.run.rows_inserted) == ("success", 1000)


def test_what_a_run_stored_after_it_was_given_up_is_counted(ledger: StagingLedger, run: str, execute: Execute) -> None:
    execute("UPDATE etl_runs SET heartbeat_at = now() - interval '2 minutes'")
    assert ledger.bury_dead_runs() == [run]
    assert ledger.get_run(run).status == "failed"
    execute(
        "UPDATE etl_run_batches SET status = 'succeeded', committed_at = now(), rows_attempted = 100, "
        "rows_inserted = 100 WHERE batch_index = 0"
    )
    ended = ledger.finish_run(run)
    assert (ended.status, ended.batches_succeeded, ended.batches_failed) == ("partial", 1, 3)
    assert ended.rows_inserted == 100
    assert "the process died" in ended.failure


def test_a_process_that_was_given_up_does_not_end_the_run_of_the_one_that_took_it_over(
    ledger: StagingLedger, run: str, execute: Execute
) -> None:
    assert ledger.beat(run) is False
    execute("UPDATE etl_runs SET process_id = -1, heartbeat_at = '2026-01-01 00:00+00'")  # as a retry elsewhere does
    assert ledger.beat(run) is None
    assert ledger.finish_run(run, "late").status == "running"
    assert states(execute) == ["pending"] * 4
    assert execute("SELECT heartbeat_at::text, failure FROM etl_runs") == [("2026-01-01 00:00:00+00", None)]


def test_a_run_that_was_taken_over_is_told_so(
    database: StagingDatabase, job: StagingJob, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        StagingLedger, "end_input", lambda *_: execute("UPDATE etl_runs SET process_id = -1, host = 'elsewhere'")
    )
    with pytest.raises(BrokenOffError, match="run run was given up for dead, and process -1 on elsewhere goes on"):
        StagingLoader(database).load(job, source_of(job), LoadOptions(run_id="run"))
    assert execute("SELECT status FROM etl_runs") == [("running",)]


@pytest.mark.parametrize(
    ("table", "kind", "but"),
    [
        ("etl_runs", Run, {"silent_seconds", "changed_xid"}),
        ("etl_run_batches", Batch, {"changed_xid"}),
        ("etl_run_rejects", RejectedRecord, {"etl_run_id", "created_at"}),
    ],
)
def test_what_the_ledger_holds_is_what_is_shown(
    ledger: StagingLedger, execute: Execute, table: str, kind: Any, but: set[str]
) -> None:
    columns = execute(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum", (table,)
    )
    stored, shown = [name for (name,) in columns], [each.name for each in fields(kind)]
    assert [name for name in shown if name not in but] == [name for name in stored if name not in but]
