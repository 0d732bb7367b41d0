"""`uploader …` as a user runs it: exit codes, reports, the manifest, signals, and no password anywhere."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from etl.config.settings import PostgreSQLSettings
from etl.postgresql.connection import connect
from etl.project import PROJECT_DIR
from tests.databases import database_of_its_own
from tests.receivers import Receiver, http_receiver

if TYPE_CHECKING:
    from tests.conftest import RunningStack

pytestmark = pytest.mark.stack

Execute = Callable[..., list[Any]]
EXAMPLES = PROJECT_DIR / "conf" / "examples" / "uploader"
VIEWS = (
    "view_id:bigint,viewed_at:timestamptz,article,country,seconds_read:integer,referrer,revenue:numeric(12,4)",
    "view_id",
)
PEOPLE = ("--table", "people", "--headers", "id,name,cpf", "--pk", "id")


@dataclass(frozen=True)
class Uploader:
    """Runs the command in a folder of the test's own; whatever it says must not hold the password."""

    folder: Path
    environment: dict[str, str]
    password: str
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "etl.ingestion", *arguments],
            cwd=self.folder,
            env={**self.environment, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def end(self, process: subprocess.Popen[str], expected: int) -> tuple[str, str]:
        out, err = process.communicate(timeout=120)
        assert self.password not in out + err
        assert quote(self.password, safe="") not in out + err
        assert process.returncode == expected, out + err
        assert "Traceback" not in err
        return out, err

    def __call__(self, *arguments: str, expected: int = 0, **more: str) -> tuple[str, str]:
        return self.end(self.start(*arguments, **more), expected)

    def report(self, *arguments: str, expected: int = 0, **more: str) -> dict[str, Any]:
        out, _ = self(*arguments, "--json", expected=expected, **more)
        return dict(json.loads(out))

    def write(self, name: str, text: str) -> str:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text, newline="")
        return name


@pytest.fixture(scope="module")
def settings(stack: RunningStack) -> Iterator[PostgreSQLSettings]:
    with database_of_its_own(stack.settings.postgresql, "uploader_command") as settings:
        yield settings


@pytest.fixture
def execute(settings: PostgreSQLSettings) -> Execute:
    def run(statement: str, values: Any = None) -> list[Any]:
        with (
            closing(connect(settings)) as connection,
            connection,
            connection.cursor(cursor_factory=psycopg2.extensions.cursor) as cursor,
        ):
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    execute_ = run
    execute_("DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public")
    return execute_


@pytest.fixture
def uploader(settings: PostgreSQLSettings, execute: Execute, tmp_path: Path) -> Iterator[Uploader]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ETL_", "PG"))}
    url = url_of(settings)
    environment = {**kept, "ETL_UPLOADER_DSN": url, "PYTHONPATH": str(PROJECT_DIR)}
    uploader = Uploader(tmp_path, environment, settings.password.get_secret_value())
    yield uploader
    for process in uploader.started:
        if process.poll() is None:
            process.kill()
            process.wait()


def url_of(server: PostgreSQLSettings, **changes: Any) -> str:
    changed = server.model_copy(update=changes)
    password = quote(changed.password.get_secret_value(), safe="")
    return f"postgresql://{changed.user}:{password}@{changed.host}:{changed.port}/{changed.database}"


def counts(report: dict[str, Any]) -> dict[str, int]:
    return {name.removeprefix("rows_"): value for name, value in report.items() if name.startswith("rows_") and value}


# --- loading --------------------------------------------------------------------------------------------------------


def test_the_examples_load_once_however_often_they_are_loaded(uploader: Uploader, execute: Execute) -> None:
    load = ("load", "--files", *map(str, sorted(EXAMPLES.glob("*.csv"))), "--table", "page_views")
    load += ("--headers", VIEWS[0], "--pk", VIEWS[1], "--preserve-types")
    assert counts(uploader.report(*load)) == {"read": 200, "inserted": 200}
    assert execute("SELECT count(*), sum(revenue) > 0, min(viewed_at)::date::text FROM page_views")[0] == (
        200,
        True,
        "2026-11-20",
    )
    assert counts(uploader.report(*load)) == {"read": 200, "unchanged": 200}
    again = uploader.report(*load, "--resume", "true")
    assert {file["status"] for file in again["files"]} == {"skipped"}
    assert execute("SELECT count(*) FROM page_views") == [(200,)]


