"""The source as a run sees it: its tables' columns under the configuration's names, and when it is let go."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from etl.config.configuration import Configuration
from etl.config.tables.definitions import ParentNames
from etl.extract.factory import Sources
from etl.model import TableDefinition
from etl.pipeline.context import Work


def live_definitions(
    configuration: Configuration, work: Sequence[Work], sources: Sources
) -> dict[str, TableDefinition]:
    """The source's schema as it is now, under the configuration's names; for files, the columns it gives.

    A table that cannot be read keeps what is known of it offline: its own loads will fail when they measure it.
    """
    tables = {each.table.name: each.table for each in work}
    offline = {name: configuration.definitions[name] for name in tables if name in configuration.definitions}
    parents = ParentNames(configuration.tables.values())
    live = sources.definitions(tables.values())
    return offline | {name: parents.put_into(found, configuration.table(name)) for name, found in live.items()}


class ReleaseWhenRead:
    """Lets go of the sources as soon as the last table is materialised: a snapshot holds back its server's vacuum."""

    def __init__(self, sources: Sources, tables: int) -> None:
        self._sources, self._left, self._lock = sources, tables, Lock()

    def __call__(self, tables: int) -> None:
        with self._lock:
            self._left -= tables
            if self._left == 0:
                self._sources.release()
