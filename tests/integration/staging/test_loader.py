from __future__ import annotations

import gzip
import os
import random
import signal
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import orjson
import psycopg2
import pytest

from etl.config.settings import PostgreSQLSettings
from etl.config.staging.models import CsvFiles, JsonFiles, StagingJob, StandardInputSource
from etl.errors import ConnectionLostError, LockedError, SourceError, UsageError
from etl.staging.batch.records import RawBatch
from etl.staging.database.database import StagingDatabase
from etl.staging.ledger.ledger import StagingLedger
from etl.staging.loader import LoadOptions, StagingLoader, Summary
from etl.staging.sources.base import Source
from etl.staging.sources.files import FileSource
from etl.staging.sources.ndjson import NdjsonFormat
from etl.staging.sources.spool import Spool, SpooledSource
from etl.staging.sources.streams import StandardInput
from etl.statements.staging.tables import StagingTable
from tests.integration.staging.conftest import Execute
from tests.patience import until

pytestmark = pytest.mark.stack

COUNTS = ("inserted", "updated", "unchanged", "deduplicated", "rejected")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.ndjson"


@pytest.fixture
def job(events: StagingTable, file: Path) -> StagingJob:
    return StagingJob(
        id="events",
        target_table=events.name,
        source=JsonFiles(type="ndjson", path=(str(file),)),
        source_id="id",
        required=("n",),
        batch_size=100,
        workers=3,
    )


def write(file: Path, records: list[Any]) -> None:
    file.write_bytes(b"".join((r if isinstance(r, bytes) else orjson.dumps(r)) + b"\n" for r in records))


def some(count: int, **changes: Any) -> list[Any]:
    return [{"id": f"k{i:05}", "n": i, **changes} for i in range(count)]


def source(file: Path) -> Source:
    return FileSource(NdjsonFormat(1 << 20), (file,))


@pytest.fixture
def load(database: StagingDatabase, job: StagingJob, file: Path, tmp_path: Path) -> Callable[..., Summary]:
    def run(run_id: str, **options: Any) -> Summary:
        chosen = LoadOptions(run_id=run_id, reject_dir=tmp_path / "rejects", **options)
        return StagingLoader(database).load(job, source(file), chosen)

    return run


@pytest.fixture
def retry(database: StagingDatabase, job: StagingJob, file: Path, tmp_path: Path) -> Callable[..., Summary]:
    def run(run_id: str, *batches: int, force: bool = False) -> Summary:
        options = LoadOptions(force=force, reject_dir=tmp_path / "rejects")
        return StagingLoader(database).retry(job, source(file), run_id, batches, options)

    return run


def counts(summary: Summary) -> tuple[int, ...]:
    return tuple(int(getattr(summary.run, f"rows_{name}")) for name in COUNTS)


def batch_states(execute: Execute, run_id: str) -> list[str]:
    found = execute("SELECT status FROM etl_run_batches WHERE etl_run_id = %s ORDER BY batch_index", (run_id,))
    return [status for (status,) in found]


def test_a_load_and_the_same_again(load: Callable[..., Summary], file: Path, execute: Execute) -> None:
    write(file, some(950))
    first = load("first")
    assert first.is_success
    assert counts(first) == (950, 0, 0, 0, 0)
    assert batch_states(execute, "first") == ["succeeded"] * 10
    again = load("again")
    assert counts(again) == (0, 0, 950, 0, 0)
    ((run,),) = execute("SELECT array_agg(DISTINCT etl_run_id) FROM stg_events")
    assert run == ["first"]


def test_counts_add_up_whatever_comes(load: Callable[..., Summary], file: Path, execute: Execute) -> None:
    bad = [b"{broken", b'{"n": 1}', b'{"id": "nul", "n": "\\u0000"}', b'{"id": "tiny", "n": 1e-20000}', {"id": "no n"}]
    write(file, [*some(150), *bad, *some(50, again=True)])
    summary = load("mixed")
    assert summary.is_success
    assert summary.run.rows_attempted == 205 == sum(counts(summary))
    assert summary.run.rows_rejected == 4
    assert (summary.run.rows_invalid, summary.run.required_field_errors) == (1, 1)
    ((rows,),) = execute("SELECT count(*) FROM stg_events")
    assert rows == 151
    assert summary.reject_file is not None
    rejects = [orjson.loads(line) for line in summary.reject_file.read_bytes().splitlines()]
    assert [(each["reason"], each["source_position"]["line"]) for each in rejects] == [
        ("not_json", 151),
        ("no_source_id", 152),
        ("nul_character", 153),
        ("unstorable", 154),
    ]
    assert rejects[0]["record"] == "{broken"