def test_the_summary_is_for_people(uploader: Uploader) -> None:
    uploader.write("people.csv", "id,name,cpf\n1,Ana,111\n2,Bia,\n")
    out, err = uploader("load", "--files", "people.csv", *PEOPLE)
    assert "people.csv" in out
    assert "2 rows in" in out
    lines = [json.loads(line) for line in err.splitlines()]
    (batch,) = [line for line in lines if line["event"] == "batch committed"]
    assert batch["run_id"].startswith("upload-")
    assert (batch["file"], batch["batch_idx"], batch["rows"], batch["status"]) == ("people.csv", 0, 2, "success")
    assert batch["latency_ms"] >= 0
    assert batch["error"] is None


def test_patterns_flags_with_values_and_several_files_as_in_the_manual(uploader: Uploader, execute: Execute) -> None:
    for number, name in enumerate(("data/a.parquet", "data/more/b.parquet", "data/c.parquet"), start=1):
        (uploader.folder / name).parent.mkdir(parents=True, exist_ok=True)
        table = pa.table({"cpf": [f"{number:03d}"], "id": pa.array([number], pa.int64()), "name": ["x"]})
        pq.write_table(table, uploader.folder / name)
    given = "load --file-type parquet --table my_table --pk id --headers id,name,cpf --chunk-size 50000 --concurrency 4"
    given += " --mode upsert --dry-run false --preserve-types true --max-retries 4"
    report = uploader.report(*given.split(), "--files", "data/**/*.parquet", "data/c.parquet")
    assert counts(report) == {"read": 3, "inserted": 3}
    assert execute("SELECT id, name, cpf FROM my_table ORDER BY id") == [(n, "x", f"00{n}") for n in (1, 2, 3)]
    assert execute("SELECT pg_typeof(id)::text FROM my_table LIMIT 1") == [("bigint",)]


def test_as_text_a_missing_table_has_text_columns_and_the_key(uploader: Uploader, execute: Execute) -> None:
    uploader.write("people.csv", "name,id,cpf\n'',1,\n,2,\n")
    uploader("load", "--files", "people.csv", "--quotechar", "'", *PEOPLE)
    assert execute("SELECT id, name, cpf FROM people ORDER BY id") == [("1", "", None), ("2", None, None)]
    columns = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'people'"
    assert set(execute(columns)) == {("id", "text"), ("name", "text"), ("cpf", "text")}
    key = "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'people'::regclass AND indisprimary"
    assert execute(key)[0][0].endswith("(id)")


