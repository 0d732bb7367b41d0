"""Rows that loaders leave out, into the ledger."""

from __future__ import annotations

from collections.abc import Iterable

from etl.ledger.ledger import Ledger
from etl.ledger.values import Reject
from etl.model import Destination


class RejectsKeptOnce:
    """A run loads a table into a destination once: what a second try of that load rejects is kept already.

    Safe for several threads, as no two of them load the same table into the same destination.
    """

    def __init__(self, ledger: Ledger, run_id: str) -> None:
        self._ledger, self._run_id = ledger, run_id
        self._kept: set[tuple[str, Destination]] = set()

    def __call__(self, table_name: str, destination: Destination, rows: Iterable[Reject]) -> None:
        if (table_name, destination) in self._kept:
            return
        self._ledger.add_rejects(self._run_id, table_name, destination, rows)
        self._kept.add((table_name, destination))