def test_a_batch_of_rejects_is_a_batch_like_any_other(
    load: Callable[..., Summary], retry: Callable[..., Summary], file: Path, execute: Execute
) -> None:
    """Also the first one of an empty table, and of a retry."""
    bad = [b"{broken"] * 100
    write(file, [*bad, *some(100), *bad, *({"id": f"tiny{i}", "n": 0} for i in range(100))])
    execute("ALTER TABLE stg_events ADD CONSTRAINT no_k00050 CHECK (source_id <> 'k00050')")
    partial = load("mixed")
    assert (partial.run.status, counts(partial)) == ("partial", (100, 0, 0, 0, 200))
    assert batch_states(execute, "mixed") == ["succeeded", "failed", "succeeded", "succeeded"]
    execute("ALTER TABLE stg_events DROP CONSTRAINT no_k00050")
    assert counts(retry("mixed")) == (200, 0, 0, 0, 200)
    assert execute("SELECT count(*) FROM etl_run_rejects") == [(200,)]
    assert counts(load("again")) == (0, 0, 200, 0, 200)


def test_whatever_goes_wrong_with_one_batch_fails_it_alone(
    database: StagingDatabase, job: StagingJob, file: Path, execute: Execute, retry: Callable[..., Summary]
) -> None:
    class Forgetful(FileSource):
        def locate(self, batch: RawBatch, ordinal: int) -> dict[str, Any]:
            if batch.index == 1:
                raise KeyError("line")
            return super().locate(batch, ordinal)

        def forget(self, index: int) -> None:
            raise SourceError("no permission")

    write(file, [*some(150), b"{broken", *some(400)[151:]])
    read = Forgetful(NdjsonFormat(1 << 20), (file,))
    partial = StagingLoader(database).load(job, read, LoadOptions(run_id="partial", reject_dir=file.parent))
    assert (partial.run.status, counts(partial)) == ("partial", (300, 0, 0, 0, 0))
    assert execute("SELECT error_code, error_message FROM etl_run_batches WHERE status = 'failed'") == [
        ("KeyError", "expected to store the batch, found KeyError: 'line'")
    ]
    assert counts(retry("partial")) == (399, 0, 0, 0, 1)


def test_records_nested_deeply_are_rows_or_rejects_also_in_a_retry(
    database: StagingDatabase, job: StagingJob, file: Path, execute: Execute, tmp_path: Path
) -> None:
    shaped = job.model_copy(update={"shape": {"properties": {"n": {"type": "integer"}}}, "required": ()})
    nested = [b'{"id": "deep%d", "n": %s1%s}' % (n, b"[" * n, b"]" * n) for n in (100, 256, 1000, 1100)]
    write(file, [*some(50), *nested, *some(100)[50:]])
    execute("ALTER TABLE stg_events ADD CONSTRAINT nothing CHECK (source_id <> 'k00099')")
    options = LoadOptions(run_id="deep", reject_dir=tmp_path)
    assert StagingLoader(database).load(shaped, source(file), options).run.status == "partial"
    execute("ALTER TABLE stg_events DROP CONSTRAINT nothing")
    whole = StagingLoader(database).retry(shaped, source(file), "deep", (), LoadOptions(reject_dir=tmp_path))
    assert (whole.run.status, counts(whole), whole.run.rows_invalid) == ("success", (103, 0, 0, 0, 1), 3)
    assert execute("SELECT reason FROM etl_run_rejects") == [("nested_too_deep",)]


def test_what_the_table_cannot_take_is_rejected_and_the_rest_stored(
    load: Callable[..., Summary], file: Path, execute: Execute
) -> None:
    """JSON for PostgreSQL, and yet no row: generated columns and indexes have limits of their own."""
    execute("ALTER TABLE stg_events ADD amount numeric(5, 2) GENERATED ALWAYS AS ((data ->> 'amount')::numeric) STORED")
    execute("CREATE INDEX long_texts ON stg_events ((data ->> 'text'))")
    text = "".join(random.Random(7).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=20_000))
    faulty: list[Any] = [{"id": "no", "n": 0, "amount": "ten"}, {"id": "much", "n": 0, "amount": 1000}]
    faulty += [{"id": "long", "n": 0, "text": text}, b'{"id": "tiny", "n": 1e-20000}']
    records = some(300, amount=1.5)
    for place, record in zip((0, 150, 210, 211), faulty, strict=True):
        records.insert(place, record)
    write(file, records)
    first = load("first")
    assert first.is_success
    assert counts(first) == (300, 0, 0, 0, 4)
    told = execute("SELECT reason, message FROM etl_run_rejects ORDER BY ordinal")
    assert told == [
        ("unstorable", 'invalid input syntax for type numeric: "ten"'),
        ("unstorable", "numeric field overflow"),
        ("unstorable", "index row requires 20016 bytes, maximum size is 8191"),
        ("unstorable", "value overflows numeric format"),
    ]


