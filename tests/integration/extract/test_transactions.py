"""Transactions of rows as the server itself counts them, and sources that know none."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection
from pydantic import SecretStr

from etl.config.settings import PostgreSQLSettings
from etl.config.tables.models import ExtractConfig, LateCommits
from etl.errors import SourceError
from etl.extract.postgresql.snapshot import SourceSnapshot
from etl.extract.values import Transactions, Unseen, Window
from etl.model import ExtractMode
from etl.statements.source.transactions import transaction_number, written_by
from tests.integration.extract.conftest import source_table
from tests.postgresql_servers import own_server

pytestmark = pytest.mark.stack

EXACT = ExtractConfig(mode=ExtractMode.INCREMENTAL, watermark="number", late_commits=LateCommits.EXACT)
EPOCH = 2**32


@pytest.mark.parametrize(
    "span",
    [
        Transactions(3, 10),
        Transactions(5 * EPOCH + 0x7FFFFFFE, 5 * EPOCH + 0x80000003),
        Transactions(2 * EPOCH - 4, 2 * EPOCH + 6),
        Transactions(EPOCH - 1, 2 * EPOCH - 2),
        Transactions(9, 9),
    ],
)
def test_a_row_is_known_by_the_half_of_its_number_that_it_has(database: Connection, span: Transactions) -> None:
    numbers = [number for at in (span.first, span.end) for number in range(at - 5, at + 5)]
    # what the server writes into a row; it may have done so before the counter began anew
    halves = {number: number % EPOCH for number in numbers if number >= 0}
    rows = ", ".join(f"({number}, '{half}'::xid)" for number, half in halves.items())
    with database.cursor() as cursor:
        cursor.execute(
            f"SELECT number, {written_by(span)}, {transaction_number(span)} FROM (VALUES {rows}) t (number, xmin)"
        )
        found = {number: (is_within, told) for number, is_within, told in cursor.fetchall()}
    halves_within = {number % EPOCH: number for number in numbers if span.first <= number < span.end}
    expected = {number: (half in halves_within, halves_within.get(half)) for number, half in halves.items()}
    assert found == expected


def test_servers_that_do_not_tell_and_rows_of_other_servers(tmp_path: Path) -> None:
    with own_server(tmp_path / "server") as server:
        server.ask(
            "CREATE FOREIGN DATA WRAPPER elsewhere; CREATE SERVER other FOREIGN DATA WRAPPER elsewhere;"
            "CREATE TABLE parted (id int, number bigint) PARTITION BY LIST (id);"
            "CREATE TABLE here PARTITION OF parted FOR VALUES IN (1);"
            "CREATE TABLE below PARTITION OF parted FOR VALUES IN (2) PARTITION BY LIST (number);"
            "CREATE FOREIGN TABLE there PARTITION OF below FOR VALUES IN (2) SERVER other;"
            "CREATE ROLE reader LOGIN PASSWORD 'reader'; GRANT SELECT ON parted, here TO reader;"
            "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC"
        )
        settings = server.settings.model_copy(update={"user": "reader", "password": SecretStr("reader")})
        with SourceSnapshot(settings) as snapshot:
            with pytest.raises(SourceError, match=r"parted: expected a table of this server .*late_commits: overlap"):
                snapshot.measure(source_table("public", "parted", extract=EXACT), Window())
            here = source_table("public", "here", extract=EXACT)
            kept = snapshot.measure(here, Window()).snapshot
        assert kept is not None and kept.startswith("unknown ")
        [[count]] = server.ask("SELECT pg_current_xact_id()::text::bigint")
        with SourceSnapshot(settings) as snapshot:
            assert snapshot.unseen(here, kept) == Unseen(Transactions(count, count + 1))
            assert snapshot.unseen(here, f"unknown {count + 9}:{count + 9}:").lost


def test_tables_that_do_not_follow_transactions_keep_nothing(
    database: Connection, schema: str, source: PostgreSQLSettings
) -> None:
    with database.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id int, number bigint); CREATE VIEW v AS SELECT * FROM t")
    overlap = EXACT.model_copy(update={"late_commits": LateCommits.OVERLAP})
    whole = EXACT.model_copy(update={"mode": ExtractMode.FULL})
    with SourceSnapshot(source) as snapshot:
        for name, extract in (("t", overlap), ("t", whole), ("v", overlap)):
            table = source_table(schema, name, extract=extract)
            assert snapshot.measure(table, Window()).snapshot is None
            assert snapshot.unseen(table, "of/1 5:5:") == Unseen()


def test_a_materialised_view_has_the_transaction_of_its_refresh(
    database: Connection, schema: str, source: PostgreSQLSettings
) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE t AS SELECT 1 AS id, 9::bigint AS number; CREATE MATERIALIZED VIEW m AS SELECT * FROM t"
        )
    view = source_table(schema, "m", extract=EXACT)
    with SourceSnapshot(source) as snapshot:
        kept = snapshot.measure(view, Window())
    assert (kept.rows, kept.upper_mark) == (1, "9")
    with database.cursor() as cursor:
        cursor.execute("INSERT INTO t VALUES (2, 5); REFRESH MATERIALIZED VIEW m")
    with SourceSnapshot(source) as snapshot:
        unseen = snapshot.unseen(view, kept.snapshot).transactions
        assert snapshot.measure(view, Window("9")).rows == 0
        assert snapshot.measure(view, Window("9", unseen=unseen)).rows == 2