def test_a_dry_run_reads_all_and_writes_nothing(uploader: Uploader, execute: Execute) -> None:
    uploader.write("people.csv", "id,name,cpf\n1,Ana,111\n")
    out, _ = uploader("load", "--files", "people.csv", *PEOPLE, "--dry-run")
    assert "nothing was written" in out
    assert execute("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == [(0,)]


def test_a_dry_run_finds_what_a_load_would_fail_on(uploader: Uploader, execute: Execute) -> None:
    uploader.write("bad.csv", "id,name\n1,Ana\nx,Bia\n")
    execute("CREATE TABLE people (id bigint PRIMARY KEY, name text)")
    options = ("--table", "people", "--headers", "id,name", "--pk", "id")
    _, _ = uploader("load", "--files", "bad.csv", *options, "--dry-run", expected=1)
    assert execute("SELECT count(*) FROM people") == [(0,)]
    assert execute("SELECT to_regclass('ingestion_manifest')") == [(None,)]


# --- what goes wrong ------------------------------------------------------------------------------------------------


def test_one_bad_file_does_not_hold_up_the_others(uploader: Uploader, execute: Execute) -> None:
    execute("CREATE TABLE people (id integer PRIMARY KEY, name text)")
    uploader.write("1-good.csv", "id,name\n1,Ana\n2,Bia\n")
    uploader.write("2-bad.csv", "id,name\n3,Caio\n4.5,Davi\n")
    uploader.write("3-good.csv", "id,name\n5,Eva\n")
    options = ("--table", "people", "--headers", "id,name", "--pk", "id")
    report = uploader.report("load", "--files", "*.csv", *options, expected=1)
    assert [file["status"] for file in report["files"]] == ["success", "failed", "success"]
    notes = report["files"][1]["notes"]
    assert all(part in notes for part in ("2-bad.csv", "line 3", "4.5", "id")), notes
    assert execute("SELECT id FROM people ORDER BY id") == [(1,), (2,), (5,)]

    files = json.loads(uploader("status", "--json")[0])["files"]
    assert {Path(file["filename"]).name: file["status"] for file in files} == {
        "1-good.csv": "success",
        "2-bad.csv": "failed",
        "3-good.csv": "success",
    }
    failed = json.loads(uploader("status", "--status", "failed", "--table", "people", "--json")[0])["files"]
    assert [Path(file["filename"]).name for file in failed] == ["2-bad.csv"]
    assert "4.5" in uploader("status")[0]

    uploader.write("2-bad.csv", "id,name\n3,Caio\n4,Davi\n")
    _, err = uploader("retry-failed", "--table", "other.people")
    assert "nothing to retry" in err
    retried = uploader.report("retry-failed", "--table", "people")
    assert [Path(file["path"]).name for file in retried["files"]] == ["2-bad.csv"]
    assert execute("SELECT id FROM people ORDER BY id") == [(1,), (2,), (3,), (4,), (5,)]
    _, err = uploader("retry-failed", "--table", "people")
    assert "nothing to retry" in err


def test_a_failed_file_that_is_gone_does_not_hold_up_the_others(uploader: Uploader, execute: Execute) -> None:
    execute("CREATE TABLE people (id integer PRIMARY KEY, name text)")
    options = ("--table", "people", "--headers", "id,name", "--pk", "id")
    for name in ("a.csv", "b[1].csv"):
        uploader.write(name, "id,name\nx,Ana\n")
    uploader.write("c.csv", "id|name\nx|Ana\n")
    uploader("load", "--files", "a.csv", "b[1].csv", *options, expected=1)
    uploader("load", "--files", "c.csv", *options, "--delimiter", "|", expected=1)
    (uploader.folder / "a.csv").unlink()
    uploader.write("b[1].csv", "id,name\n1,Ana\n")
    uploader.write("c.csv", "id|name\n2|Bia\n")
    out, err = uploader("retry-failed", "--table", "people", "--json", expected=1)
    assert f"not retried: {uploader.folder / 'a.csv'} is not there any more" in err
    assert [report["status"] for report in json.loads(out)] == ["success", "success"]
    assert execute("SELECT id FROM people ORDER BY id") == [(1,), (2,)]


def test_a_load_that_is_refused_does_not_hold_up_what_else_is_retried(uploader: Uploader, execute: Execute) -> None:
    execute("CREATE TABLE people (id integer PRIMARY KEY, name text, cpf text)")
    uploader.write("a.csv", "id,name,cpf\nx,Ana,1\n")
    uploader.write("b.csv", "id,name\nx,Ana\n")
    uploader("load", "--files", "a.csv", *PEOPLE, expected=1)
    uploader("load", "--files", "b.csv", "--table", "people", "--headers", "id,name", "--pk", "id", expected=1)
    execute("ALTER TABLE people DROP COLUMN cpf")
    uploader.write("b.csv", "id,name\n2,Bia\n")
    out, err = uploader("retry-failed", "--table", "people", "--json", expected=1)
    assert "not retried: " in err
    assert "cpf" in err
    assert json.loads(out)["status"] == "success"
    assert execute("SELECT id FROM people") == [(2,)]
    assert "cpf" in uploader("retry-failed", "--table", "people", expected=2)[1]


def test_bad_rows_are_set_aside_with_line_value_and_reason(uploader: Uploader, execute: Execute) -> None:
    execute("CREATE TABLE people (id integer PRIMARY KEY, name text)")
    uploader.write("people.csv", "id,name\n1,Ana\nx,Bia\n3,Caio,more\n4,Davi\n")
    options = ("--table", "people", "--headers", "id,name", "--pk", "id", "--rejects", "reject")
    assert counts(uploader.report("load", "--files", "people.csv", *options)) == {
        "read": 4,
        "inserted": 2,
        "rejected": 2,
    }
    rejects = json.loads(uploader("status", "--file", "people.csv", "--json")[0])["rejects"]
    assert sorted(reject["line"] for reject in rejects) == [3, 4]
    assert any(reject["value"] == "x" and reject["column"] == "id" for reject in rejects), rejects
    assert "x" in uploader("status", "--file", "people.csv")[0]


def test_all_faults_of_the_command_line_are_told_before_a_connection(uploader: Uploader) -> None:
    _, err = uploader(
        *("load", "--files", "nope/*.csv", "--table", "a;b", "--headers", "id,na me,d:intt", "--pk", "other"),
        *("--chunk-size", "many", "--delimiter", "ab", "--mode", "replace"),
        expected=2,
        ETL_UPLOADER_DSN="postgresql://u:hush@127.0.0.1:1/nowhere",
    )
    for told in ("8 faults", "nope/*.csv", "'a;b'", "'na me'", "intt", "'other'", "'many'", "'ab'", "'replace'"):
        assert told in err, err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("load", "--nope"), "--nope"),
        (("lod",), "lod"),
        (("load", "--dry-run", "maybe"), "maybe"),
        (("load", "--dsn"), "--dsn"),
        (("status", "--status", "lost"), "expected pending or success or failed"),
        (("retry-failed",), "--table is missing"),
        (("init", "--role", "a;b"), "'a;b'"),
    ],
)
def test_other_bad_use_ends_with_2_too(arguments: tuple[str, ...], told: str, uploader: Uploader) -> None:
    _, err = uploader(*arguments, expected=2)
    assert told in err