def test_a_failing_batch_fails_alone_and_is_retried(
    load: Callable[..., Summary], retry: Callable[..., Summary], file: Path, execute: Execute
) -> None:
    execute("ALTER TABLE stg_events ADD CONSTRAINT no_k00250 CHECK (source_id <> 'k00250')")
    write(file, some(500))
    partial = load("partial")
    assert partial.run.status == "partial"
    assert batch_states(execute, "partial") == ["succeeded", "succeeded", "failed", "succeeded", "succeeded"]
    ((code, message, attempts),) = execute(
        "SELECT error_code, error_message, attempts FROM etl_run_batches WHERE status = 'failed'"
    )
    assert (code, attempts) == ("23514", 1)
    assert "no_k00250" in message
    assert sum(counts(partial)) == 400 == partial.run.rows_attempted - 100

    execute("ALTER TABLE stg_events DROP CONSTRAINT no_k00250")
    whole = retry("partial")
    assert whole.is_success
    assert counts(whole) == (500, 0, 0, 0, 0)


def test_a_batch_whose_file_has_changed_or_is_gone_fails_alone_in_a_retry(
    database: StagingDatabase, job: StagingJob, file: Path, execute: Execute
) -> None:
    files = [file.with_name(f"{name}.ndjson") for name in ("changed", "gone", "same")]
    for number, path in enumerate(files):
        write(path, [{"id": f"{path.stem}{i}", "n": i + number * 1000} for i in range(100)])
    changed, gone, _ = files
    former, times = changed.read_bytes(), changed.stat()
    loader, read = StagingLoader(database), FileSource(NdjsonFormat(1 << 20), tuple(files))
    execute("ALTER TABLE stg_events ADD CONSTRAINT nothing CHECK (false)")
    assert loader.load(job, read, LoadOptions(run_id="again")).run.status == "failed"
    execute("ALTER TABLE stg_events DROP CONSTRAINT nothing")

    write(changed, some(7))
    content = gone.read_bytes()
    gone.unlink()
    retried = loader.retry(job, read, "again")
    assert (retried.run.status, retried.run.rows_inserted) == ("partial", 100)
    assert retried.run.rows_attempted == 300
    told = execute("SELECT status, error_code, error_message FROM etl_run_batches ORDER BY batch_index")
    assert [each[:2] for each in told] == [("failed", "SourceError"), ("failed", "SourceError"), ("succeeded", None)]
    assert f"{changed} has been changed since the run read it: expected {len(former):,} bytes" in told[0][2]
    assert f"found {changed.stat().st_size:,} bytes" in told[0][2]
    assert f"{gone} is gone: expected {len(content):,} bytes" in told[1][2]
    assert "found no file" in told[1][2]

    changed.write_bytes(former)
    os.utime(changed, ns=(times.st_atime_ns, times.st_mtime_ns))
    again = loader.retry(job, read, "again")
    assert (again.run.status, again.run.rows_inserted) == ("partial", 200)
    assert batch_states(execute, "again") == ["succeeded", "failed", "succeeded"]


def test_a_batch_that_is_not_in_the_spool_any_more_fails_alone(
    database: StagingDatabase, job: StagingJob, file: Path, execute: Execute, tmp_path: Path
) -> None:
    job = job.model_copy(update={"source": StandardInputSource(type="stdin")})
    write(file, some(300))
    spool = Spool(tmp_path / "spool")
    piped = SpooledSource(StandardInput(NdjsonFormat(1 << 20), lambda: file.open("rb")), spool)
    loader = StagingLoader(database)
    execute("ALTER TABLE stg_events ADD CONSTRAINT nothing CHECK (false)")
    assert loader.load(job, piped, LoadOptions(run_id="piped")).run.status == "failed"
    execute("ALTER TABLE stg_events DROP CONSTRAINT nothing")
    (tmp_path / "spool" / "piped.000001.ndjson").unlink()
    retried = loader.retry(job, piped, "piped")
    assert (retried.run.status, retried.run.rows_inserted) == ("partial", 200)
    assert batch_states(execute, "piped") == ["succeeded", "failed", "succeeded"]
    ((message,),) = execute("SELECT error_message FROM etl_run_batches WHERE status = 'failed'")
    assert "batch 1 is not in the spool any more" in message


