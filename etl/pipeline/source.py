"""The source database as a run sees it: one snapshot, and the live schema under the configuration's names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

from etl.config.configuration import Configuration
from etl.config.settings import PostgreSQLSettings
from etl.config.tables.definitions import ParentNames
from etl.config.tables.models import PostgreSQLSource
from etl.errors import UsageError
from etl.extract.postgresql.snapshot import SourceSnapshot
from etl.model import TableDefinition
from etl.pipeline.assignment import Assignment
from etl.pipeline.context import Work


def source_settings(configuration: Configuration) -> PostgreSQLSettings:
    if configuration.settings.source is None:
        raise UsageError("expected a source database, found none; set ETL_SOURCE_POSTGRES_URL or `source` in etl.yaml")
    return configuration.settings.source


@contextmanager
def snapshot_for(configuration: Configuration, assignment: Assignment) -> Iterator[SourceSnapshot | None]:
    """One snapshot of the source database for the whole run; none where all sources are files."""
    if not assignment.reads_postgresql:
        yield None
        return
    with SourceSnapshot(source_settings(configuration)) as snapshot:
        yield snapshot


def live_definitions(
    configuration: Configuration, work: Sequence[Work], snapshot: SourceSnapshot | None
) -> dict[str, TableDefinition]:
    """The source's schema as it is now, under the configuration's names; for files, the columns it gives.

    A table that cannot be read keeps what is known of it offline: its own loads will fail when they measure it.
    """
    names = [each.table.name for each in work]
    definitions = {name: configuration.definitions[name] for name in names if name in configuration.definitions}
    if snapshot is None:
        return definitions
    sources = {
        each.table.name: (each.table.source.schema_name, each.table.source.table)
        for each in work
        if isinstance(each.table.source, PostgreSQLSource)
    }
    live = snapshot.catalog(list(sources.values()))
    parents = ParentNames(configuration.tables.values())
    return definitions | {
        name: parents.put_into(live[place], configuration.table(name))
        for name, place in sources.items()
        if place in live
    }


class ReleaseWhenRead:
    """Ends the source's transaction as soon as the last table is materialised: it holds back the source's vacuum."""

    def __init__(self, snapshot: SourceSnapshot | None, tables: int) -> None:
        self._snapshot, self._left, self._lock = snapshot, tables, Lock()

    def __call__(self, tables: int) -> None:
        with self._lock:
            self._left -= tables
            if self._left == 0 and self._snapshot is not None:
                self._snapshot.close()