def test_no_database_is_said_in_one_line_without_the_password(uploader: Uploader, settings: PostgreSQLSettings) -> None:
    uploader.write("people.csv", "id,name,cpf\n1,Ana,111\n")
    load = ("load", "--files", "people.csv", *PEOPLE)
    for url in (
        url_of(settings, port=1),
        url_of(settings, database="nowhere"),
        url_of(settings, user="nobody"),
    ):
        _, err = uploader(*load, expected=2, ETL_UPLOADER_DSN=url)
        assert err.startswith("uploader: no connection to postgresql://"), err
    wrong = Uploader(uploader.folder, uploader.environment, "a wrong pass/word")
    wrong(*load, expected=2, ETL_UPLOADER_DSN=url_of(settings, password=SecretStr(wrong.password)))


def test_the_address_comes_from_a_file_from_libpq_or_with_a_warning_from_a_flag(
    uploader: Uploader, settings: PostgreSQLSettings, execute: Execute
) -> None:
    load = ("load", "--files", uploader.write("people.csv", "id,name,cpf\n1,Ana,111\n"), *PEOPLE)
    uploader.write("dsn", url_of(settings) + "\n")
    uploader(*load, "--dsn-file", "dsn", ETL_UPLOADER_DSN="")
    libpq = {"PGHOST": settings.host, "PGPORT": str(settings.port), "PGUSER": settings.user}
    libpq |= {"PGDATABASE": settings.database, "PGPASSWORD": settings.password.get_secret_value()}
    _, err = uploader(*load, **libpq, ETL_UPLOADER_DSN="")
    assert "password on the command line" not in err
    _, err = uploader(*load, "--dsn", url_of(settings), ETL_UPLOADER_DSN="")
    assert "password on the command line" in err
    assert execute("SELECT count(*) FROM people") == [(1,)]