@pytest.mark.parametrize("kept", [False, True])
def test_batches_that_can_be_read_again_wait_for_the_disk_at_the_end_of_the_run(
    database: StagingDatabase, job: StagingJob, file: Path, execute: Execute, tmp_path: Path, kept: bool
) -> None:
    """The run's last COMMIT brings them there; what the spool lets go of must be there before."""
    execute("CREATE TABLE commits (of text, waits text)")
    execute(
        """CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
            INSERT INTO commits VALUES (TG_TABLE_NAME, current_setting('synchronous_commit')); RETURN NULL; END$$"""
    )
    execute("CREATE TRIGGER tell AFTER INSERT ON stg_events FOR EACH STATEMENT EXECUTE FUNCTION tell()")
    execute("CREATE TRIGGER tell AFTER INSERT ON etl_run_batches FOR EACH STATEMENT EXECUTE FUNCTION tell()")
    execute("CREATE TRIGGER tell AFTER UPDATE OF finished_at ON etl_runs FOR EACH STATEMENT EXECUTE FUNCTION tell()")
    write(file, some(300))
    read = source(file)
    if kept:
        job = job.model_copy(update={"source": StandardInputSource(type="stdin")})
        stream = StandardInput(NdjsonFormat(1 << 20), lambda: file.open("rb"))
        read = SpooledSource(stream, Spool(tmp_path / "spool"))
    assert StagingLoader(database).load(job, read, LoadOptions(run_id="run")).is_success
    found = execute("SELECT DISTINCT waits FROM commits WHERE of = 'stg_events'")
    assert found == [("on" if kept else "off",)]
    assert ("on",) in execute("SELECT waits FROM commits WHERE of = 'etl_runs'")
    # a batch that the server has forgotten must be missed at the end
    assert execute("SELECT DISTINCT waits FROM commits WHERE of = 'etl_run_batches'") == [("on",)]


def test_a_job_whose_source_is_of_another_kind_now_cannot_retry(
    load: Callable[..., Summary], database: StagingDatabase, job: StagingJob, file: Path
) -> None:
    write(file, some(10))
    load("files")
    other = job.model_copy(update={"source": CsvFiles(type="csv", path=(str(file),))})
    with pytest.raises(UsageError, match="run files read ndjson, and job events is of source csv"):
        StagingLoader(database).retry(other, source(file), "files")


def test_nothing_stored_is_a_failed_run(load: Callable[..., Summary], file: Path, execute: Execute) -> None:
    execute("ALTER TABLE stg_events ADD CONSTRAINT nothing CHECK (false)")
    write(file, some(150))
    assert load("nothing").run.status == "failed"


def test_connections_that_die_lose_and_double_nothing(
    load: Callable[..., Summary], file: Path, execute: Execute, staging_settings: PostgreSQLSettings
) -> None:
    write(file, some(20_000))
    with closing(psycopg2.connect(**staging_settings.connection_parameters)) as killer, killer.cursor() as cursor:
        killer.autocommit = True
        done = threading.Event()

        def kill() -> None:
            while not done.wait(0.1):
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid() "
                    "AND query ~ '(INSERT INTO|COPY) \"stg_events\"' LIMIT 1"
                )

        thread = threading.Thread(target=kill)
        thread.start()
        try:
            summary = load("killed", retries=50)
        finally:
            done.set()
            thread.join()
    assert summary.is_success
    assert summary.run.retries > 0
    assert counts(summary) == (20_000, 0, 0, 0, 0)
    ((rows,),) = execute("SELECT count(*) FROM stg_events")
    assert rows == 20_000


