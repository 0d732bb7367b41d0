"""Whole runs through the job's own door: what one table, store or broken-off run does to the others."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from etl.errors import ConnectionLostError
from etl.extract.postgresql.snapshot import SourceSnapshot
from etl.ledger import LoadPlan, LoadRecord, NewRun
from etl.load.postgresql.loader import PostgreSQLLoader
from etl.load.s3.loader import S3Loader
from etl.model import Destination, RunStatus, WriteMode
from etl.pipeline import run as run_module
from tests.gateway import gateway
from tests.integration.pipeline.conftest import Shop, load_of, status_of
from tests.patience import until

pytestmark = pytest.mark.stack

ONE = "CREATE TABLE one (id int PRIMARY KEY, name text); INSERT INTO one VALUES (1, 'a'), (2, 'b')"


def test_a_missing_table_fails_alone(shop: Shop) -> None:
    shop.source(ONE)
    shop.tables("tables: {one: {}, two: {}}")
    exit_code, report = shop.run()
    assert (exit_code, report["status"]) == (1, "partial")
    assert status_of(report) == {
        ("one", "postgresql"): "success",
        ("one", "s3"): "success",
        ("two", "postgresql"): "failed",
        ("two", "s3"): "failed",
    }
    assert f"{shop.name}.two: did you mean '{shop.name}.one'?" in load_of(report, "two", "s3")["error"]


def test_a_run_hands_its_metrics_over_at_its_end(shop: Shop) -> None:
    shop.source(ONE)
    shop.tables("tables: {one: {}, two: {}}")
    file = shop.folder / "etl.prom"
    with gateway() as (address, received):
        exit_code, _ = shop.run("--pushgateway", address, "--metrics-file", str(file), destinations="postgresql")
    assert exit_code == 1
    ((_, path, pushed),) = received
    assert path == "/metrics/job/etl"
    for told in (pushed, file.read_text()):
        assert 'etl_load_rows{destination="postgresql",outcome="inserted",table="one"} 2.0' in told
        assert 'etl_load_failures{cause="SourceError",destination="postgresql",table="two"} 1.0' in told
        assert 'etl_last_success_timestamp_seconds{destination="postgresql",table="one"}' in told
        assert "etl_run_success 0.0" in told
    assert shop.run("--pushgateway", address, destinations="postgresql")[1]["status"] == "partial", "nobody listens"


def test_a_rehearsal_says_which_table_would_fail_and_goes_on(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.source(ONE)
    shop.tables("tables: {nowhere: {}, one: {}}")
    assert shop.run("--dry-run")[0] == 1
    said = capsys.readouterr().out
    assert "nowhere: would fail: the source lacks tables" in said
    assert "one -> public.one: upsert, 2 rows" in said


CHILD = ("child", Destination.POSTGRESQL)


def test_a_child_waits_for_no_store_but_the_one_with_foreign_keys(shop: Shop) -> None:
    shop.source(
        "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent);"
        "INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 1)"
    )
    shop.tables("tables: {parent: {}, child: {}}")
    shop.ledger.migrate()
    (shop.folder / "etl.yaml").write_text("run: {lock_timeout_seconds: 120, retries: 0}\n")
    other = shop.ledger.start_run(NewRun((Destination.S3,), ("parent",)))

    def child() -> LoadRecord | None:
        loads = (load for run in shop.ledger.runs() for load in shop.ledger.loads(run.run_id))
        return next((load for load in loads if (load.table_name, load.destination) == CHILD and load.finished_at), None)

    def hold_the_parent() -> None:
        with shop.ledger.lease(other.run_id, "parent", Destination.S3):
            held.set()
            while not child() and not ended.wait(0.1):
                pass

    held, ended = threading.Event(), threading.Event()
    holding = threading.Thread(target=hold_the_parent)
    holding.start()
    held.wait()
    _, report = shop.run()
    ended.set()
    holding.join()
    assert set(status_of(report).values()) == {"success"}
    loads = {(load.table_name, load.destination): load for load in shop.ledger.loads(report["run_id"])}
    done, parent = loads[CHILD].finished_at, loads["parent", Destination.S3].finished_at
    assert done is not None and parent is not None and done < parent


def test_an_unchanged_table_waits_for_the_run_that_is_loading_it(shop: Shop) -> None:
    shop.source(ONE)
    shop.tables("tables: {one: {}}")
    assert shop.run(destinations="s3")[0] == 0
    other = shop.ledger.start_run(NewRun((Destination.S3,), ("one",)))
    has_begun = threading.Event()

    def load() -> None:
        with shop.ledger.lease(other.run_id, "one", Destination.S3):
            shop.ledger.begin_load(other.run_id, LoadPlan("one", Destination.S3, "s3a://x", WriteMode.OVERWRITE))
            has_begun.set()
            time.sleep(1)
            shop.ledger.fail_load(other.run_id, "one", Destination.S3, ConnectionLostError("gone"))

    loading = threading.Thread(target=load)
    loading.start()
    has_begun.wait()
    exit_code, report = shop.run(destinations="s3")
    loading.join()
    assert (exit_code, status_of(report)) == (0, {("one", "s3"): "unchanged"})


def test_the_sources_own_key_is_the_tables_where_none_is_stated(shop: Shop) -> None:
    shop.source("CREATE TABLE keyed (a int, b int, v text, PRIMARY KEY (b, a)); INSERT INTO keyed VALUES (1, 2, 'x')")
    shop.source("CREATE TABLE keyless (v text)")
    defaults = f"{{kind: reference, source: {{schema_name: {shop.name}}}, s3: {{format: delta, mode: merge}}}}"
    tables = "{keyed: {transform: {rename: {b: c}}}, keyless: {}}"
    (shop.folder / "tables" / "shop.yaml").write_text(f"domain: d\ndefaults: {defaults}\ntables: {tables}\n")
    exit_code, report = shop.run()
    assert exit_code == 1
    assert {table for (table, _), status in status_of(report).items() if status == "success"} == {"keyed"}
    assert "needs a key, and the source's table has no primary key" in load_of(report, "keyless", "postgresql")["error"]
    shop.source("UPDATE keyed SET v = 'y'")
    assert load_of(shop.run("--tables", "keyed")[1], "keyed", "s3")["rows_updated"] == 1
    assert shop.target("SELECT c, a, v FROM keyed") == [(2, 1, "y")]


def test_a_database_that_is_not_there_is_said_once_before_the_run(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.source(ONE)
    shop.tables("tables: {one: {}}")
    shop.environ["ETL_CLICKHOUSE_URL"] = shop.environ["ETL_CLICKHOUSE_URL"].rsplit("/", 1)[0] + "/nowhere"
    shop.environ["ETL_S3_BUCKET"] = "no-such-bucket"
    assert shop.run(destinations="s3,postgresql,clickhouse") == (2, {})
    said = capsys.readouterr().err
    assert said.count("nowhere does not exist") == 1
    assert "no-such-bucket, it answered NoSuchBucket" in said
    assert shop.ledger.runs() == []


def test_questions_to_source_and_stores_are_asked_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.source(ONE)
    shop.tables("tables: {one: {}}")
    assert shop.run()[0] == 0
    shop.source("INSERT INTO one VALUES (3, 'c')")
    asked = [
        _fails_once(monkeypatch, SourceSnapshot, "measure"),
        _fails_once(monkeypatch, S3Loader, "target_exists"),
        _fails_once(monkeypatch, PostgreSQLLoader, "remove_orphans"),
    ]
    exit_code, report = shop.run()
    assert exit_code == 0, report
    assert [len(calls) > 1 for calls in asked] == [True, True, True]
    assert load_of(report, "one", "postgresql")["rows_inserted"] == 1


def _fails_once(monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> list[str]:
    """The connection is lost at the first call; all others are the real thing."""
    calls: list[str] = []
    real: Callable[..., Any] = getattr(owner, name)

    def fail_first(*arguments: Any, **named: Any) -> Any:
        calls.append(name)
        if len(calls) == 1:
            raise ConnectionLostError(f"{name}: the server closed the connection")
        return real(*arguments, **named)

    monkeypatch.setattr(owner, name, fail_first)
    return calls


def _forget(shop: Shop, run_id: str) -> None:
    """As if the process had been killed between the store's commit and the ledger's."""
    shop.target(
        "UPDATE etl.runs SET status = 'failed', failure = 'interrupted' WHERE run_id = %(run)s;"
        "UPDATE etl.loads SET status = 'failed', error_class = 'Interrupted' WHERE run_id = %(run)s;"
        "DELETE FROM etl.watermarks",
        {"run": run_id},
    )


def test_what_a_run_two_runs_back_has_published_is_found(shop: Shop) -> None:
    """The first run died after publishing, the one that resumed it before it got to the table."""
    shop.source(ONE)
    shop.tables("tables: {one: {}}")
    first = shop.run(destinations="s3")[1]["run_id"]
    _forget(shop, first)
    second = shop.ledger.start_run(NewRun((Destination.S3,), ("one",), resumed_from=first))
    shop.ledger.plan_loads(second.run_id, [("one", Destination.S3)])
    _interrupt(shop, second.run_id)
    exit_code, report = shop.run("--resume", second.run_id)
    # had it been loaded again, equal content would be `unchanged`
    assert (exit_code, load_of(report, "one", "s3")["status"]) == (0, "success")
    assert load_of(report, "one", "s3")["rows_inserted"] == 2
    assert [mark.run_id for mark in shop.ledger.watermarks().values()] == [report["run_id"]]
    assert shop.run("--resume", second.run_id)[0] == 0


def _interrupt(shop: Shop, run_id: str) -> None:
    shop.target(
        "UPDATE etl.runs SET status = 'failed', failure = 'interrupted', finished_at = now() WHERE run_id = %s",
        [run_id],
    )


def test_a_resumed_load_is_looked_for_under_its_lease(shop: Shop) -> None:
    shop.source(ONE)
    shop.tables("tables: {one: {}}")
    first = shop.run(destinations="s3")[1]["run_id"]
    _forget(shop, first)
    other = shop.ledger.start_run(NewRun((Destination.S3,), ("one",)))
    with shop.ledger.lease(other.run_id, "one", Destination.S3):
        exit_code, report = shop.run("--resume", first)
    assert exit_code == 1
    assert f"one into s3: waited 3 s for run {other.run_id}" in load_of(report, "one", "s3")["error"]


def test_a_run_waits_for_another_as_long_as_it_was_asked_to(shop: Shop, capfd: pytest.CaptureFixture[str]) -> None:
    shop.source(ONE)
    shop.tables("tables: {one: {}}")
    shop.ledger.migrate()
    other = shop.ledger.start_run(NewRun((Destination.S3,), ("one",)))
    with shop.ledger.lease(other.run_id, "one", Destination.S3):
        ((since,),) = shop.target(
            "SELECT to_char(acquired_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM etl.leases"
        )
        exit_code, report = shop.run("--lock-wait", "0")
        left = (
            f"one into s3: waited 0 s for run {other.run_id}, which has been loading it since {since} UTC; wait longer"
        )
        assert (exit_code, load_of(report, "one", "s3")["error"].startswith(left)) == (1, True), report
        assert status_of(report)["one", "postgresql"] == "success"

        def finish() -> None:
            until(lambda: "waiting for lease" in capfd.readouterr().err)
            shop.ledger.finish_run(other.run_id, RunStatus.SUCCESS)

        finishing = threading.Thread(target=finish)
        finishing.start()
        exit_code, report = shop.run("--lock-wait", "10m")
        finishing.join()
    assert (exit_code, status_of(report)["one", "s3"]) == (0, "success")


def test_a_run_after_a_dead_one_has_a_name_and_an_end_of_its_own(shop: Shop, capfd: pytest.CaptureFixture[str]) -> None:
    shop.source(ONE)
    shop.tables("tables: {one: {}}")
    shop.ledger.migrate()
    dead = shop.ledger.start_run(NewRun((Destination.POSTGRESQL,), ("one",)))
    shop.target("UPDATE etl.runs SET heartbeat_at = heartbeat_at - interval '1 day' WHERE run_id = %s", (dead.run_id,))
    exit_code, report = shop.run(destinations="postgresql")
    assert exit_code == 0
    assert [line["run_id"] for line in _warnings(capfd, "dead run found")] == [dead.run_id]
    left = {run.run_id: run.status for run in shop.ledger.runs()}
    assert left == {report["run_id"]: RunStatus.SUCCESS, dead.run_id: RunStatus.FAILED}


def test_a_ledger_elsewhere_is_refused_before_anything_begins(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.source(ONE)
    shop.tables("tables: {one: {}}")
    shop.environ["ETL_LEDGER_POSTGRES_URL"] = shop.environ["ETL_SOURCE_POSTGRES_URL"]
    assert shop.run(destinations="postgresql") == (2, {})
    assert "expected the ledger in the database that PostgreSQL's loads go into" in capsys.readouterr().err
    assert shop.target("SELECT nspname FROM pg_namespace WHERE nspname = 'etl'") == []


@pytest.mark.parametrize(
    ("breaks", "exit_code"), [(KeyboardInterrupt(), 130), (ConnectionLostError("the ledger is away"), 1)]
)
def test_a_run_that_broke_off_is_partial_and_reported(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, breaks: BaseException, exit_code: int
) -> None:
    shop.source(ONE)
    shop.tables("tables: {one: {}}")

    def broken(_: object) -> None:
        raise breaks

    monkeypatch.setattr(run_module, "_replay_orphans", broken)
    found, report = shop.run()
    assert (found, report["status"]) == (exit_code, "partial")
    assert set(status_of(report).values()) == {"success"}


def test_a_report_that_cannot_be_written_after_the_work_is_a_failure_and_no_bad_use(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shop.source(ONE)
    shop.tables("tables: {one: {}}")
    folder = tmp_path / "reports"
    folder.mkdir()
    monkeypatch.setattr(run_module, "_replay_orphans", lambda _: shutil.rmtree(folder))
    assert shop.run("--report", str(folder / "report.json"))[0] == 1


def test_a_report_folder_that_does_not_exist_is_refused_before_anything_begins(shop: Shop, tmp_path: Path) -> None:
    assert shop.run("--report", str(tmp_path / "nowhere" / "report.json"))[0] == 2
    assert shop.target("SELECT nspname FROM pg_namespace WHERE nspname = 'etl'") == []


def test_a_changed_configuration_of_an_incremental_table_is_said_once(
    shop: Shop, capfd: pytest.CaptureFixture[str]
) -> None:
    shop.source(
        "CREATE TABLE one (id int PRIMARY KEY, name text, updated_at timestamptz NOT NULL DEFAULT now());"
        "INSERT INTO one VALUES (1, 'a')"
    )
    incremental = (
        "extract: {mode: incremental, watermark: updated_at}, s3: {format: delta, mode: merge},"
        " clickhouse: {enabled: false}"
    )
    shop.tables(f"tables: {{one: {{{incremental}}}}}")
    assert shop.run()[0] == 0
    assert shop.run()[0] == 0
    assert _warnings(capfd) == []
    shop.tables(f"tables: {{one: {{{incremental}, transform: {{derive: {{loud: upper(name)}}}}}}}}")
    assert shop.run()[0] == 0
    [warning] = _warnings(capfd)
    command = "./spark-submit.sh jobs/run_etl.py --full-refresh --tables one --load-destinations s3,postgresql"
    assert warning["next_step"] == f"{command} --config-dir {shop.folder}"
    assert shop.run("--full-refresh")[0] == 0
    assert _warnings(capfd) == []


def _warnings(capfd: pytest.CaptureFixture[str], event: str = "configuration changed") -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]
