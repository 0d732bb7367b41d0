"""Jobs of SQL and Python: real child processes of a real worker, on real servers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from psycopg2.extras import Json

from etl.clickhouse.door import ClickHouseDoor
from etl.orchestrator.database.database import OrchestratorDatabase
from tests.databases import Execute
from tests.integration.orchestrator.queue.queued import add_job, events, run_row
from tests.integration.orchestrator.work.working import asked, becomes, output, working
from tests.patience import eventually

if TYPE_CHECKING:
    from tests.conftest import RunningStack

CALLABLES = "tests.integration.orchestrator.work.callables"


@pytest.fixture(autouse=True)
def servers(
    database: OrchestratorDatabase, execute: Execute, stack: RunningStack, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The children read the environment, as any job does; the warehouse is where the orchestrator's tables are."""
    settings = database.settings
    secret = settings.password.get_secret_value()
    url = f"postgresql://{settings.user}:{secret}@{settings.host}:{settings.port}/{settings.database}"
    monkeypatch.setenv("ETL_POSTGRES_URL", url)
    monkeypatch.setenv("ETL_CLICKHOUSE_URL", stack.clickhouse_url)
    execute("CREATE TABLE public.written (id integer PRIMARY KEY, said text)")
    yield
    execute("DROP TABLE public.written")


def add_sql(
    execute: Execute, folder: Path, text: str, store: str = "postgresql", slug: str = "a", **columns: Any
) -> None:
    script = folder / f"{slug}.sql"
    script.write_text(text)
    command = Json({"sql": str(script), "store": store})
    add_job(execute, slug, **{"kind": "sql", "command": command, "retries": 0, "grace_seconds": 5, **columns})


def add_python(execute: Execute, name: str, slug: str = "a", **columns: Any) -> None:
    command = Json({"callable": f"{CALLABLES}:{name}"})
    add_job(execute, slug, **{"kind": "python", "command": command, "retries": 0, **columns})


def run(
    database: OrchestratorDatabase, execute: Execute, ends: str, slugs: Sequence[str] = "a"
) -> list[Mapping[str, Any]]:
    """Their rows, when all have ended so."""
    run_ids = [asked(database, slug) for slug in slugs]
    with working(database, secrets=("hunter2secret",)):
        for run_id in run_ids:
            assert becomes(execute, run_id, ends), output(execute, run_id, "stderr")
    return [run_row(execute, run_id) for run_id in run_ids]


def test_a_script_is_one_transaction_with_bound_parameters_and_counts(
    database: OrchestratorDatabase, execute: Execute, tmp_path: Path
) -> None:
    script = """
    -- ; is no end here
    INSERT INTO written SELECT n, %(said)s FROM generate_series(1, 10) AS n;
    DELETE FROM written WHERE id %% 2 = 0; SELECT 'a;b' AS nothing_written;
    UPDATE written SET said = said || '; ' || (%(scheduled_at)s::timestamptz AT TIME ZONE 'UTC')::date WHERE id = 1;
    CREATE TEMPORARY TABLE counted ON COMMIT DROP AS SELECT 1 AS n; DO $$ BEGIN RAISE NOTICE 'half; way'; END $$
    """
    add_sql(execute, tmp_path, script, parameters=Json({"said": "it's; 100%"}))
    (row,) = run(database, execute, "success")
    assert row["records_written"] == 10 + 5 + 1
    assert execute("SELECT said FROM public.written ORDER BY id LIMIT 2") == [
        ("it's; 100%; 2026-11-26",),
        ("it's; 100%",),
    ]
    assert output(execute, row["run_id"]).splitlines() == [
        "1: INSERT 0 10",
        "2: DELETE 5",
        "3: SELECT 1",
        "4: UPDATE 1",
        "5: SELECT 1",
        "NOTICE:  half; way",
        "6: DO",
    ]


FAILING_SCRIPTS = {
    "twice": ("INSERT INTO written VALUES (1); INSERT INTO written VALUES (1)", "23505", False),
    "missing": ("INSERT INTO written VALUES (2); SELECT 1 FROM missing", "42P01", False),
    "contended": ("INSERT INTO written VALUES (3); DO $$ BEGIN RAISE SQLSTATE '40001'; END $$", "40001", True),
    "commits": ("INSERT INTO written VALUES (4); COMMIT", "UsageError", False),
    "unbound": ("INSERT INTO written VALUES (5, %(missing)s)", "UsageError", False),
}


def test_a_script_that_fails_leaves_nothing_and_says_what_kind_of_failure_it_was(
    database: OrchestratorDatabase, execute: Execute, tmp_path: Path
) -> None:
    for slug, (script, _, _) in FAILING_SCRIPTS.items():
        add_sql(execute, tmp_path, script, slug=slug)
    rows = run(database, execute, "failed", list(FAILING_SCRIPTS))
    for (slug, (_, *expected)), row in zip(FAILING_SCRIPTS.items(), rows, strict=True):
        assert [row["error_class"], row["is_transient_error"]] == expected, slug
    assert execute("SELECT count(*) FROM public.written") == [(0,)]


def test_a_script_whose_attempt_was_taken_away_does_not_commit(
    database: OrchestratorDatabase, execute: Execute, tmp_path: Path
) -> None:
    add_sql(execute, tmp_path, "INSERT INTO written VALUES (1); SELECT pg_sleep(1)")
    run_id = asked(database, "a")
    with working(database, lease_seconds=600):  # its heart beats too seldom to notice
        assert eventually(lambda: sessions(execute, run_id))
        execute("UPDATE dw_etl_job_locks SET status = 'expired', released_at = now()")
        assert eventually(lambda: events(execute, run_id)[-1] == "fenced")
    assert "terminated" not in events(execute, run_id)
    assert execute("SELECT count(*) FROM public.written") == [(0,)]