def test_a_lost_answer_to_commit_doubles_nothing(
    load: Callable[..., Summary], file: Path, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = StagingLedger.batch_transaction
    lost: list[int] = []

    @contextmanager
    def losing(ledger: StagingLedger, *arguments: Any, **options: Any) -> Iterator[Any]:
        with whole(ledger, *arguments, **options) as cursor:
            yield cursor
        if not lost:
            lost.append(1)
            raise ConnectionLostError("the answer to COMMIT was lost")

    monkeypatch.setattr(StagingLedger, "batch_transaction", losing)
    write(file, some(300))
    summary = load("lost")
    assert lost
    assert summary.is_success
    assert counts(summary) == (300, 0, 0, 0, 0)


def test_a_retry_never_undoes_a_newer_run(
    load: Callable[..., Summary], retry: Callable[..., Summary], file: Path, execute: Execute
) -> None:
    execute("ALTER TABLE stg_events ADD CONSTRAINT no_old CHECK (NOT (data ? 'old'))")
    write(file, some(100, old=True))
    assert load("old").run.status == "failed"
    before = file.stat()
    fresh = file.with_name("fresh.ndjson")
    write(fresh, some(100))
    file_of_old = file.read_bytes()
    file.write_bytes(fresh.read_bytes())
    assert load("new").is_success
    file.write_bytes(file_of_old)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    execute("ALTER TABLE stg_events DROP CONSTRAINT no_old")
    with pytest.raises(UsageError, match="newer records"):
        retry("old")
    forced = retry("old", force=True)
    assert counts(forced) == (0, 0, 0, 100, 0)
    ((old,),) = execute("SELECT count(*) FROM stg_events WHERE data ? 'old'")
    assert old == 0


def test_a_cancelled_run_does_not_wait_for_a_lock_and_goes_on_later(
    load: Callable[..., Summary],
    retry: Callable[..., Summary],
    database: StagingDatabase,
    file: Path,
    execute: Execute,
    staging_settings: PostgreSQLSettings,
) -> None:
    write(file, some(5000))
    ended: list[Summary] = []
    with closing(psycopg2.connect(**staging_settings.connection_parameters)) as blocker, blocker.cursor() as cursor:
        cursor.execute("LOCK TABLE stg_events IN SHARE MODE")
        thread = threading.Thread(target=lambda: ended.append(load("cancelled")))
        thread.start()
        until(lambda: bool(execute("SELECT 1 FROM etl_run_batches WHERE status = 'running'")))
        with pytest.raises(LockedError, match="is being loaded by run cancelled"):
            load("second")
        StagingLoader(database).cancel("cancelled", "somebody")
        thread.join(timeout=60)
        assert not thread.is_alive()
        blocker.rollback()
    (summary,) = ended
    assert (summary.run.status, summary.run.failure) == ("canceled", "cancelled by somebody")
    assert summary.run.cancelled_by == "somebody"
    assert execute("SELECT count(*) FROM stg_events") == [(0,)]
    told = dict(execute("SELECT error_message, error_code FROM etl_run_batches"))
    assert told["the run was cancelled while the batch waited for a lock"] == "not_stored"
    assert set(told.values()) == {"not_stored"}
    assert not execute("SELECT 1 FROM etl_run_batches WHERE error_is_permanent IS DISTINCT FROM false")
    whole = retry("cancelled")
    assert whole.is_success
    assert counts(whole) == (5000, 0, 0, 0, 0)


@pytest.mark.parametrize("interrupted", [False, True])
def test_what_waits_for_a_worker_is_not_begun_any_more(
    database: StagingDatabase, job: StagingJob, file: Path, execute: Execute, interrupted: bool
) -> None:
    """The second batch waits, the next ones are ready: a cancel, or Ctrl-C, lets none of them begin."""
    write(file, some(1000))
    execute(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN PERFORM pg_sleep(CASE WHEN NEW.source_id = ''k00150'' THEN 2 ELSE 0 END); RETURN NEW; END'"
    )
    execute("CREATE TRIGGER wait BEFORE INSERT ON stg_events FOR EACH ROW EXECUTE FUNCTION wait()")
    loader, options = StagingLoader(database), LoadOptions(run_id="stopped")
    main_thread = threading.get_ident()

    def stop() -> None:
        until(lambda: bool(execute("SELECT 1 FROM etl_run_batches WHERE status = 'succeeded'")))
        if interrupted:
            signal.pthread_kill(main_thread, signal.SIGINT)
        else:
            loader.cancel("stopped", "somebody")

    stopping = threading.Thread(target=stop)
    stopping.start()
    with pytest.raises(KeyboardInterrupt) if interrupted else nullcontext():
        loader.load(job.model_copy(update={"workers": 1}), source(file), options)
    stopping.join()
    found = execute("SELECT status FROM etl_run_batches WHERE attempts > 0 ORDER BY batch_index")
    assert found == [("succeeded",), ("succeeded",)]
    assert execute("SELECT count(*) FROM stg_events") == [(200,)]


def test_a_run_that_is_cancelled_ends_after_the_batches_that_are_being_stored(
    load: Callable[..., Summary], database: StagingDatabase, file: Path, execute: Execute
) -> None:
    write(file, some(20_000))
    execute(
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END'"
    )
    execute("CREATE TRIGGER slowly AFTER INSERT ON stg_events FOR EACH STATEMENT EXECUTE FUNCTION slowly()")
    ended: list[Summary] = []
    thread = threading.Thread(target=lambda: ended.append(load("cancelled")))
    thread.start()
    until(lambda: bool(execute("SELECT 1 FROM etl_run_batches WHERE status = 'succeeded'")))
    StagingLoader(database).cancel("cancelled", "somebody")
    thread.join(timeout=60)
    (summary,) = ended
    assert (summary.run.status, summary.run.failure) == ("canceled", "cancelled by somebody")
    ((rows,),) = execute("SELECT count(*) FROM stg_events")
    assert 0 < rows < 20_000
    assert rows == summary.run.rows_inserted
    # nothing that had begun was broken off
    assert execute("SELECT DISTINCT error_code FROM etl_run_batches WHERE status = 'failed'") == [("not_stored",)]
    assert not execute("SELECT 1 FROM etl_run_batches WHERE status = 'failed' AND attempts > 0")


def test_a_run_that_had_stored_all_when_it_heard_of_its_cancellation_is_a_success(
    load: Callable[..., Summary], file: Path, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(file, some(100))
    cancel = "UPDATE etl_runs SET cancelled_at = now(), cancelled_by = 'somebody'"
    end_input = StagingLedger.end_input
    monkeypatch.setattr(StagingLedger, "end_input", lambda *given: (end_input(*given), execute(cancel)))
    run = load("late").run
    assert (run.status, run.failure, run.cancelled_by) == ("success", None, "somebody")


def test_examples_of_what_is_invalid_stand_with_the_batch_also_where_it_is_unchanged(
    database: StagingDatabase, job: StagingJob, file: Path, execute: Execute
) -> None:
    job = job.model_copy(update={"required": ("n",), "skip_unchanged": True})
    write(file, [{"id": f"k{number}", **({} if number == 150 else {"n": number})} for number in range(200)])
    examples = "SELECT batch_index, examples FROM etl_run_batches WHERE etl_run_id = %s ORDER BY batch_index"
    example = {"kind": "required", "path": "/n", "message": "required, found nothing", "sample_value": None}
    expected = [(0, []), (1, [{**example, "source_id": "k150", "ordinal": 150}])]
    for run_id, unchanged in (("first", 0), ("again", 200)):
        run = StagingLoader(database).load(job, source(file), LoadOptions(run_id=run_id)).run
        assert (run.rows_unchanged, run.rows_invalid, run.required_field_errors) == (unchanged, 1, 1)
        assert execute(examples, (run_id,)) == expected
    ((log,),) = execute("SELECT logs_fragment FROM etl_run_batches WHERE etl_run_id = 'again' AND batch_index = 1")
    assert [(each["level"], each["event"], each["attempt"]) for each in log] == [("info", "stored", 1)]
    assert log[0]["detail"]["rows_unchanged"] == 100


def test_faults_count_where_they_stand_in_the_table(
    database: StagingDatabase, job: StagingJob, file: Path, execute: Execute
) -> None:
    """Not those of a record that PostgreSQL refuses, that a later one stands for, or that is older than what stands."""
    job = job.model_copy(update={"required": ("n", "m"), "source_updated_at": "at", "skip_unchanged": True})
    old, new = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
    write(file, [{"id": "newer", "n": 1, "m": 1, "at": new}])
    assert StagingLoader(database).load(job, source(file), LoadOptions(run_id="before")).is_success
    write(
        file,
        [
            {"id": "good", "n": 1, "m": 1},
            {"id": "bad"},
            {"id": "twice"},
            {"id": "twice", "n": 1, "m": 1},
            {"id": "newer", "n": 2, "at": old},
            b'{"id": "tiny", "o": 1e-20000}',
        ],
    )
    options = LoadOptions(run_id="exact", reject_dir=file.parent)
    run = StagingLoader(database).load(job, source(file), options).run
    counted = {name: getattr(run, f"rows_{name}") for name in ("attempted", *COUNTS, "invalid")}
    assert counted == {
        "attempted": 6,
        "inserted": 3,
        "updated": 0,
        "unchanged": 0,
        "deduplicated": 2,
        "rejected": 1,
        "invalid": 1,
    }
    assert run.required_field_errors == 2
    ((invalid, faults, valid),) = execute(
        "SELECT count(*) FILTER (WHERE NOT is_valid), sum(jsonb_array_length(validation_errors)),"
        " count(*) FILTER (WHERE is_valid) FROM stg_events WHERE etl_run_id = 'exact'"
    )
    assert (invalid, faults) == (run.rows_invalid, run.required_field_errors)
    assert valid + invalid + run.rows_rejected + run.rows_deduplicated == run.rows_attempted


def test_too_many_invalid_records_end_the_run(
    load: Callable[..., Summary], database: StagingDatabase, job: StagingJob, file: Path, execute: Execute
) -> None:
    write(file, [*some(200), *({"id": f"bad{i}"} for i in range(100))])
    strict = job.model_copy(update={"maximum_invalid": "20"})
    summary = StagingLoader(database).load(strict, source(file), LoadOptions(run_id="strict"))
    assert summary.run.status == "partial"
    assert summary.run.failure.startswith("expected at most 20 of the 300 records read to be invalid or rejected")
    ((rows,),) = execute("SELECT count(*) FROM stg_events")
    assert rows == 200


def test_too_many_rejected_records_fail_the_run(
    database: StagingDatabase, job: StagingJob, file: Path, execute: Execute
) -> None:
    """8 of 12; also those that only PostgreSQL rejects, and whatever a retry reads."""
    bad = [b"{broken", *([b'{"n": 1}'] * 3), *(b'{"id": "tiny%d", "n": 1e-20000}' % n for n in range(4))]
    write(file, [*some(4), *bad])
    loader, options = StagingLoader(database), LoadOptions(run_id="run")

    def limited(maximum: Any) -> StagingJob:
        return job.model_copy(update={"maximum_rejected": str(maximum)})

    default = loader.load(job, source(file), LoadOptions(run_id="default"))
    assert (default.run.status, default.run.rows_inserted, default.run.rows_rejected) == ("partial", 4, 8)
    assert "at most 50% of the 12 records read to be rejected (maximum_rejected), found 8" in default.run.failure
    assert loader.load(limited("66.7%"), source(file), LoadOptions(run_id="free")).is_success
    share = loader.load(limited("60%"), source(file), LoadOptions(run_id="share"))
    assert (share.run.status, share.run.rows_rejected, share.run.rows_unchanged) == ("partial", 8, 4)
    assert share.run.failure.startswith(
        "expected at most 60% of the 12 records read to be rejected (maximum_rejected), found 8; the first"
    )
    # judged before anything of the batch is stored
    refused = loader.load(limited(3), source(file), options)
    assert (refused.run.status, refused.run.rows_attempted) == ("failed", 0)
    assert refused.run.failure == (
        "expected at most 3 of the 12 records read to be rejected (maximum_rejected), found 4; "
        "the last of them: expected a source_id at id, found nothing; keys found: n"
    )
    known_later = loader.retry(limited(7), source(file), "run")
    assert (known_later.run.status, known_later.run.rows_rejected) == ("partial", 8)
    assert known_later.run.failure.startswith("expected at most 7 of the 12 records read to be rejected")
    assert loader.retry(limited(8), source(file), "run").is_success


def test_a_run_whose_every_record_is_rejected_fails(
    load: Callable[..., Summary], retry: Callable[..., Summary], database: StagingDatabase, job: StagingJob, file: Path
) -> None:
    write(file, [{"n": n} for n in range(250)])
    failed = load("all")
    assert (failed.run.status, failed.run.rows_rejected, failed.run.batches_succeeded) == ("failed", 250, 3)
    assert failed.run.failure == (
        "expected at most 50% of the 250 records read to be rejected (maximum_rejected), found 250; "
        "the first reject: expected a source_id at id, found nothing; keys found: n"
    )
    again = retry("all")
    assert (again.run.status, again.run.failure) == ("failed", failed.run.failure)
    allowed = job.model_copy(update={"maximum_rejected": "100%"})
    assert StagingLoader(database).load(allowed, source(file), LoadOptions(run_id="allowed")).is_success
    file.write_bytes(b"\n")
    assert load("empty").is_success


def test_a_run_whose_process_died_is_found_and_finished(
    load: Callable[..., Summary],
    retry: Callable[..., Summary],
    database: StagingDatabase,
    file: Path,
    execute: Execute,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Killed(BaseException):
        """As a kill would: nothing after it runs but what the interpreter itself unwinds."""

    def die(*_: Any) -> None:
        raise Killed

    write(file, some(1000))
    monkeypatch.setattr(StagingLedger, "end_input", die)
    monkeypatch.setattr(StagingLedger, "finish_run", die)
    with pytest.raises(Killed):
        load("dead")
    monkeypatch.undo()
    execute("UPDATE etl_runs SET heartbeat_at = now() - interval '2 minutes'")
    execute("DELETE FROM etl_run_batches WHERE batch_index >= 7")
    execute("UPDATE etl_run_batches SET status = 'running', committed_at = NULL WHERE batch_index = 6")
    execute("DELETE FROM stg_events WHERE data ->> 'n' >= '600' AND length(data ->> 'n') = 3")
    assert StagingLedger(database).bury_dead_runs() == ["dead"]
    ((status, failure),) = execute("SELECT status, failure FROM etl_runs")
    assert status in ("partial", "failed")
    assert "the process died" in failure
    whole = retry("dead")
    assert whole.is_success
    assert counts(whole) == (1000, 0, 0, 0, 0)
    ((rows,),) = execute("SELECT count(*) FROM stg_events")
    assert rows == 1000


def test_runs_at_once_into_one_table_agree_on_the_latest(
    database: StagingDatabase, job: StagingJob, file: Path, execute: Execute
) -> None:
    """Two runs bring the same keys in opposite orders; of each key the record with the latest time stays."""
    job = job.model_copy(update={"source_updated_at": "at"})
    records = [{"id": f"k{i:04}", "n": i, "at": f"2026-01-{1 + i % 2:02}T00:00:00Z"} for i in range(3000)]
    other = [{**record, "n": -1, "at": f"2026-01-{2 - i % 2:02}T12:00:00Z"} for i, record in enumerate(records)]
    write(file, records)
    second = file.with_name("other.ndjson")
    write(second, other[::-1])
    ended: list[Summary] = []

    def load(path: Path, run_id: str) -> None:
        ended.append(StagingLoader(database).load(job, source(path), LoadOptions(run_id=run_id, force=True)))

    threads = [threading.Thread(target=load, args=each) for each in ((file, "one"), (second, "two"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert [summary.is_success for summary in ended] == [True, True]
    assert sum(sum(counts(summary)) for summary in ended) == 6000
    latest = {record["id"]: max(record["at"], newer["at"]) for record, newer in zip(records, other, strict=True)}
    assert dict(execute("SELECT source_id, data ->> 'at' FROM stg_events")) == latest


def test_a_source_that_breaks_off_is_stored_as_far_as_it_goes(
    database: StagingDatabase, job: StagingJob, file: Path, execute: Execute
) -> None:
    packed = file.with_name("events.ndjson.gz")
    draw = random.Random(1)
    records = [{**each, "noise": f"{draw.getrandbits(800):x}"} for each in some(30_000)]
    whole = gzip.compress(b"".join(orjson.dumps(each) + b"\n" for each in records), mtime=0)
    packed.write_bytes(whole[: len(whole) * 2 // 3])
    summary = StagingLoader(database).load(job, source(packed), LoadOptions(run_id="broken"))
    assert summary.run.status == "partial"
    assert "events.ndjson.gz" in summary.run.failure
    ((rows, first, last),) = execute(
        "SELECT count(*), min((data ->> 'n')::int), max((data ->> 'n')::int) FROM stg_events"
    )
    assert 1000 < rows == last - first + 1 == summary.run.rows_inserted


@pytest.mark.parametrize(("count", "kept"), [(5000, 0.99), (5000, 0.5), (300, 0.5), (300, 0.9), (5000, 0.0)])
def test_of_a_truncated_file_all_whole_records_are_stored_whatever_its_size(
    database: StagingDatabase, job: StagingJob, file: Path, execute: Execute, count: int, kept: float
) -> None:
    """Also where it holds less than is unpacked at once."""
    packed = file.with_name("events.ndjson.gz")
    text = b"".join(orjson.dumps(each) + b"\n" for each in some(count))
    whole = gzip.compress(text, mtime=0)
    packed.write_bytes(whole[: max(4, int(len(whole) * kept))])
    readable = zlib.decompressobj(wbits=31).decompress(packed.read_bytes()).count(b"\n")
    summary = StagingLoader(database).load(job, source(packed), LoadOptions(run_id="cut"))
    assert readable < count
    assert bool(readable) == bool(kept)
    assert summary.run.status == ("partial" if readable else "failed")
    assert counts(summary) == (readable, 0, 0, 0, 0)
    assert execute("SELECT count(*) FROM stg_events") == [(readable,)]
    for said in ("events.ndjson.gz cannot be read: Truncated", "behind byte", f"the input gave {readable:,} records"):
        assert said in summary.run.failure


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        ("DROP TABLE stg_events", "no table stg_events"),
        ("ALTER TABLE stg_events DROP CONSTRAINT stg_events_source_id_key", "no valid UNIQUE"),
        (
            "ALTER TABLE stg_events ADD CONSTRAINT late UNIQUE (source_id) DEFERRABLE",
            r"no valid UNIQUE \(source_id\) that is not deferrable",
        ),
        ("ALTER TABLE stg_events ADD COLUMN country text NOT NULL", "that the loader does not know: country"),
        ("ALTER TABLE stg_events DROP COLUMN is_valid", "no column is_valid"),
        ("ALTER TABLE stg_events ALTER COLUMN data TYPE json", "data is json, expected jsonb"),
        ("DROP TABLE etl_run_batches", "etl staging init`"),
    ],
)
def test_what_is_not_ready_is_refused_before_anything_is_written(
    load: Callable[..., Summary], file: Path, execute: Execute, prepare: str, message: str
) -> None:
    write(file, some(10))
    execute(prepare)
    with pytest.raises(UsageError, match=message):
        load("refused")
    ((runs,),) = execute("SELECT count(*) FROM etl_runs")
    assert runs == 0


def test_a_table_that_cannot_tell_older_from_newer_is_refused(
    database: StagingDatabase, job: StagingJob, file: Path, execute: Execute
) -> None:
    write(file, some(10))
    execute("ALTER TABLE stg_events DROP COLUMN source_updated_at")
    dated = job.model_copy(update={"source_updated_at": "at"})
    with pytest.raises(UsageError, match="stg_events has no column source_updated_at"):
        StagingLoader(database).load(dated, source(file))
    assert StagingLoader(database).load(job, source(file)).is_success