def test_a_schema_that_does_not_fit_names_every_mismatch(uploader: Uploader, execute: Execute) -> None:
    execute("CREATE TABLE people (id bigint, code integer NOT NULL)")
    pq.write_table(pa.table({"id": [1.5], "name": ["x"]}), uploader.folder / "people.parquet")
    options = ("--table", "people", "--headers", "id,name", "--pk", "id", "--preserve-types")
    _, err = uploader("load", "--files", "people.parquet", *options, expected=2)
    for told in ("name", "code", "key (id)"):
        assert told in err, err


def test_the_manifest_holds_no_password(uploader: Uploader, execute: Execute) -> None:
    uploader.write("bad.csv", "id,name\n1,x,more\n")
    uploader("load", "--files", "bad.csv", "--table", "people", "--headers", "id,name", "--pk", "id", expected=1)
    ((stored,),) = execute("SELECT row_to_json(m)::text FROM ingestion_manifest AS m")
    assert uploader.password not in stored
    assert json.loads(stored)["options"]["headers"] == [{"name": "id", "type": None}, {"name": "name", "type": None}]
    assert "dsn" not in json.loads(stored)["options"]


def test_the_embedded_servers_address_is_in_a_file_for_its_owner_alone(stack: RunningStack) -> None:
    file = stack.data_dir / "postgresql.dsn"
    assert file.read_text() == stack.postgres_url + "\n"
    assert file.stat().st_mode & 0o777 == 0o600


# --- rights, signals, metrics ---------------------------------------------------------------------------------------


def test_a_role_with_just_the_printed_grants_can_load(
    uploader: Uploader, settings: PostgreSQLSettings, execute: Execute
) -> None:
    role, password = "uploader_least", "the least of roles"
    execute(f"DROP ROLE IF EXISTS {role}")
    execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
    try:
        execute(f"REVOKE ALL ON DATABASE {settings.database} FROM public; REVOKE ALL ON SCHEMA public FROM public")
        execute("CREATE TABLE people (id text PRIMARY KEY, name text, cpf text)")
        uploader.write("people.csv", "id,name,cpf\n1,Ana,111\n")
        load = ("load", "--files", "people.csv", *PEOPLE)
        as_role = {"ETL_UPLOADER_DSN": url_of(settings, user=role, password=SecretStr(password))}
        uploader(*load, expected=2, **as_role)

        grants, _ = uploader("init", "--role", role, "--table", "people")
        execute(grants)
        uploader(*load, **as_role)
        uploader.write("people.csv", "id,name,cpf\n1,Ana Maria,111\n2,Bia,\n")
        report = uploader.report(*load, "--dedup-order-by", "name desc", **as_role)
        assert counts(report) == {"read": 2, "inserted": 1, "updated": 1}
        assert len(json.loads(uploader("status", "--json", **as_role)[0])["files"]) == 1
        assert grants == uploader("init", "--role", role, "--table", "people")[0]
    finally:
        execute(f"GRANT {role} TO CURRENT_USER; DROP OWNED BY {role}; DROP ROLE {role}")
        execute(f"GRANT ALL ON DATABASE {settings.database} TO public")


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_cleanly_and_resume_takes_up_the_rest(
    number: signal.Signals, exit_code: int, uploader: Uploader, execute: Execute, settings: PostgreSQLSettings
) -> None:
    rows = 3_000
    uploader.write("people.csv", "id,name,cpf\n" + "".join(f"{i},name {i},{i}\n" for i in range(rows)))
    execute("CREATE TABLE people (id bigint, name text, cpf text)")
    # one batch meets a row that another session holds: the run waits there until the signal comes
    execute("CREATE UNIQUE INDEX ON people (id)")
    load = ("load", "--files", "people.csv", *PEOPLE, "--mode", "append", "--chunk-size", "100", "--concurrency", "1")
    with closing(connect(settings)) as holder, holder.cursor() as cursor:
        cursor.execute("INSERT INTO people (id) VALUES (1550)")
        process = uploader.start(*load, "--lock-timeout", "0")
        try:
            wait_for(lambda: execute("SELECT count(*) FROM people") == [(1500,)])
        finally:
            process.send_signal(number)
        _, err = uploader.end(process, exit_code)
        assert "--resume" in err
        holder.rollback()
    assert execute("SELECT status FROM ingestion_manifest") == [("pending",)]
    assert execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ownlens-uploader'") == [(0,)]

    _, err = uploader(*load, expected=1)
    assert execute("SELECT count(*) FROM people") == [(1500,)]
    report = uploader.report(*load, "--resume")
    assert report["files"][0]["status"] == "success"
    assert execute("SELECT count(*), count(DISTINCT id), max(id) FROM people") == [(rows, rows, rows - 1)]


