"""Rejects of loaders, with a ledger that lists what it is given."""

from collections.abc import Iterable
from typing import Any, cast

import pytest

from etl.errors import ConnectionLostError
from etl.ledger.ledger import Ledger
from etl.ledger.values import Reject
from etl.model import Destination
from etl.pipeline.tables.rejects import RejectsKeptOnce

ROWS = [Reject("schema:note", "the target has no column note", '{"id":1}')]


class ListingLedger:
    """Each call of add_rejects; the first `failures` of them lose the connection."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.calls: list[tuple[Any, ...]] = []

    def add_rejects(self, run_id: str, table_name: str, destination: Destination, rows: Iterable[Reject]) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionLostError("gone")
        self.calls.append((run_id, table_name, destination, list(rows)))


def test_what_a_second_try_rejects_is_kept_already() -> None:
    ledger = ListingLedger()
    keep = RejectsKeptOnce(cast(Ledger, ledger), "r1")
    keep("things", Destination.S3, ROWS)
    keep("things", Destination.S3, ROWS)
    keep("things", Destination.CLICKHOUSE, ROWS)
    assert ledger.calls == [
        ("r1", "things", Destination.S3, ROWS),
        ("r1", "things", Destination.CLICKHOUSE, ROWS),
    ]


def test_what_the_ledger_did_not_take_is_kept_by_the_second_try() -> None:
    ledger = ListingLedger(failures=1)
    keep = RejectsKeptOnce(cast(Ledger, ledger), "r1")
    with pytest.raises(ConnectionLostError):
        keep("things", Destination.S3, ROWS)
    keep("things", Destination.S3, ROWS)
    assert ledger.calls == [("r1", "things", Destination.S3, ROWS)]
