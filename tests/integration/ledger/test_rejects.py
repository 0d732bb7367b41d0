from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg2
import pytest

from etl.ledger import Ledger, Reject, RejectFilter, RejectStatus, Run
from etl.ledger.values import RejectedRule
from etl.model import Destination
from tests.integration.ledger.conftest import Execute, start_run

pytestmark = pytest.mark.stack

INSERT_WAITING = """
INSERT INTO etl.rejects (run_id, table_name, destination, rule, reason, row, key, status)
VALUES (%s, 'orders', 'postgresql', 'foreign_key', 'no customer 7', '{"id": 1}', '{"id": 1}', %s)
"""


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('{"name": "tab\\t, newline\\n, \\\\N and \\\\."}', {"name": "tab\t, newline\n, \\N and \\."}),
        ('{"name": "\\ud83d\\ude00 Zürich"}', {"name": "😀 Zürich"}),
        ('{"name": "a\\u0000b"}', {"name": "a\\u0000b"}),
        ('{"name": "a\x00b"}', {"name": "a\\u0000b"}),
        ('{"name": "\\ud800"}', {"name": "\\ud800"}),
        ('{"n": NaN, "i": -Infinity, "x": 1e999}', {"n": "NaN", "i": "-Infinity", "x": "1e999"}),
        ("no JSON\n\\at all", {"_text": "no JSON\n\\at all"}),
        ("", {"_text": ""}),
    ],
)
def test_every_row_is_kept(ledger: Ledger, run: Run, text: str, kept: object) -> None:
    assert ledger.add_rejects(run.run_id, "orders", None, [Reject("cast", "why\tnot\\\x00", text)]) == 1
    (record,) = ledger.rejects()
    assert json.loads(record.row) == kept
    assert record.reason == "why\tnot\\\\x00"


def test_digits_are_kept(ledger: Ledger, run: Run) -> None:
    row = '{"amount": 12345678901234567890123.450}'
    ledger.add_rejects(run.run_id, "orders", None, [Reject("range", "too wide", row)])
    assert [record.row for record in ledger.rejects()] == [row]


def test_rows_are_streamed(ledger: Ledger, run: Run, execute: Execute) -> None:
    def many() -> Iterator[Reject]:
        for number in range(30_000):
            yield Reject("cast", f"row {number}", json.dumps({"id": number, "text": "ü" * 20}))

    assert ledger.add_rejects(run.run_id, "orders", Destination.S3, many()) == 30_000
    assert execute("SELECT count(*), sum((row ->> 'id')::int), max(length(row ->> 'text')) FROM etl.rejects") == [
        (30_000, 30_000 * 29_999 // 2, 20)
    ]


def test_all_or_none(ledger: Ledger, run: Run) -> None:
    def breaks_off() -> Iterator[Reject]:
        yield Reject("cast", "first", "{}")
        raise OSError("the executor died")

    with pytest.raises(OSError, match="the executor died"):
        ledger.add_rejects(run.run_id, "orders", None, breaks_off())
    assert ledger.count_rejects() == 0
    assert ledger.add_rejects(run.run_id, "orders", None, []) == 0


def test_filters(ledger: Ledger, run: Run, execute: Execute) -> None:
    other = start_run(ledger)
    ledger.add_rejects(run.run_id, "orders", None, [Reject("cast", "a", "{}"), Reject("enum", "b", "{}")])
    ledger.add_rejects(other.run_id, "customers", Destination.POSTGRESQL, [Reject("cast", "c", "{}")])
    execute(INSERT_WAITING, [other.run_id, "waiting"])

    def reasons(chosen: RejectFilter, limit: int = 100) -> list[str]:
        return [record.reason for record in ledger.rejects(chosen, limit)]

    assert reasons(RejectFilter()) == ["no customer 7", "c", "b", "a"]
    assert reasons(RejectFilter(), limit=2) == ["no customer 7", "c"]
    assert reasons(RejectFilter(run_id=run.run_id)) == ["b", "a"]
    assert reasons(RejectFilter(table_name="customers")) == ["c"]
    assert reasons(RejectFilter(rule="cast")) == ["c", "a"]
    assert reasons(RejectFilter(run_id=run.run_id, rule="cast")) == ["a"]
    assert reasons(RejectFilter(status=RejectStatus.WAITING)) == ["no customer 7"]
    assert ledger.count_rejects(RejectFilter(rule="cast")) == 2
    assert ledger.waiting_tables() == ["orders"]


def test_how_many_each_rule_kept_from_whom(ledger: Ledger, run: Run) -> None:
    ledger.add_rejects(start_run(ledger).run_id, "orders", None, [Reject("cast", "of another run", "{}")])
    ledger.add_rejects(run.run_id, "orders", None, [Reject("cast", "a", "{}"), Reject("enum", "b", "{}")] * 2)
    ledger.add_rejects(run.run_id, "orders", Destination.S3, [Reject("cast", "c", "{}")])
    assert ledger.rejected_by_rule(run.run_id) == [
        RejectedRule("orders", Destination.S3, "cast", 1),
        RejectedRule("orders", None, "cast", 2),
        RejectedRule("orders", None, "enum", 2),
    ]


def test_one_record_by_its_number(ledger: Ledger, run: Run) -> None:
    ledger.add_rejects(run.run_id, "customers", Destination.POSTGRESQL, [Reject("cast", "c", "{}")])
    (record,) = ledger.rejects()
    assert ledger.reject(record.reject_id) == record
    assert (record.destination, record.status, record.key) == (Destination.POSTGRESQL, RejectStatus.REJECTED, None)
    assert ledger.reject(record.reject_id + 1) is None


def test_a_key_waits_once_and_again_after_it_was_resolved(run: Run, execute: Execute) -> None:
    execute(INSERT_WAITING, [run.run_id, "waiting"])
    with pytest.raises(psycopg2.errors.UniqueViolation):
        execute(INSERT_WAITING, [run.run_id, "waiting"])
    execute("UPDATE etl.rejects SET status = 'resolved', resolved_at = now()")
    execute(INSERT_WAITING, [run.run_id, "waiting"])


def test_a_waiting_row_has_a_key_and_a_destination(run: Run, execute: Execute) -> None:
    for column in ("key", "destination"):
        execute(INSERT_WAITING, [run.run_id, "rejected"])
        with pytest.raises(psycopg2.errors.CheckViolation):
            execute(f"UPDATE etl.rejects SET status = 'waiting', {column} = NULL")