def test_metrics_in_a_textfile_say_what_the_report_says(uploader: Uploader, execute: Execute) -> None:
    execute("CREATE TABLE people (id integer PRIMARY KEY, name text)")
    uploader.write("good.csv", "id,name\n" + "".join(f"{i},n\n" for i in range(250)))
    uploader.write("bad.csv", "id,name\nx,n\n")
    options = ("--table", "people", "--headers", "id,name", "--pk", "id", "--chunk-size", "100")
    uploader("load", "--files", "*.csv", *options, "--metrics-textfile", "uploader.prom", expected=1)
    families = text_string_to_metric_families((uploader.folder / "uploader.prom").read_text())
    values = {(s.name, tuple(sorted(s.labels.values()))): s.value for family in families for s in family.samples}
    assert values["ingest_files_processed_total", ("csv", "success")] == 1
    assert values["ingest_files_processed_total", ("csv", "failed")] == 1
    assert values["ingest_rows_read_total", ("csv",)] == 250
    assert values["ingest_rows_staged_total", ("csv",)] == 250
    assert values["ingest_rows_upserted_total", ("people",)] == 250
    assert values["ingest_batch_latency_seconds_count", ()] == 3
    assert sum(value for (name, _), value in values.items() if name == "ingest_batches_processed_total") == 3
    assert values["ingest_memory_peak_bytes", ()] > 10_000_000
    assert values["ingest_retries_total", ()] == 0
    assert values["ingest_run_success", ("people",)] == 0


def test_metrics_are_served_while_it_runs(uploader: Uploader, execute: Execute, settings: PostgreSQLSettings) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    execute("CREATE TABLE people (id text PRIMARY KEY, name text, cpf text)")
    uploader.write("people.csv", "id,name,cpf\n1,Ana,111\n")
    with closing(connect(settings)) as holder, holder.cursor() as cursor:
        cursor.execute("INSERT INTO people VALUES ('1')")
        load = ("load", "--files", "people.csv", *PEOPLE, "--metrics-port", str(port))
        process = uploader.start(*load, "--lock-timeout", "0")
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'"
        try:
            wait_for(lambda: execute(waiting, ("ownlens-uploader",)) == [(1,)])
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                told = answer.read().decode()
        finally:
            holder.rollback()
        uploader.end(process, 0)
    assert 'ingest_rows_read_total{file_type="csv"} 0.0' in told
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("0.0.0.0", port))
        taken.listen()
        _, err = uploader(*load, expected=2)
    assert f"--metrics-port {port}" in err


def wait_for(condition: Callable[[], bool], patience_seconds: float = 60) -> None:
    end = time.monotonic() + patience_seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


# --- alerts ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def alerting(uploader: Uploader) -> Iterator[Receiver]:
    alerts = 'alerts: {channels: {ops: "${OPS_URL}"}, rules: [{channel: ops}], limits: {not_loaded_for: 1h}}'
    uploader.write("conf/etl.yaml", f's3: {{bucket: "${{NOT_SET}}"}}\n{alerts}\n')
    with http_receiver() as web:
        uploader.environment["OPS_URL"] = f"json://127.0.0.1:{web.port}/"
        yield web


