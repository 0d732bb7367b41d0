"""Rows that were committed when their watermark was behind the mark already, over several runs into three stores."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from etl.extract.postgresql import reader
from tests.integration.pipeline.conftest import STORES, Shop, Stores, counted, everywhere, load_of, status_of
from tests.patience import until
from tests.postgresql_servers import OwnServer, own_server, standby_of

pytestmark = pytest.mark.stack

Rows = list[tuple[Any, ...]]
TABLE = (
    "CREATE TABLE one (id int PRIMARY KEY, name text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now(),"
    " created_at timestamptz NOT NULL DEFAULT now())"
)
EXACT = "kind: snapshot, date_column: created_at, extract: {late_commits: exact, overlap_seconds: 0}"


@pytest.fixture
def one(stores: Stores) -> Stores:
    """A table of one row that is loaded into all three stores; only its transactions tell what is late."""
    stores.shop.source(f"{TABLE}; INSERT INTO one VALUES (1, 'first')")
    stores.configure({"one": EXACT})
    assert set(loaded(stores).values()) == {"success"}
    return stores


def loaded(stores: Stores, *arguments: str) -> dict[str, str]:
    """What became of the table in each store."""
    exit_code, report = stores.run(*arguments)
    assert exit_code == 0, report
    return {store: status for (_, store), status in status_of(report).items()}


def rows(stores: Stores, table: str = "one") -> dict[str, Rows]:
    return stores.rows(table, "id, name", "delta")


def require_settled(stores: Stores, *arguments: str) -> None:
    """A further run reads nothing: its loads have no mark to move to."""
    assert loaded(stores, *arguments) == dict.fromkeys(STORES, "unchanged")
    assert read_again(stores) == []


def read_again(stores: Stores) -> list[str]:
    """Into which stores the last run has read the table."""
    found = stores.shop.target(
        "SELECT destination FROM etl.loads WHERE next_watermark IS NOT NULL"
        " AND run_id = (SELECT run_id FROM etl.runs ORDER BY run_number DESC LIMIT 1) ORDER BY 1"
    )
    return [destination for (destination,) in found]


@contextmanager
def transaction(shop: Shop, *statements: str) -> Iterator[Connection]:
    """Open, with what it has done; rolled back where nobody commits it."""
    with closing(psycopg2.connect(shop.environ["ETL_SOURCE_POSTGRES_URL"])) as connection:
        with connection.cursor() as cursor:
            cursor.execute(f"SET search_path = {shop.name}")
            for statement in statements:
                cursor.execute(statement)
        yield connection


def do(connection: Connection, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_transaction_that_is_open_over_two_runs_is_read_when_it_has_committed(one: Stores) -> None:
    with transaction(one.shop, "INSERT INTO one VALUES (2, 'late')") as late:
        one.shop.source("INSERT INTO one VALUES (3, 'later, and committed')")
        assert set(loaded(one).values()) == {"success"}
        one.shop.source("INSERT INTO one VALUES (4, 'later still')")
        assert set(loaded(one).values()) == {"success"}
        assert rows(one) == everywhere([(1, "first"), (3, "later, and committed"), (4, "later still")])
        require_settled(one)
        late.commit()
    mark = one.shop.target("SELECT DISTINCT mark FROM etl.watermarks")
    assert set(loaded(one).values()) == {"success"}
    assert rows(one) == everywhere([(1, "first"), (2, "late"), (3, "later, and committed"), (4, "later still")])
    assert one.shop.target("SELECT DISTINCT mark FROM etl.watermarks") == mark
    require_settled(one)


def test_the_overlap_alone_never_reads_it(stores: Stores) -> None:
    """What the other tests are about happens: the default finds it only within `overlap_seconds`."""
    stores.shop.source(f"{TABLE}; INSERT INTO one VALUES (1, 'first')")
    stores.configure({"one": EXACT.replace("exact", "overlap")})
    with transaction(stores.shop, "INSERT INTO one VALUES (2, 'late')") as late:
        stores.shop.source("INSERT INTO one VALUES (3, 'later, and committed')")
        loaded(stores)
        late.commit()
    require_settled(stores)
    assert rows(stores) == everywhere([(1, "first"), (3, "later, and committed")])
    assert stores.shop.target("SELECT snapshot FROM etl.watermarks") == [(None,)] * 3


def test_transactions_that_overlap_are_read_each_when_it_has_committed(one: Stores) -> None:
    with (
        transaction(one.shop, "INSERT INTO one VALUES (2, 'early')") as early,
        transaction(one.shop, "INSERT INTO one VALUES (3, 'long')") as long,
        transaction(one.shop, "INSERT INTO one VALUES (4, 'undone')") as undone,
    ):
        one.shop.source("INSERT INTO one VALUES (5, 'between')")
        loaded(one)
        early.commit()
        loaded(one)
        assert rows(one) == everywhere([(1, "first"), (2, "early"), (5, "between")])
        undone.rollback()
        require_settled(one)
        do(long, "INSERT INTO one VALUES (6, 'long, too')")
        one.shop.source("INSERT INTO one VALUES (7, 'at last')")
        loaded(one)
        long.commit()
    loaded(one)
    expected = [(1, "first"), (2, "early"), (3, "long"), (5, "between"), (6, "long, too"), (7, "at last")]
    assert rows(one) == everywhere(expected)
    require_settled(one)


def test_what_savepoints_kept_is_read_and_what_they_took_back_is_not(one: Stores) -> None:
    """Rows of a subtransaction bear its own number, which no list of open transactions names."""
    with transaction(
        one.shop,
        "SAVEPOINT kept",
        "INSERT INTO one VALUES (2, 'kept')",
        "RELEASE SAVEPOINT kept",
        "SAVEPOINT undone",
        "INSERT INTO one VALUES (3, 'undone')",
        "ROLLBACK TO SAVEPOINT undone",
        "SAVEPOINT open",
        "INSERT INTO one VALUES (4, 'open')",
    ) as late:
        one.shop.source("INSERT INTO one VALUES (5, 'committed')")
        loaded(one)
        do(late, "SAVEPOINT after")
        do(late, "INSERT INTO one VALUES (6, 'after the run')")
        late.commit()
    loaded(one)
    assert rows(one) == everywhere([(1, "first"), (2, "kept"), (4, "open"), (5, "committed"), (6, "after the run")])
    require_settled(one)


def test_late_updates_are_read_and_those_rolled_back_are_not(one: Stores) -> None:
    one.shop.source("INSERT INTO one VALUES (2, 'second')")
    loaded(one)
    with (
        transaction(one.shop, "UPDATE one SET name = 'renamed', updated_at = now() WHERE id = 1") as late,
        transaction(one.shop, "UPDATE one SET name = 'never', updated_at = now() WHERE id = 2") as undone,
    ):
        one.shop.source("INSERT INTO one VALUES (3, 'third')")
        loaded(one)
        late.commit()
        undone.rollback()
    loaded(one)
    assert rows(one) == everywhere([(1, "renamed"), (2, "second"), (3, "third")])
    require_settled(one)
    # the clock that says when is the application's own, and may be behind
    one.shop.source("UPDATE one SET name = 'again', updated_at = now() - interval '1 year' WHERE id = 1")
    loaded(one)
    assert rows(one) == everywhere([(1, "again"), (2, "second"), (3, "third")])
    require_settled(one)


def test_each_destination_takes_what_it_has_not_seen_itself(one: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*destinations: str) -> dict[str, Any]:
        exit_code, report = one.shop.run(destinations=",".join(destinations))
        assert exit_code == 0
        return report

    for most_rows in (10_000, 0):  # held by the driver, and read by Spark
        monkeypatch.setattr(reader, "ROWS_IN_MEMORY", most_rows)
        one.shop.source("DELETE FROM one; INSERT INTO one VALUES (1, 'first')")
        assert set(loaded(one, "--full-refresh").values()) <= {"success", "unchanged"}
        with transaction(one.shop, "INSERT INTO one VALUES (2, 'late')") as late:
            one.shop.source("INSERT INTO one VALUES (3, 'newer')")
            run(*STORES)
            late.commit()
        assert load_of(run("s3"), "one", "s3")["rows_read"] == 2  # and the one that is read twice
        with transaction(one.shop, "INSERT INTO one VALUES (4, 'late, too')") as late:
            one.shop.source("INSERT INTO one VALUES (5, 'newest')")
            run("postgresql")
            late.commit()
        # the one that is asked first has seen more than the last, with the same mark
        report = run("s3", "postgresql", "clickhouse")
        assert counted(report, "one", "rows_read") == {"s3": 2, "postgresql": 2, "clickhouse": 4}
        expected = [(1, "first"), (2, "late"), (3, "newer"), (4, "late, too"), (5, "newest")]
        assert rows(one) == everywhere(expected)
        require_settled(one)
        one.shop.target("DELETE FROM one")


def test_only_what_was_read_up_to_the_mark_counts_as_seen(one: Stores) -> None:
    with (
        transaction(one.shop, "INSERT INTO one VALUES (2, 'late', now() - interval '2 days')") as late,
        transaction(one.shop, "INSERT INTO one VALUES (3, 'late, too')") as other,
    ):
        one.shop.source("INSERT INTO one VALUES (4, 'newer')")
        loaded(one)
        late.commit()
        other.commit()
    yesterday = "SELECT (now() - interval '1 day')::text"
    [[day]] = one.shop.target(yesterday)
    loaded(one, "--since", day)
    assert rows(one) == everywhere([(1, "first"), (3, "late, too"), (4, "newer")])
    one.shop.source("DELETE FROM one WHERE id = 3; INSERT INTO one VALUES (3, 'another', now() - interval '12 hours')")
    loaded(one, "--until", day)
    assert rows(one) == everywhere([(1, "first"), (2, "late"), (3, "late, too"), (4, "newer")])
    loaded(one)
    assert rows(one) == everywhere([(1, "first"), (2, "late"), (3, "another"), (4, "newer")])
    require_settled(one)


def test_a_resumed_run_reads_what_came_late_up_to_its_frozen_mark(one: Stores) -> None:
    shop = one.shop
    with transaction(shop, "INSERT INTO one VALUES (2, 'late')") as late:
        shop.source("INSERT INTO one VALUES (3, 'newer')")
        shop.target("ALTER TABLE one ADD CHECK (id <> 3)")
        exit_code, report = one.run()
        assert exit_code == 1 and load_of(report, "one", "postgresql")["status"] == "failed"
        late.commit()
    shop.source("INSERT INTO one VALUES (4, 'newest')")
    shop.target("ALTER TABLE one DROP CONSTRAINT one_id_check")
    assert shop.run("--resume", report["run_id"])[0] == 0
    assert rows(one)["postgresql"] == [(1, "first"), (2, "late"), (3, "newer")]
    loaded(one)
    assert rows(one) == everywhere([(1, "first"), (2, "late"), (3, "newer"), (4, "newest")])
    require_settled(one)


def test_whole_partitions_are_read_for_a_late_row_of_a_day_long_past(stores: Stores) -> None:
    shop = stores.shop
    shop.source(
        f"{TABLE}; INSERT INTO one SELECT i, 'old', now() - interval '100 days', now() - interval '100 days'"
        " FROM generate_series(1, 3) i; INSERT INTO one VALUES (4, 'new')"
    )
    replacing = "s3: {format: parquet, mode: overwrite_partitions}, clickhouse: {mode: replace_partition}"
    stores.configure({"one": f"{EXACT}, {replacing}"})
    loaded(stores)
    day = "now() - interval '100 days'"
    with transaction(shop, f"INSERT INTO one VALUES (5, 'late', {day}, {day})") as late:
        shop.source("INSERT INTO one VALUES (6, 'newer')")
        loaded(stores)
        late.commit()
    loaded(stores)
    expected = [(1, "old"), (2, "old"), (3, "old"), (4, "new"), (5, "late"), (6, "newer")]
    assert stores.rows("one", "id, name", "parquet") == everywhere(expected)
    require_settled(stores)


def test_numbers_nulls_and_partitions_of_the_source(stores: Stores) -> None:
    """A watermark that is no time has no overlap at all, rows without one belong to every window, and the rows of a
    partitioned table have their transactions, too."""
    stores.shop.source(
        "CREATE TABLE one (id int PRIMARY KEY, name text NOT NULL, number bigint) PARTITION BY RANGE (id);"
        "CREATE TABLE one_low PARTITION OF one FOR VALUES FROM (1) TO (10);"
        "CREATE TABLE one_high PARTITION OF one FOR VALUES FROM (10) TO (20);"
        "INSERT INTO one VALUES (1, 'first', 100), (11, 'numberless', NULL)"
    )
    by_number = "extract: {mode: incremental, watermark: number, late_commits: exact}"
    stores.configure({"one": f"{by_number}, s3: {{format: delta, mode: merge}}, clickhouse: {{mode: merge}}"})
    loaded(stores)
    with transaction(stores.shop, "INSERT INTO one VALUES (2, 'late', 101), (12, 'late, too', 5)") as late:
        stores.shop.source("INSERT INTO one VALUES (3, 'newer', 102)")
        loaded(stores)
        late.commit()
    loaded(stores)
    expected = [(1, "first"), (2, "late"), (3, "newer"), (11, "numberless"), (12, "late, too")]
    assert rows(stores) == everywhere(expected)
    require_settled(stores)


@pytest.mark.parametrize(
    ("snapshot", "reason"),
    [
        # of a server that was restored from a dump, or promoted
        ("7000000000000000000/1 10:10:", "its transactions were followed on server 7000000000000000000/1, and it is "),
        # of one that was set back
        ("{system} 4000000000:4000000000:", "and had been at 4000000000"),
    ],
)
def test_a_source_that_is_another_one_is_read_whole(
    one: Stores, snapshot: str, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    one.shop.source("INSERT INTO one VALUES (2, 'lost there', now() - interval '1 year')")
    [[kept]] = one.shop.target("SELECT DISTINCT snapshot FROM etl.watermarks")
    one.shop.target("UPDATE etl.watermarks SET snapshot = %s", [snapshot.replace("{system}", kept.split(" ")[0])])
    capfd.readouterr()
    exit_code, report = one.run()
    assert exit_code == 0
    assert rows(one) == everywhere([(1, "first"), (2, "lost there")])
    [warning] = [line for line in _logged(capfd) if line["event"] == "table read whole"]
    assert warning["table"] == "one" and reason in warning["reason"]
    assert all(reason in load_of(report, "one", store)["notes"][0] for store in STORES)
    require_settled(one)


def test_from_the_run_on_that_follows_transactions_nothing_is_lost(stores: Stores) -> None:
    """The marks that stand have no snapshot: the next run keeps one, although nothing is new."""
    stores.shop.source(f"{TABLE}; INSERT INTO one VALUES (1, 'first')")
    stores.configure({"one": EXACT.replace("exact", "overlap")})
    loaded(stores)
    with transaction(stores.shop, "INSERT INTO one VALUES (2, 'late', now() - interval '1 year')") as late:
        stores.configure({"one": EXACT})
        assert loaded(stores) == dict.fromkeys(STORES, "unchanged")
        assert read_again(stores) == sorted(STORES)
        late.commit()
    loaded(stores)
    assert rows(stores) == everywhere([(1, "first"), (2, "late")])
    require_settled(stores)


def test_rows_that_know_no_transactions_are_refused_by_name(one: Stores) -> None:
    one.shop.source("CREATE VIEW seen AS SELECT * FROM one")
    one.configure({"one": EXACT, "seen": f"{EXACT}, key: id"})
    exit_code, report = one.run()
    assert exit_code == 1
    assert {table for (table, _), status in status_of(report).items() if status == "failed"} == {"seen"}
    assert "late_commits: overlap" in load_of(report, "seen", "s3")["error"]


def test_a_prepared_transaction_is_read_when_it_has_committed(stores: Stores, tmp_path: Path) -> None:
    with own_server(tmp_path / "server") as server:
        server.ask("ALTER SYSTEM SET max_prepared_transactions = 4")
        server.restart()
        _move_source(stores.shop, server, server)
        stores.shop.source(f"{TABLE}; INSERT INTO one VALUES (1, 'first')")
        stores.configure({"one": EXACT})
        with transaction(stores.shop, "INSERT INTO one VALUES (2, 'late')", "PREPARE TRANSACTION 'kept'"):
            pass
        with transaction(stores.shop, "INSERT INTO one VALUES (3, 'undone')", "PREPARE TRANSACTION 'undone'"):
            pass
        stores.shop.source("INSERT INTO one VALUES (4, 'newer')")
        loaded(stores)
        server.restart()
        require_settled(stores)
        server.ask("COMMIT PREPARED 'kept'")
        server.ask("ROLLBACK PREPARED 'undone'")
        loaded(stores)
        assert rows(stores) == everywhere([(1, "first"), (2, "late"), (4, "newer")])
        require_settled(stores)


def test_a_standby_shows_late_commits_too_and_is_another_server_once_it_is_promoted(
    stores: Stores, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A snapshot of a standby has no list of what is in progress."""
    shop = stores.shop
    with own_server(tmp_path / "primary") as primary, standby_of(primary, tmp_path / "standby") as standby:
        url = _move_source(shop, primary, standby)
        primary.ask(f"SET search_path = {shop.name}; {TABLE}; INSERT INTO one VALUES (1, 'first')")
        stores.configure({"one": EXACT})
        with closing(psycopg2.connect(primary.url)) as late:
            do(late, f"SET search_path = {shop.name}; INSERT INTO one VALUES (2, 'late')")
            do(late, "SAVEPOINT kept")
            do(late, "INSERT INTO one VALUES (3, 'late, in a savepoint')")
            do(late, "RELEASE SAVEPOINT kept")
            primary.ask(f"INSERT INTO {shop.name}.one VALUES (4, 'newer')")
            _wait_for_replay(primary, standby)
            loaded(stores)
            assert rows(stores) == everywhere([(1, "first"), (4, "newer")])
            late.commit()
        _wait_for_replay(primary, standby)
        loaded(stores)
        expected = [(1, "first"), (2, "late"), (3, "late, in a savepoint"), (4, "newer")]
        assert rows(stores) == everywhere(expected)
        require_settled(stores)
        standby.ask("SELECT pg_promote()")
        assert url == standby.url
        # what was written here may have numbers that the other server gave to something else
        standby.ask(f"INSERT INTO {shop.name}.one VALUES (5, 'here', now() - interval '1 year')")
        capfd.readouterr()
        loaded(stores)
        assert [line["event"] for line in _logged(capfd)].count("table read whole") == 1
        assert rows(stores) == everywhere([*expected, (5, "here")])
        require_settled(stores)


def _move_source(shop: Shop, written: OwnServer, read: OwnServer) -> str:
    written.ask(f"CREATE SCHEMA {shop.name}")
    shop.environ["ETL_SOURCE_POSTGRES_URL"] = read.url
    return read.url


def _wait_for_replay(primary: OwnServer, standby: OwnServer) -> None:
    [[written]] = primary.ask("SELECT pg_current_wal_lsn()")
    until(lambda: standby.ask(f"SELECT pg_last_wal_replay_lsn() >= '{written}'") == [(True,)])


def _logged(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
