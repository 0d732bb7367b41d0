"""From a kind of source to its reader. A new kind is one folder here and one line in this file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from pyspark.sql import SparkSession

from etl.config.settings import Settings
from etl.config.tables.models import TableConfig
from etl.extract.files.reader import FileReader
from etl.extract.postgresql.reader import PostgreSQLReader
from etl.extract.reader import SourceReader
from etl.model import TableDefinition

READERS: Mapping[str, type[SourceReader]] = {"postgresql": PostgreSQLReader, "file": FileReader}
"""By `source.type` of a table's entry."""


class Sources:
    """The readers of one run, one for each kind of source that its tables have."""

    def __init__(self, readers: Mapping[str, SourceReader]) -> None:
        self._readers = readers

    def of(self, table: TableConfig) -> SourceReader:
        return self._readers[table.source.type]

    def definitions(self, tables: Iterable[TableConfig]) -> dict[str, TableDefinition]:
        """What all readers know of these tables before they read them."""
        found: dict[str, TableDefinition] = {}
        for kind, of_kind in _by_kind(tables).items():
            found |= self._readers[kind].definitions(of_kind)
        return found

    def cancel(self) -> None:
        for reader in self._readers.values():
            reader.cancel()

    def release(self) -> None:
        for reader in self._readers.values():
            reader.release()


def require_sources(settings: Settings, tables: Iterable[TableConfig]) -> None:
    """UsageError where the configuration does not say where these tables are."""
    for kind in _by_kind(tables):
        READERS[kind].require(settings)


@contextmanager
def open_sources(spark: SparkSession, settings: Settings, tables: Iterable[TableConfig]) -> Iterator[Sources]:
    with ExitStack() as opened:
        yield Sources({kind: opened.enter_context(READERS[kind].opened(spark, settings)) for kind in _by_kind(tables)})


def _by_kind(tables: Iterable[TableConfig]) -> dict[str, list[TableConfig]]:
    kinds: dict[str, list[TableConfig]] = {}
    for table in tables:
        kinds.setdefault(table.source.type, []).append(table)
    return kinds
