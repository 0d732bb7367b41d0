"""Losing attempts, lost connections, locks, kills between statements, poolers: nothing twice, nothing half."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from pydantic import SecretStr

from etl.config.settings import PostgreSQLSettings, RunSettings
from etl.errors import ConnectionLostError, ContentionError, ReconciliationError, StoreError, ValidationError
from etl.load.base import LoadFacts
from etl.load.postgresql import attempt as attempt_module
from etl.load.postgresql import preparation as preparing
from etl.load.postgresql.publication import group
from etl.load.postgresql.transfer.run_table import Staged, stage_frame
from etl.model import Checksums, LoadResult
from etl.statements.postgresql.naming import Table, staging_table
from tests.integration.load.postgresql.conftest import Database, counts, facts_of, table_config
from tests.pgbouncer import pgbouncer

pytestmark = pytest.mark.stack

SCHEMA = "id int, name string"
ROWS = [(1, "a"), (2, "b")]
TARGET = Table("public", "items")


def tries(retries: int) -> RunSettings:
    return RunSettings(retries=retries, retry_for_seconds=0)


def stored(database: Database) -> list[tuple[Any, ...]]:
    return database.execute("SELECT id, name FROM items ORDER BY id")


def test_rows_of_a_losing_attempt_are_not_published(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def stage_twice(*arguments: Any) -> Staged:
        staged = stage_frame(*arguments)
        staging = staging_table(TARGET, "run-1").sql
        database.execute(f"INSERT INTO {staging} (_etl_attempt, id, name) SELECT 999, id, name || '!' FROM {staging}")
        return staged

    monkeypatch.setattr(attempt_module.staging, "stage_frame", stage_twice)
    df = database.frame(SCHEMA, ROWS)
    assert counts(database.loader().load(df, table_config("items"), LoadFacts(2))) == {"inserted": 2}
    assert stored(database) == ROWS


def test_rows_missing_from_staging_publish_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def stage_and_lose(*arguments: Any) -> Staged:
        staged = stage_frame(*arguments)
        database.execute(f"TRUNCATE {staging_table(TARGET, 'run-1').sql}")
        return staged

    monkeypatch.setattr(attempt_module.staging, "stage_frame", stage_and_lose)
    with pytest.raises(ReconciliationError, match=r"expected 2 rows staged .* found 0"):
        database.load(database.frame(SCHEMA, ROWS), table_config("items"))
    assert not database.loader().target_exists(table_config("items"))
    assert database.staging_tables() == []


def test_staged_but_not_published_is_repaired_by_the_next_run(database: Database) -> None:
    """As after `kill -9` between staging and publishing."""
    loader, config, df = database.loader(), table_config("items"), database.frame(SCHEMA, ROWS)
    prepared = preparing.prepare(df.schema, config, loader.config)
    write = prepared.write
    stage_frame(df, write.columns, write.staging, (write.target, "run-1"), config, loader.config.settings, None)
    assert len(database.staging_tables()) == 1

    assert counts(database.load(df, config, "run-2")) == {"inserted": 2}
    assert database.loader("run-3").remove_orphans(config, frozenset({"run-1"})) == []
    assert database.loader("run-3").remove_orphans(table_config("others"), frozenset()) == []
    assert database.loader("run-3").remove_orphans(config, frozenset()) == [str(write.staging)]
    assert database.staging_tables() == []


def test_resuming_the_killed_run_itself_starts_staging_afresh(database: Database) -> None:
    database.execute("CREATE SCHEMA etl_staging")
    database.execute(f"CREATE TABLE {staging_table(TARGET, 'run-1').sql} (leftover text)")
    assert counts(database.load(database.frame(SCHEMA, ROWS), table_config("items"))) == {"inserted": 2}
    assert database.staging_tables() == []


def test_ledger_entry_commits_with_the_data_or_not_at_all(database: Database) -> None:
    config = table_config("items")

    def record(cursor: Any, result: LoadResult) -> None:
        cursor.execute(
            "INSERT INTO etl.loads (run_id, table_name, destination, status, target, mode, rows_read, rows_inserted, "
            "started_at, finished_at) VALUES ('run-1', %s, 'postgresql', 'success', %s, %s, %s, %s, now(), now())",
            (result.table_name, result.target, str(result.mode), result.rows_in, result.rows_inserted),
        )

    def refuse(cursor: Any, result: LoadResult) -> None:
        record(cursor, result)
        raise ReconciliationError("the counts do not add up")

    df = database.frame(SCHEMA, ROWS)
    with pytest.raises(ReconciliationError):
        database.loader(record=refuse).load(df, config)
    assert database.loader().published(config) is None
    assert not database.loader().target_exists(config)

    database.loader(record=record).load(df, config)
    published = database.loader().published(config)
    assert published is not None and counts(published) == {"inserted": 2}
    assert database.loader("run-2").published(config) is None


@pytest.mark.parametrize("is_committed", [True, False])
def test_commit_without_an_answer_is_looked_up_before_it_is_tried_again(
    database: Database, monkeypatch: pytest.MonkeyPatch, is_committed: bool
) -> None:
    original, calls = group.transaction, []

    class Unanswered:
        def __init__(self, *arguments: Any, **named: Any) -> None:
            self._inner = original(*arguments, **named)

        def __enter__(self) -> Any:
            self.cursor = self._inner.__enter__()
            return self.cursor

        def __exit__(self, *exception: Any) -> None:
            calls.append(1)
            if len(calls) > 1:
                self._inner.__exit__(*exception)
                return
            if is_committed:
                self._inner.__exit__(*exception)
            else:
                self.cursor.connection.close()
            raise ConnectionLostError("the server went away during COMMIT")

    monkeypatch.setattr(group, "transaction", Unanswered)
    df = database.frame(SCHEMA, ROWS)
    assert counts(database.load(df, table_config("items"))) == {"inserted": 2}
    assert len(calls) == (1 if is_committed else 2)
    assert stored(database) == ROWS
    assert database.staging_tables() == []


def test_killed_connection_is_tried_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    original, killed = group.publish, []

    def publish_killed_once(cursor: Any, *arguments: Any) -> Any:
        if not killed:
            killed.append(1)
            database.execute("SELECT pg_terminate_backend(%s)", (cursor.connection.info.backend_pid,))
        return original(cursor, *arguments)

    monkeypatch.setattr(group, "publish", publish_killed_once)
    assert counts(database.load(database.frame(SCHEMA, ROWS), table_config("items"))) == {"inserted": 2}
    assert stored(database) == ROWS


def test_terminal_errors_are_not_tried_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def fail(cursor: Any, *arguments: Any) -> Any:
        calls.append(1)
        cursor.execute("SELECT * FROM nowhere")

    monkeypatch.setattr(group, "publish", fail)
    with pytest.raises(StoreError, match='relation "nowhere" does not exist') as caught:
        database.load(database.frame(SCHEMA, ROWS), table_config("items"))
    assert (len(calls), caught.value.table, caught.value.destination) == (1, "items", "postgresql")
    assert database.staging_tables() == []


def test_cancelled_statement_is_tried_once_more(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def cancel(cursor: Any, *arguments: Any) -> Any:
        calls.append(1)
        cursor.execute("SET LOCAL statement_timeout = 1")
        cursor.execute("SELECT pg_sleep(10)")

    monkeypatch.setattr(group, "publish", cancel)
    with pytest.raises(ContentionError, match="57014"):
        database.loader(run=tries(9)).load(database.frame(SCHEMA, ROWS), table_config("items"))
    assert len(calls) == 2


def test_altering_a_table_that_somebody_holds_names_them(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "_DDL_LOCK_SECONDS", 1)
    database.execute("CREATE TABLE items (id int PRIMARY KEY)")
    holder = _connection(database.settings, application_name="nightly dump")
    try:
        holder.cursor().execute("SELECT * FROM items")
        with pytest.raises(ContentionError, match=rf"held by pid {holder.info.backend_pid} \(nightly dump, "):
            database.loader(run=tries(1)).load(database.frame(SCHEMA, ROWS), table_config("items"))
    finally:
        holder.close()
    assert counts(database.load(database.frame(SCHEMA, ROWS), table_config("items"))) == {"inserted": 2}


def test_trigger_that_changes_rows_is_found_out(database: Database) -> None:
    database.execute(
        "CREATE TABLE items (id int PRIMARY KEY, name text);"
        "CREATE FUNCTION public.shout() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN NEW.name := upper(NEW.name); RETURN NEW; END';"
        "CREATE TRIGGER shout BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION shout()"
    )
    df = database.frame(SCHEMA, ROWS)
    with pytest.raises(ValidationError, match="column name: expected checksum"):
        database.loader().load(df, table_config("items"), facts_of(df))
    with pytest.raises(ValidationError, match="found 2, of which 2 differ"):
        database.loader().load(df, table_config("items"))
    assert stored(database) == []
    assert counts(database.loader(validate=False).load(df, table_config("items"))) == {"inserted": 2}


def test_trigger_that_changes_json_is_found_out_among_rows_that_stand(database: Database) -> None:
    """PostgreSQL writes json anew, so that the frame has no sum to compare: what was staged is compared."""
    config, types = table_config("items"), {"doc": "jsonb"}
    first = database.frame("id int, doc string", [(1, '{"a": 1}'), (2, '{"a": 2}'), (3, '{"a": 3}')], types)
    second = database.frame("id int, doc string", [(1, '{"a": 1}'), (2, '{"a": 20}'), (3, '{"a": 30}')], types)
    database.loader().load(first, config, facts_of(first))
    database.execute(
        "CREATE FUNCTION public.hide() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.doc := '{}'; RETURN NEW; END $$;"
        "CREATE TRIGGER hide BEFORE UPDATE ON items FOR EACH ROW WHEN (NEW.id = 2) EXECUTE FUNCTION hide()"
    )
    with pytest.raises(ValidationError, match="found 3, of which 1 differ"):
        database.loader().load(second, config, facts_of(second))
    database.execute("DROP TRIGGER hide ON items")
    assert counts(database.loader().load(second, config, facts_of(second))) == {"updated": 2, "unchanged": 1}


def test_a_target_whose_rows_a_policy_hides_is_refused(database: Database) -> None:
    """Otherwise a hidden row would count as new, and its key as free."""
    df, config = database.frame(SCHEMA, ROWS), table_config("items")
    database.load(df, config)
    database.execute(
        "CREATE POLICY none ON items USING (false) WITH CHECK (true);"
        "ALTER TABLE items ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
    )
    with pytest.raises(StoreError, match=rf'table "items".* role "{database.settings.user}".*BYPASSRLS'):
        database.load(df, config, "run-2")


def test_checksums_of_another_frame_are_refused(database: Database) -> None:
    df, other = database.frame(SCHEMA, ROWS), database.frame(SCHEMA, [(1, "a"), (2, "c")])
    with pytest.raises(ValidationError, match="column name"):
        database.loader().load(df, table_config("items"), facts_of(other))
    wrong = LoadFacts(3, Checksums(3))
    with pytest.raises(ValidationError, match="expected 3 rows, found 2"):
        database.loader().load(df, table_config("items"), wrong)


def test_two_loads_of_one_table_at_a_time_leave_it_whole(database: Database) -> None:
    config = table_config("items")
    frames = {run: database.frame(SCHEMA, [(n, run) for n in range(200)]) for run in ("run-1", "run-2")}
    results: list[LoadResult] = []
    threads = [
        threading.Thread(target=lambda r=run, f=frame: results.append(database.load(f, config, r)))
        for run, frame in frames.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.rows_inserted for result in results) == [0, 200]
    assert database.execute("SELECT count(*), count(DISTINCT name) FROM items") == [(200, 1)]


def test_wrong_password_says_where_and_never_the_password(database: Database) -> None:
    settings = database.settings.model_copy(update={"password": SecretStr("s3cret-word")})
    with pytest.raises(StoreError, match="password authentication failed") as caught:
        database.loader(settings=settings).load(database.frame(SCHEMA, ROWS), table_config("items"))
    assert "s3cret-word" not in str(caught.value)


def test_unreachable_server_is_transient(database: Database) -> None:
    settings = database.settings.model_copy(update={"port": _free_port()})
    with pytest.raises(ConnectionLostError, match="check that the server is up"):
        database.loader(settings=settings, run=tries(1)).load(database.frame(SCHEMA, ROWS), table_config("items"))


def test_failure_on_an_executor_reaches_the_driver_as_our_error(database: Database) -> None:
    df = database.frame("id int, doc string", [(1, "{broken")], {"doc": "jsonb"})
    with pytest.raises(StoreError, match="invalid input syntax for type json"):
        database.load(df, table_config("items"))
    assert database.staging_tables() == []


def test_receipts_of_empty_partitions_need_no_connection(database: Database) -> None:
    df = database.frame(SCHEMA, ROWS).repartition(4)
    result = database.load(df, table_config("items"))
    assert counts(result) == {"inserted": 2} and result.bytes_written > 0


@pytest.fixture
def pooled(database: Database, tmp_path: Path) -> Iterator[Database]:
    """The same database behind PgBouncer in transaction mode with two server connections."""
    with pgbouncer(database.settings, tmp_path, default_pool_size="2") as settings:
        yield Database(settings, database.spark)


def test_everything_works_through_pgbouncer_in_transaction_mode(pooled: Database) -> None:
    config = table_config("items")
    df = pooled.frame(SCHEMA, [(n, str(n)) for n in range(100)]).repartition(4)
    assert counts(pooled.load(df, config)) == {"inserted": 100}
    assert counts(pooled.loader("run-2").load(df, config, facts_of(df))) == {"unchanged": 100}
    evolved = pooled.frame("id int, name string, more int", [(1, "x", 1)])
    assert counts(pooled.load(evolved, config, "run-3")) == {"updated": 1}
    assert pooled.loader().replay_orphans([config]) == []
    # what was set for one transaction is not there in the next client's
    assert pooled.execute("SHOW lock_timeout") == [("0",)]
    assert pooled.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]
    assert pooled.staging_tables() == []


def _connection(settings: PostgreSQLSettings, **options: Any) -> Any:
    return psycopg2.connect(
        host=settings.host,
        port=settings.port,
        user=settings.user,
        password=settings.password.get_secret_value(),
        dbname=settings.database,
        **options,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