def test_a_file_that_fails_is_told_once_and_so_is_its_recovery(
    uploader: Uploader, execute: Execute, alerting: Receiver
) -> None:
    load = ("load", "--files", "people.csv", *PEOPLE, "--config-dir", "conf")
    uploader.write("people.csv", "id,name,cpf\n1,Ana\n")
    uploader(*load, "--dry-run", expected=1)
    assert alerting.taken == []  # a dry run tells nobody
    report = uploader.report(*load, expected=1)
    ((subject, body),) = alerting.taken
    assert subject == "failed: public.people"
    assert body.startswith(f"Tool:     uploader\nRun:      {report['run_id']}\n\npublic.people\nExpected:")
    assert "people.csv" in body
    assert body.endswith("Next:     uploader retry-failed --table public.people")
    uploader(*load, expected=1)
    assert len(alerting.taken) == 1
    uploader.write("people.csv", "id,name,cpf\n1,Ana,111\n")
    uploader(*load)
    assert [subject for subject, _ in alerting.taken[1:]] == ["recovered: public.people"]
    assert execute("SELECT kind, status FROM ingestion_alerts ORDER BY alert_id") == [
        ("failure", "sent"), ("failure", "suppressed"), ("recovered", "sent"),
    ]  # fmt: skip


def test_many_rejected_rows_and_a_table_not_loaded_are_told(
    uploader: Uploader, execute: Execute, alerting: Receiver
) -> None:
    lines = "".join(f"{i},x,{i}\n" if i % 5 else f"{i},x\n" for i in range(50))
    uploader.write("people.csv", "id,name,cpf\n" + lines)
    uploader.write("others.csv", "id,name,cpf\n1,x,1\n")
    others = ("load", "--files", "others.csv", "--table", "others", *PEOPLE[2:])
    uploader(*others)
    execute("UPDATE ingestion_manifest SET processed_at = processed_at - interval '2 hours'")
    uploader("load", "--files", "people.csv", *PEOPLE, "--rejects", "reject", "--config-dir", "conf")
    told = dict(alerting.taken)
    assert sorted(told) == ["many rows rejected: public.people", "not loaded: public.others"]
    assert "at most 5% of the 50 rows read to be rejected (alerts: rejects_above)\nFound:    10;" in "".join(
        told.values()
    )


def test_a_server_that_is_away_and_an_outbox_that_may_not_be_made_are_told_at_once(
    uploader: Uploader, execute: Execute, settings: PostgreSQLSettings, alerting: Receiver
) -> None:
    uploader.write("people.csv", "id,name,cpf\n1,Ana\n")
    load = ("load", "--files", "people.csv", *PEOPLE, "--config-dir", "conf")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        uploader(*load, expected=2, ETL_UPLOADER_DSN=url_of(settings, port=closed.getsockname()[1]))
    assert [subject for subject, _ in alerting.taken] == ["failed: people"]
    uploader("load", "--nonsense", "--config-dir", "conf", expected=2)
    assert len(alerting.taken) == 1  # whoever types is told already

    uploader("init")
    execute("DROP TABLE ingestion_alerts; CREATE VIEW ingestion_alerts AS SELECT 1")
    _, err = uploader(*load, expected=1)
    assert "alerts not" in err
    assert [subject for subject, _ in alerting.taken[1:]] == ["failed: public.people"]


def test_a_fault_of_the_alerts_is_a_fault_of_the_command_line(uploader: Uploader) -> None:
    uploader.write("people.csv", "id,name,cpf\n1,Ana,2\n")
    uploader.write("conf/etl.yaml", "alerts: {rules: [{channel: opps}]}")
    _, err = uploader("load", "--files", "people.csv", *PEOPLE, "--config-dir", "conf", expected=2)
    assert "alerts.rules: unknown channel 'opps'" in err
