"""`python -m etl.staging …` as a user runs it: exit codes, one clear line for each mistake, and a kill."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from pydantic import SecretStr

from etl.command.typed import etl_as_typed
from etl.config.settings import PostgreSQLSettings
from etl.project import PROJECT_DIR
from etl.staging.database.database import StagingDatabase
from tests.integration.staging.conftest import Execute
from tests.receivers import http_receiver

pytestmark = pytest.mark.stack

Run = Callable[..., subprocess.CompletedProcess[str]]

JOB = """
jobs:
  events:
    target_table: stg_events
    source: {{type: ndjson, path: {path}}}
    source_id: id
    required: [n]
    batch_size: 100
"""


def url_of(server: PostgreSQLSettings, **changes: Any) -> str:
    changed = server.model_copy(update=changes)
    password = quote(changed.password.get_secret_value(), safe="")
    return f"postgresql://{changed.user}:{password}@{changed.host}:{changed.port}/{changed.database}"


@pytest.fixture
def environment(staging_settings: PostgreSQLSettings, tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ETL_", "AWS_"))}
    return {**kept, "ETL_STAGING_POSTGRES_URL": url_of(staging_settings), "PYTHONPATH": str(PROJECT_DIR)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "conf" / "staging").mkdir(parents=True)
    path = tmp_path / "events.ndjson"
    (tmp_path / "conf" / "staging" / "jobs.yaml").write_text(JOB.format(path=path))
    path.write_bytes(b"".join(orjson.dumps({"id": f"k{i}", "n": i}) + b"\n" for i in range(250)))
    return path


@pytest.fixture
def run(environment: dict[str, str], file: Path, tmp_path: Path) -> Run:
    def command(*arguments: str, module: str = "etl.staging", **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *arguments, "--config-dir", str(tmp_path / "conf")],
            cwd=tmp_path,
            env={**environment, **more},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return command


@pytest.fixture
def ready(empty: None, run: Run) -> None:
    assert run("init").returncode == 0


def test_init_load_status(empty: None, run: Run) -> None:
    made = run("init")
    assert (made.returncode, "created stg_events" in made.stdout) == (0, True)
    assert run("init").stdout == "all stand already\n"
    loaded = run("load", "events", "--run-id", "nightly", "--json")
    assert loaded.returncode == 0, loaded.stderr
    assert json.loads(loaded.stdout)["rows_inserted"] == 250
    told = json.loads(run("status", "--run", "nightly", "--json").stdout)
    assert told["runs"][0]["status"] == "success"
    assert [batch["rows_inserted"] for batch in told["batches"]] == [100, 100, 50]
    again = run("load", "events")
    assert "250 records: 0 inserted, 0 updated, 250 unchanged" in again.stdout
    assert "events-" in run("status").stdout


def test_too_many_rejects_exit_1_and_say_what_to_do(ready: None, run: Run, file: Path, tmp_path: Path) -> None:
    file.write_bytes(b"".join(orjson.dumps({"id": f"k{i}", "n": i} if i < 4 else {"n": i}) + b"\n" for i in range(12)))
    assert run("load", "events", "--maximum-rejected", "100%").returncode == 0
    limited = run("load", "events", "--run-id", "limited")
    assert limited.returncode == 1
    said = "expected at most 50% of the 12 records read to be rejected (maximum_rejected), found 8; the first reject: "
    assert said in limited.stdout
    assert "next: mend the records or the job, and load them again; what is stored stays" in limited.stdout
    assert run("retry", "--run", "limited", "--maximum-rejected", "8").returncode == 0
    misspelt = run("load", "events", "--maximum-rejected", "half")
    assert (misspelt.returncode, misspelt.stderr) == (
        2,
        "--maximum-rejected: expected a number of rows or a share, such as 100 or 5%, found 'half'\n",
    )


def test_a_failed_batch_exits_1_and_says_how_to_retry(ready: None, run: Run, execute: Execute, tmp_path: Path) -> None:
    execute("ALTER TABLE stg_events ADD CONSTRAINT no_k150 CHECK (source_id <> 'k150')")
    partial = run("load", "events", "--run-id", "partial")
    assert partial.returncode == 1
    assert "partial" in partial.stdout
    assert f"next: {etl_as_typed()} staging retry --run partial --config-dir {tmp_path / 'conf'}\n" in partial.stdout
    logged = [json.loads(line) for line in partial.stderr.splitlines()]
    assert [each["event"] for each in (logged[0], logged[-1])] == ["run started", "run finished"]
    assert {(each["job"], each["run_id"]) for each in logged} == {("events", "partial")}
    batches = {each["batch"]: each for each in logged[1:-1]}
    assert [batches[index]["event"] for index in range(3)] == ["batch stored", "batch failed", "batch stored"]
    assert [batches[index]["rows_inserted"] for index in (0, 2)] == [100, 50]
    assert batches[0]["milliseconds"] > 0
    execute("ALTER TABLE stg_events DROP CONSTRAINT no_k150")
    unknown = run("retry", "--run", "partial", "--batch", "7")
    assert (unknown.returncode, "those left are 1" in unknown.stderr) == (2, True)
    assert run("retry", "--run", "partial", "--batch", "1").returncode == 0
    assert execute("SELECT count(*) FROM stg_events") == [(250,)]


def test_a_retry_reads_the_files_that_its_run_was_given(
    ready: None, run: Run, file: Path, tmp_path: Path, execute: Execute
) -> None:
    execute("ALTER TABLE stg_events ADD CONSTRAINT no_k150 CHECK (source_id <> 'k150')")
    given = tmp_path / os.fsdecode(b"giv\xe9n.ndjson")
    file.rename(given)
    loaded = run("load", "events", "--run-id", "given", "--file", given.name)
    assert (loaded.returncode, "Traceback" in loaded.stderr) == (1, False), loaded.stderr
    told = json.loads(run("status", "--run", "given", "--json").stdout)
    assert "giv\\xe9n.ndjson" in json.dumps(told).replace("\\\\", "\\")
    execute("ALTER TABLE stg_events DROP CONSTRAINT no_k150")
    retried = run("retry", "--run", "given")
    assert retried.returncode == 0, retried.stderr
    assert execute("SELECT count(*) FROM stg_events") == [(250,)]


def test_a_killed_run_is_found_and_finished(
    ready: None, run: Run, environment: dict[str, str], file: Path, tmp_path: Path, execute: Execute
) -> None:
    file.write_bytes(b"".join(orjson.dumps({"id": f"k{i}", "n": i}) + b"\n" for i in range(50_000)))
    command = [sys.executable, "-m", "etl.staging", "load", "events", "--run-id", "killed", "--config-dir"]
    process = subprocess.Popen(
        [*command, str(tmp_path / "conf")], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 60
    while not execute("SELECT 1 FROM etl_run_batches WHERE batch_index >= 5 AND status = 'succeeded'"):
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    ((stored,),) = execute("SELECT count(*) FROM stg_events")
    assert 0 < stored < 50_000
    assert stored % 100 == 0

    refused = run("load", "events")
    assert (refused.returncode, "is being loaded by run killed" in refused.stderr) == (2, True)
    # a minute without a heartbeat
    execute("UPDATE etl_runs SET heartbeat_at = heartbeat_at - interval '61 seconds'")
    assert "the process died" in run("status").stdout
    assert run("retry", "--run", "killed").returncode == 0
    assert execute("SELECT count(*), sum((data ->> 'n')::bigint) FROM stg_events") == [(50_000, sum(range(50_000)))]
    assert execute("SELECT rows_inserted, rows_attempted FROM etl_runs") == [(50_000, 50_000)]


@pytest.mark.parametrize(
    ("said", "code", "how"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_an_interrupted_run_ends_between_batches_and_goes_on_later(
    ready: None,
    run: Run,
    environment: dict[str, str],
    file: Path,
    tmp_path: Path,
    execute: Execute,
    said: signal.Signals,
    code: int,
    how: str,
) -> None:
    file.write_bytes(b"".join(orjson.dumps({"id": f"k{i}", "n": i}) + b"\n" for i in range(50_000)))
    command = [sys.executable, "-m", "etl.staging", "load", "events", "--run-id", "stopped", "--config-dir"]
    process = subprocess.Popen(
        [*command, str(tmp_path / "conf")], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + 60
    while not execute("SELECT 1 FROM etl_run_batches WHERE batch_index >= 5 AND status = 'succeeded'"):
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(said)
    _, told = process.communicate(timeout=180)  # batches in flight still wait for the disk
    assert (process.returncode, f"{how}; the batches that were stored stay" in told) == (code, True)
    assert "Traceback" not in told
    ((status, failure, inserted),) = execute("SELECT status, failure, rows_inserted FROM etl_runs")
    assert (status, failure) == ("partial", "interrupted")
    assert execute("SELECT count(*) FROM stg_events") == [(inserted,)]
    assert 0 < inserted < 50_000
    assert run("retry", "--run", "stopped").returncode == 0
    assert execute("SELECT count(*) FROM stg_events") == [(50_000,)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("load", "evnts"), "unknown job 'evnts'"),
        (("load", "events", "--batch-size", "5"), "100 to 10,000"),
        (("load", "events", "--run-id", "no/slash"), "letters"),
        (("load", "events", "--file", "/nowhere/at-all.ndjson"), "/nowhere/at-all.ndjson"),
        (("retry", "--run", "nobody"), "expected run 'nobody' in the ledger, found none"),
        (("cancel", "--run", "nobody"), "expected run 'nobody' in the ledger, found none"),
        (("migrate", "--pattern", "stg_evnts"), "expected tables that match 'stg_evnts' in schema 'public'"),
        (("migrate", "--dry-run", "--pattern", "stg_e?ents"), "found none; only % is a wildcard"),
    ],
)
def test_bad_use_is_one_clear_line_and_exit_2(
    ready: None, run: Run, execute: Execute, arguments: tuple[str, ...], said: str
) -> None:
    refused = run(*arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert said in refused.stderr
    assert execute("SELECT count(*) FROM etl_runs") == [(0,)]


def test_a_batch_size_of_the_environment_is_checked(ready: None, run: Run) -> None:
    refused = run("load", "events", ETL_BATCH_SIZE="50")
    assert (refused.returncode, "ETL_BATCH_SIZE" in refused.stderr) == (2, True)


def test_a_server_that_does_not_answer(run: Run, staging_settings: PostgreSQLSettings) -> None:
    refused = run("load", "events", ETL_STAGING_POSTGRES_URL=url_of(staging_settings, port=1))
    assert refused.returncode == 2
    assert refused.stderr.startswith("postgresql://")
    assert "Connection refused" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert staging_settings.password.get_secret_value() not in refused.stderr


def test_a_server_that_accepts_and_says_nothing(
    ready: None, run: Run, tmp_path: Path, staging_settings: PostgreSQLSettings
) -> None:
    jobs = tmp_path / "conf" / "staging" / "jobs.yaml"
    jobs.write_text(jobs.read_text() + "    timeouts: {connect: 2}\n")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        refused = run("load", "events", ETL_STAGING_POSTGRES_URL=url_of(staging_settings, port=silent.getsockname()[1]))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "timeout expired" in refused.stderr
    assert "(waited 2 s: timeouts.connect)" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_load_and_retry_keep_to_the_limits_of_the_job(ready: None, run: Run, tmp_path: Path, execute: Execute) -> None:
    jobs = tmp_path / "conf" / "staging" / "jobs.yaml"
    jobs.write_text(jobs.read_text() + "    timeouts: {statement: 7, lock: 3}\n")
    execute(
        "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'limits: % %',"
        " current_setting('statement_timeout'), current_setting('lock_timeout'); END $$;"
        "CREATE TRIGGER tell BEFORE INSERT ON stg_events FOR EACH ROW EXECUTE FUNCTION tell()"
    )
    look = "SELECT DISTINCT attempts, substring(error_message FROM 'limits: \\w+ \\w+') FROM etl_run_batches"
    assert run("load", "events", "--run-id", "limited").returncode == 1
    assert execute(look) == [(1, "limits: 7s 3s")]
    assert run("retry", "--run", "limited").returncode == 1
    assert execute(look) == [(2, "limits: 7s 3s")]


def test_a_retry_fails_the_batches_of_a_file_that_went_and_runs_the_others(
    ready: None, run: Run, file: Path, tmp_path: Path, execute: Execute
) -> None:
    other = tmp_path / "other.ndjson"
    other.write_bytes(orjson.dumps({"id": "other", "n": 1}) + b"\n")
    execute("ALTER TABLE stg_events ADD CONSTRAINT nothing CHECK (false)")
    arguments = ("--file", str(file), "--file", str(other))
    assert run("load", "events", "--run-id", "files", *arguments).returncode == 1
    execute("ALTER TABLE stg_events DROP CONSTRAINT nothing")
    file.unlink()
    retried = run("retry", "--run", "files")
    assert (retried.returncode, "run files: partial" in retried.stdout) == (1, True), retried.stderr
    assert execute("SELECT source_id FROM stg_events") == [("other",)]
    told = json.loads(run("status", "--run", "files", "--json").stdout)["batches"]
    assert [each["status"] for each in told] == ["failed", "failed", "failed", "succeeded"]
    assert all(f"{file} is gone: expected" in each["error_message"] for each in told[:3])


def test_a_retry_that_reads_on_wants_the_files_that_its_run_found(
    ready: None, run: Run, file: Path, tmp_path: Path, execute: Execute
) -> None:
    """Not what a pattern matches by then: a file that went must not be passed over without a word."""
    good, broken, last = (tmp_path / f"part-{name}.ndjson.gz" for name in "abd")
    good.write_bytes(gzip.compress(b'{"id": "a", "n": 1}\n'))
    broken.write_bytes(b"not packed at all")
    last.write_bytes(gzip.compress(b'{"id": "d", "n": 1}\n'))
    (tmp_path / "conf" / "staging" / "jobs.yaml").write_text(JOB.format(path=tmp_path / "part-*.ndjson.gz"))
    assert run("load", "events", "--run-id", "parts").returncode == 1
    ((configured, read),) = execute("SELECT parameters #> '{source,path}', parameters -> 'files_read' FROM etl_runs")
    assert configured == [str(tmp_path / "part-*.ndjson.gz")]
    assert read == [str(each) for each in (good, broken, last)]
    broken.unlink()
    (tmp_path / "part-c.ndjson.gz").write_bytes(gzip.compress(b'{"id": "c", "n": 1}\n'))
    missing = run("retry", "--run", "parts")
    assert missing.returncode == 1
    assert f"{broken} cannot be read: No such file" in missing.stdout
    broken.write_bytes(gzip.compress(b'{"id": "b", "n": 1}\n'))
    assert run("retry", "--run", "parts").returncode == 0
    assert execute("SELECT source_id FROM stg_events ORDER BY 1") == [("a",), ("b",), ("d",)]


def test_rejected_records_go_to_the_folder_that_is_named(ready: None, run: Run, file: Path, tmp_path: Path) -> None:
    with file.open("ab") as more:
        more.write(b'{"n": 1}\n')
    for run_id, arguments, folder in (
        ("here", (), tmp_path / ".data" / "rejects"),
        ("there", ("--reject-dir", "deep/er"), tmp_path / "deep" / "er"),
    ):
        loaded = run("load", "events", "--run-id", run_id, *arguments)
        assert loaded.returncode == 0, loaded.stderr
        assert f"{run_id}.ndjson" in loaded.stdout
        (line,) = (folder / f"{run_id}.ndjson").read_bytes().splitlines()
        reject = orjson.loads(line)
        assert (reject["reason"], reject["record"]) == ("no_source_id", '{"n": 1}')
        assert reject["source_position"] == {"file": str(file), "line": 251}
        assert [path.name for path in folder.iterdir()] == [f"{run_id}.ndjson"]


def test_what_cannot_serve_is_refused_before_the_run_begins(
    ready: None, run: Run, file: Path, execute: Execute
) -> None:
    refused = run("load", "events", "--reject-dir", str(file))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"rejected records cannot be written to {file}: expected a folder" in refused.stderr
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = run("load", "events", "--metrics-port", port)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"metrics cannot be served on port {port}: Address already in use" in refused.stderr
    assert execute("SELECT count(*) FROM etl_runs") == [(0,)]


def test_a_run_whose_end_cannot_be_told_exits_1(ready: None, run: Run, execute: Execute) -> None:
    execute(
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no end'; END $$;"
        "CREATE TRIGGER keep BEFORE UPDATE ON etl_runs FOR EACH ROW WHEN (NEW.finished_at IS NOT NULL)"
        " EXECUTE FUNCTION keep()"
    )
    broken = run("load", "events", "--run-id", "endless")
    assert broken.returncode == 1
    assert "run endless has begun, and the ledger could not be told of its end" in broken.stderr
    assert execute("SELECT count(*) FROM stg_events") == [(250,)]


def test_a_database_without_the_ledger(empty: None, run: Run) -> None:
    refused = run("load", "events")
    assert (refused.returncode, f"run `{etl_as_typed()} staging init`" in refused.stderr) == (2, True)


def test_a_table_without_the_contract(ready: None, run: Run, execute: Execute) -> None:
    execute("DROP TABLE stg_events")
    execute("CREATE TABLE stg_events (source_id text, data jsonb)")
    refused = run("load", "events")
    assert (refused.returncode, f"run `{etl_as_typed()} staging migrate`" in refused.stderr) == (2, True)
    migrated = run("migrate", "--adopt-ledger")
    assert (migrated.returncode, "another system: nothing to adopt" in migrated.stdout) == (0, True)
    assert run("load", "events").returncode == 0


def test_a_read_only_database_and_a_user_without_rights(
    ready: None, database: StagingDatabase, run: Run, staging_settings: PostgreSQLSettings, execute: Execute
) -> None:
    assert run("init").returncode == 0
    execute("DROP ROLE IF EXISTS staging_reader")
    execute("CREATE ROLE staging_reader LOGIN PASSWORD 'a reader''s password'")
    execute("GRANT USAGE ON SCHEMA public TO staging_reader")
    execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO staging_reader")
    reader = url_of(staging_settings, user="staging_reader", password=SecretStr("a reader's password"))
    try:
        refused = run("load", "events", ETL_STAGING_POSTGRES_URL=reader)
        assert (refused.returncode, "lacks INSERT on stg_events" in refused.stderr) == (2, True), refused.stderr
        execute("ALTER ROLE staging_reader SET default_transaction_read_only = on")
        refused = run("load", "events", ETL_STAGING_POSTGRES_URL=reader)
        assert (refused.returncode, "is read-only" in refused.stderr) == (2, True), refused.stderr
        _with_dead_run(execute)
        looked = run("status", "--run", "dead", ETL_STAGING_POSTGRES_URL=reader)
        assert (looked.returncode, looked.stderr) == (0, "")
        assert ("│ dead " in looked.stdout, execute("SELECT status FROM etl_runs")) == (True, [("running",)])
    finally:
        execute("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM staging_reader")
        execute("REVOKE ALL ON SCHEMA public FROM staging_reader")
        execute("DROP ROLE staging_reader")


def _with_dead_run(execute: Execute) -> None:
    """Of more batches than a screen shows."""
    execute("INSERT INTO etl_jobs (id, target_table) VALUES ('events', 'stg_events')")
    execute(
        "INSERT INTO etl_runs (id, etl_job_id, target_table, batch_size, status, started_at, heartbeat_at, batches, "
        "batches_succeeded) VALUES ('dead', 'events', 'stg_events', 100, 'running', now(), "
        "now() - interval '2 minutes', 2345, 2344)"
    )
    execute(
        "INSERT INTO etl_run_batches (etl_run_id, batch_index, status, committed_at, source_position, first_ordinal) "
        "SELECT 'dead', n, 'succeeded', now(), '{}', n FROM generate_series(0, 2343) AS n"
    )
    execute(
        "INSERT INTO etl_run_batches (etl_run_id, batch_index, source_position, first_ordinal)"
        " VALUES ('dead', 2344, '{}', 0)"
    )


def test_a_long_run_is_shown_whole_or_says_what_is_left_out(ready: None, run: Run, execute: Execute) -> None:
    _with_dead_run(execute)
    told = json.loads(run("status", "--run", "dead", "--json").stdout)
    assert [each["batch_index"] for each in told["batches"]] == list(range(2345))
    assert (told["runs"][0]["status"], told["runs"][0]["batches_failed"]) == ("partial", 1)
    shown = run("status", "--run", "dead").stdout
    assert "and 1,345 batches more: --json shows all; --open shows those that are not stored" in shown
    assert "│ 999 " in shown
    left = run("status", "--run", "dead", "--open").stdout
    assert ("│ 2344 " in left, "│ 2343 " in left, "batches more" in left) == (True, False, False)


def test_what_standard_input_gave_is_kept_until_it_is_stored(
    ready: None, environment: dict[str, str], tmp_path: Path, file: Path, execute: Execute
) -> None:
    jobs = tmp_path / "conf" / "staging" / "jobs.yaml"
    jobs.write_text(JOB.replace("ndjson, path: {path}", "stdin").format())
    execute("ALTER TABLE stg_events ADD CONSTRAINT no_k150 CHECK (source_id <> 'k150')")
    command = [sys.executable, "-m", "etl.staging"]
    config = ["--config-dir", str(tmp_path / "conf")]
    spool = {**environment, "ETL_SPOOL_DIR": str(tmp_path / "spool")}
    piped = subprocess.run(
        [*command, "load", "events", "--run-id", "piped", *config],
        cwd=tmp_path, env=spool, input=file.read_bytes(), capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert piped.returncode == 1, piped.stderr
    assert len(list((tmp_path / "spool").iterdir())) == 1
    execute("ALTER TABLE stg_events DROP CONSTRAINT no_k150")
    retried = subprocess.run(
        [*command, "retry", "--run", "piped", *config], cwd=tmp_path, env=spool, stdin=subprocess.DEVNULL,
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert retried.returncode == 0, retried.stderr
    assert execute("SELECT count(*) FROM stg_events") == [(250,)]
    assert list((tmp_path / "spool").iterdir()) == []


def test_no_output_holds_the_password(ready: None, run: Run, staging_settings: PostgreSQLSettings) -> None:
    secret = staging_settings.password.get_secret_value()
    told = [run(*arguments) for arguments in (("load", "events"), ("status",), ("migrate", "--dry-run"))]
    told.append(run("status", ETL_STAGING_POSTGRES_URL=url_of(staging_settings, database="nowhere")))
    assert not any(secret in each.stdout + each.stderr for each in told)


def test_what_a_run_fails_by_is_told_once_and_so_is_its_recovery(
    ready: None, run: Run, execute: Execute, tmp_path: Path, staging_settings: PostgreSQLSettings
) -> None:
    (tmp_path / "conf" / "etl.yaml").write_text(
        'alerts: {channels: {ops: "${OPS_URL}"}, rules: [{channel: ops}], tables: {stg_events: {not_loaded_for: 1h}}}'
    )
    execute("ALTER TABLE stg_events ADD CONSTRAINT no_k150 CHECK (source_id <> 'k150')")
    with http_receiver() as web:
        told = {"OPS_URL": f"json://127.0.0.1:{web.port}/"}
        assert run("load", "events", "--run-id", "partial", **told).returncode == 1
        ((subject, body),) = web.taken
        assert subject == "failed: events → stg_events"
        assert body.startswith("Tool:     staging loader\nRun:      partial\n\nevents → stg_events\nExpected:")
        assert "Found:    23514: 1 of 3 batches; the first: " in body
        assert f"Next:     {etl_as_typed()} staging retry --run partial --config-dir {tmp_path / 'conf'}" in body
        assert run("retry", "--run", "partial", **told).returncode == 1
        assert len(web.taken) == 1
        execute("ALTER TABLE stg_events DROP CONSTRAINT no_k150")
        assert run("retry", "--run", "partial", **told).returncode == 0
        assert [subject for subject, _ in web.taken[1:]] == ["recovered: events → stg_events"]

        wrong = url_of(staging_settings, password=SecretStr("wrong"))
        assert run("load", "events", ETL_STAGING_POSTGRES_URL=wrong, **told).returncode == 2
        assert len(web.taken) == 3
        assert "password authentication failed" in web.taken[-1][1]

        execute("UPDATE etl_runs SET finished_at = finished_at - interval '2 hours'")
        lists = {"ETL_POSTGRES_URL": url_of(staging_settings), **told}
        checked = run("check", module="etl.alerting", **lists)
        assert (checked.returncode, checked.stdout.splitlines()[0]) == (1, "not_loaded: events → stg_events")
        assert web.taken[-1][0] == "not loaded: events → stg_events"
        listed = json.loads(run("list", "--json", module="etl.alerting", **lists).stdout)
    assert [(each["tool"], each["kind"], each["status"]) for each in listed] == [
        ("staging", "not_loaded", "sent"),
        ("staging", "recovered", "sent"),
        ("staging", "failure", "suppressed"),
        ("staging", "failure", "sent"),
    ]


def test_too_many_rejects_are_told_as_such(ready: None, run: Run, file: Path, tmp_path: Path) -> None:
    (tmp_path / "conf" / "etl.yaml").write_text(
        'alerts: {channels: {ops: "${OPS_URL}"}, rules: [{channel: ops, on: rejects, tools: staging}]}'
    )
    file.write_bytes(b"".join(orjson.dumps({"id": f"k{i}", "n": i} if i < 4 else {"n": i}) + b"\n" for i in range(12)))
    with http_receiver() as web:
        assert run("load", "events", OPS_URL=f"json://127.0.0.1:{web.port}/").returncode == 1
    ((subject, body),) = web.taken
    assert subject == "many rows rejected: events → stg_events"
    assert "found 8; the first reject:" in body