def sessions(execute: Execute, run_id: int) -> list[Any]:
    names = f"ownlens-etl run {run_id}/%"
    return execute("SELECT pid FROM pg_stat_activity WHERE application_name LIKE %s AND state = 'active'", (names,))


def test_a_cancelled_script_ends_on_the_server_too(
    database: OrchestratorDatabase, execute: Execute, tmp_path: Path
) -> None:
    add_sql(execute, tmp_path, "SELECT pg_sleep(1000)")
    run_id = asked(database, "a")
    with working(database, lease_seconds=3):
        assert eventually(lambda: sessions(execute, run_id))
        execute("UPDATE dw_etl_runs SET cancel_requested_at = now()")
        assert becomes(execute, run_id, "cancelled")
        assert eventually(lambda: not sessions(execute, run_id))


def test_a_script_on_clickhouse_has_parameters_and_counts(
    database: OrchestratorDatabase, execute: Execute, tmp_path: Path, stack: RunningStack
) -> None:
    script = """
    CREATE OR REPLACE TABLE orchestrated (n UInt64, said String, at DateTime) ENGINE = MergeTree ORDER BY n;
    INSERT INTO orchestrated SELECT number, {said:String}, {scheduled_at:DateTime} FROM numbers({rows:UInt64})
    WHERE NOT has({without:Array(UInt64)}, number); -- the last ;
    """
    add_sql(
        execute, tmp_path, script, "clickhouse", parameters=Json({"said": "it's;\t\\", "rows": 10, "without": [3, 4]})
    )
    (row,) = run(database, execute, "success")
    assert (row["records_read"], row["records_written"]) == (10, 8)
    assert stack.settings.clickhouse is not None
    with ClickHouseDoor(stack.settings.clickhouse) as clickhouse:
        found = clickhouse.query("SELECT count(), any(said), toString(any(at)) FROM orchestrated")
        clickhouse.execute("DROP TABLE orchestrated")
    assert found == [[8, "it's;\t\\", "2026-11-26 02:00:00"]]


def test_a_script_on_clickhouse_knows_its_attempt_where_no_store_in_postgresql_is_configured(
    database: OrchestratorDatabase, execute: Execute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETL_ORCHESTRATOR_POSTGRES_URL", os.environ["ETL_POSTGRES_URL"])
    monkeypatch.delenv("ETL_POSTGRES_URL")
    add_sql(execute, tmp_path, "SELECT queryID()", "clickhouse")
    (row,) = run(database, execute, "success")
    assert f"ownlens-etl run {row['run_id']}/{row['fencing_token']} 1" in output(execute, row["run_id"])


@pytest.mark.slow
def test_a_cancelled_script_on_clickhouse_is_killed_there(
    database: OrchestratorDatabase, execute: Execute, tmp_path: Path, stack: RunningStack
) -> None:
    add_sql(
        execute,
        tmp_path,
        "SELECT sum(sleepEachRow(0.01)) FROM numbers(100000) SETTINGS max_block_size = 10",
        "clickhouse",
    )
    run_id = asked(database, "a")
    assert stack.settings.clickhouse is not None
    with ClickHouseDoor(stack.settings.clickhouse) as clickhouse, working(database, lease_seconds=3):

        def is_running() -> bool:
            found = clickhouse.query(
                f"SELECT count() FROM system.processes WHERE query_id LIKE 'ownlens-etl run {run_id}/%'"
            )
            return found != [[0]]

        assert eventually(is_running)
        execute("UPDATE dw_etl_runs SET cancel_requested_at = now()")
        assert becomes(execute, run_id, "cancelled")
        assert eventually(lambda: not is_running())


def test_a_function_is_called_with_what_it_wants_and_says_what_it_did(
    database: OrchestratorDatabase, execute: Execute
) -> None:
    add_python(execute, "count", parameters=Json({"tables": ["x", "y"]}))
    (row,) = run(database, execute, "success")
    assert (row["records_read"], row["records_written"], row["metrics"]) == (5, 2, {"seconds": 0.5})
    assert output(execute, row["run_id"]) == f"['x', 'y'] {row['run_id']} None a\n"


def test_whatever_a_function_measures_is_stored_without_secrets(
    database: OrchestratorDatabase, execute: Execute
) -> None:
    add_python(execute, "odd")
    (row,) = run(database, execute, "success")
    assert (row["records_read"], row["records_written"]) == (2**63 - 1, 0)
    assert row["metrics"] == {"of": "postgresql://etl:***@host/db", "text": "ab", "list": [""], "share": None}


FAILING_FUNCTIONS = {
    "contend": ("ContentionError", True),
    "unreachable": ("ConnectionRefusedError", True),
    "puzzled": ("ValueError", None),
    "count": ("TypeError", False),
    "wordy": ("UsageError", False),
    "missing": ("UsageError", False),
}


def test_a_function_that_raises_is_judged_by_what_it_raised(database: OrchestratorDatabase, execute: Execute) -> None:
    for name in FAILING_FUNCTIONS:
        add_python(execute, name, slug=name)
    rows = run(database, execute, "failed", list(FAILING_FUNCTIONS))
    for (name, expected), row in zip(FAILING_FUNCTIONS.items(), rows, strict=True):
        assert (row["error_class"], row["is_transient_error"]) == expected, name
        assert "hunter2secret" not in row["error_message"] + output(execute, row["run_id"], "stderr")
    assert "password=***" in rows[0]["error_message"]
