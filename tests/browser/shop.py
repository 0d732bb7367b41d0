"""The jobs that the stories load, with records whose faults are known, and what stands in the way of some of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import orjson
import psycopg2

from tests.databases import Execute

FEEDS = 1_500
"""Jobs beside those that the stories load: one searches among thousands."""

JOBS = """\
jobs:
  orders:
    description: Orders of the shop
    target_table: stg_orders
    source: {type: ndjson, path: ../records/orders.ndjson}
    source_id: id
    required: [total]
    batch_size: 250
    workers: 1
    timeouts: {lock: 300, statement: 300}
  returns:
    description: What came back of the orders
    target_table: stg_returns
    source: {type: ndjson, path: ../records/returns.ndjson}
    source_id: id
    required: [reason, customer.name]
    shape: {type: object, properties: {amount: {type: number}, reason: {type: string}}}
    batch_size: 100
    workers: 1
  deliveries:
    description: What is on its way
    target_table: stg_deliveries
    source: {type: ndjson, path: ../records/deliveries.ndjson}
    source_id: id
    batch_size: 100
    workers: 1
    retries: 1
    timeouts: {lock: 0.2}
  nothing:
    description: An export that was empty today
    target_table: stg_nothing
    source: {type: ndjson, path: ../records/nothing.ndjson}
    source_id: id
  gone:
    description: Its file was never delivered
    target_table: stg_nothing
    source: {type: ndjson, path: ../records/absent.ndjson}
    source_id: id
"""

ORDERS = 1_000
HELD_ORDER = 555
RETURNS = 600
MISSING = range(5, 26, 4)
"""Returns without a reason; `MISSING_NAMES` without the customer's name, which is nested; `MISSHAPEN` with an amount
that is text; `NO_IDS` have no id, and one line is no JSON at all: both are rejects."""
MISSING_NAMES = range(206, 216, 3)
MISSHAPEN = range(301, 380, 9)
NO_IDS = (110, 410)
NO_JSON = 511
DELIVERIES = 1_000
HELD_DELIVERIES = (310, 650)
FORBIDDEN_DELIVERY = 820
"""Breaks a CHECK of the table: no retry will mend it."""

FAULTS = """\
CREATE FUNCTION at_the_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock_shared(8400); RETURN NEW; END $$;
CREATE TRIGGER gate BEFORE INSERT ON stg_orders FOR EACH ROW
    WHEN (NEW.source_id LIKE '%-held') EXECUTE FUNCTION at_the_gate();
CREATE TRIGGER gate BEFORE INSERT ON stg_deliveries FOR EACH ROW
    WHEN (NEW.source_id LIKE '%-held') EXECUTE FUNCTION at_the_gate();
ALTER TABLE stg_deliveries ADD CONSTRAINT delivered_to_somebody CHECK (source_id NOT LIKE '%-forbidden');
"""
"""A row that is held waits, as for any lock, for whoever has shut the gate."""


def furnish(conf: Path, records: Path) -> None:
    (conf / "staging").mkdir(parents=True)
    (conf / "staging" / "shop.yaml").write_text(JOBS)
    (conf / "staging" / "feeds.yaml").write_text("jobs:\n" + "".join(map(_feed, range(FEEDS))))
    records.mkdir()
    write_orders(records)
    _write(records / "returns.ndjson", map(_return, range(RETURNS)))
    _write(records / "deliveries.ndjson", (orjson.dumps({"id": _delivery_id(n), "n": n}) for n in range(DELIVERIES)))
    _write(records / "nothing.ndjson", ())


def write_orders(records: Path, count: int = ORDERS, note: str = "first") -> None:
    """Another note makes updates of them, more of them inserts."""
    _write(
        records / "orders.ndjson", (orjson.dumps({"id": order_id(n), "total": n, "note": note}) for n in range(count))
    )


def order_id(number: int) -> str:
    return f"o{number}-held" if number == HELD_ORDER else f"o{number}"


@contextmanager
def gate_shut(url: str) -> Iterator[None]:
    """Rows that are held are not stored until the block ends."""
    with closing(psycopg2.connect(url, application_name="keeper of the gate")) as keeper:
        keeper.cursor().execute("SELECT pg_advisory_lock(8400)")
        keeper.commit()
        yield


def waits_at_the_gate(execute: Execute) -> bool:
    return bool(execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 8400 AND NOT granted"))


def empty(execute: Execute) -> None:
    """Whoever may sign in, who is signed in and the workers stay."""
    execute(
        "TRUNCATE etl_run_requests, etl_run_rejects, etl_run_batches, etl_runs, etl_jobs, "
        "stg_orders, stg_returns, stg_deliveries, stg_nothing CASCADE"
    )


def _feed(number: int) -> str:
    return (
        f"  feed_{number:04d}:\n    description: Feed {number} of the agency\n    target_table: stg_feeds\n"
        "    source: {type: ndjson, path: ../records/feed.ndjson}\n    source_id: id\n"
    )


def _return(number: int) -> bytes:
    if number == NO_JSON:
        return b'{"id": "r511", "reason": '
    customer = {} if number in MISSING_NAMES else {"name": "Ada"}
    record = {"id": f"r{number}", "reason": "too small", "amount": 9.5, "customer": customer}
    if number in MISSING:
        del record["reason"]
    if number in MISSHAPEN:
        record["amount"] = f"{number} <b>EUR</b>"
    if number in NO_IDS:
        record["id"] = None
        record["note"] = "=1+1"
    return orjson.dumps(record)


def _delivery_id(number: int) -> str:
    kind = "-held" if number in HELD_DELIVERIES else "-forbidden" if number == FORBIDDEN_DELIVERY else ""
    return f"d{number}{kind}"


def _write(file: Path, lines: Iterator[bytes] | map[bytes] | tuple[bytes, ...]) -> None:
    file.write_bytes(b"".join(line + b"\n" for line in lines))
