"""A table with foreign keys is published after its parents of the same run."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from threading import Event

from etl.errors import ContentionError
from etl.interruption import require_uninterrupted
from etl.model import TableDefinition
from etl.pipeline.order import parents_of, publication_units

WAIT_SECONDS = 4 * 3600


class PublicationOrder:
    """One event a table, set when its load into the store with foreign keys ended (well or not).

    `units` are started in the order of their parents, so whoever is waited for has been started: no deadlock.
    """

    def __init__(self, names: Iterable[str], definitions: Mapping[str, TableDefinition]) -> None:
        self._definitions = definitions
        self._ended = {name: Event() for name in names}
        self.units = publication_units(self._ended, definitions)
        self._unit_of = {name: unit for unit in self.units for name in unit}

    def wait_for_parents(self, table: str) -> None:
        """Returns when every parent's load has ended; orphans of a parent that failed are the loader's to reject.

        The tables of a cycle never wait for one another: they end together.
        """
        for parent in parents_of(table, self._definitions) - set(self._unit_of.get(table, ())):
            event = self._ended.get(parent)
            if event is not None and not _wait(event):
                raise ContentionError(f"waited {WAIT_SECONDS} s for {parent}, the parent of {table}", table=table)

    def ended(self, tables: Iterable[str]) -> None:
        for table in tables:
            self._ended[table].set()


def _wait(event: Event) -> bool:
    deadline = time.monotonic() + WAIT_SECONDS
    while not event.wait(1):
        require_uninterrupted()
        if time.monotonic() >= deadline:
            return False
    return True
