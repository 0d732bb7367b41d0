"""One exported snapshot of the operational PostgreSQL for the whole run: every table is read as of the same instant."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import BinaryIO

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from etl.config.settings import PostgreSQLSettings
from etl.config.tables.models import PostgreSQLSource, RowSecurity, TableConfig
from etl.errors import EtlError, SourceError
from etl.extract.partitions import touched_by, whole_partitions
from etl.extract.postgresql.catalog import Place, SourceTable, read_catalog
from etl.extract.postgresql.door import connect, source_door
from etl.extract.postgresql.seen import SeenSnapshot, require_transactions, see
from etl.extract.values import Measurement, Unseen, Window
from etl.model import ColumnDefinition, ExtractMode, TableDefinition
from etl.nearest import suggestion
from etl.postgresql.connection import reading
from etl.postgresql.silence import WatchedConnection, give_up
from etl.postgresql_types import OLDEST_SOURCE, WATERMARK_TYPES, is_watermark_type
from etl.statements.postgresql import row_security
from etl.statements.quoting import postgresql_literal
from etl.statements.source.window import measure_statement

BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class SourceSnapshot:
    """Holds the exporting transaction, and a lock that keeps DDL and TRUNCATE off the run's tables, until it exits.

    Several threads may measure at the same time: each has a connection of its own, joined to the snapshot.
    """

    def __init__(self, settings: PostgreSQLSettings, lock_timeout_seconds: int = 30) -> None:
        self.settings = settings
        self.snapshot_id = ""
        self.exported_at = ""
        self._lock_timeout_seconds = lock_timeout_seconds
        self._connection: WatchedConnection | None = None
        self._guard = threading.Lock()
        self._joined: set[WatchedConnection] = set()
        self._idle: defaultdict[str, list[WatchedConnection]] = defaultdict(list)
        self._tables: dict[Place, SourceTable] = {}
        self._refused: dict[Place, str] = {}
        self._seen: SeenSnapshot | None = None
        self._followed: set[Place] = set()

    def __enter__(self) -> SourceSnapshot:
        with source_door(self.settings, "opening the run's snapshot"):
            connection = connect(self.settings)
            try:
                self.snapshot_id = self._export(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the transaction early: a snapshot held longer than needed holds back the source's vacuum."""
        for idle in self._idle.values():
            while idle:
                joined = idle.pop()
                self._joined.discard(joined)
                joined.close()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def cancel(self) -> None:
        """Ends what is being measured and looked up: a run that is given up waits for no answer, nor for a server that
        gives none."""
        for connection in [*self._joined, *([self._connection] if self._connection else [])]:
            give_up(connection)

    def catalog(self, tables: Sequence[Place]) -> dict[Place, TableDefinition]:
        """The live schema of these (schema, table) pairs; locks the tables for the run.

        One that cannot be read is left out: `source_table` says why to whoever asks for it.
        """
        if not tables:
            return {}
        with self._guard, source_door(self.settings, "reading the source's schema"), self._cursor() as cursor:
            catalog = read_catalog(cursor, self.settings, tables)
            self._tables.update(catalog.tables)
            self._refused.update(catalog.refused)
        return {place: table.definition for place, table in catalog.tables.items()}

    def measure(self, table: TableConfig, window: Window, expression_hash: str = "") -> Measurement:
        """One statement inside the snapshot. `expression_hash` stands for what is done to the rows afterwards."""
        source = self.source_table(table)
        watermark = self._column(source, watermark_name(table), table.name)
        if watermark is not None and not is_watermark_type(watermark.type):
            raise SourceError(
                f"{source.qualified_name}: expected the watermark {watermark.name!r} to be {WATERMARK_TYPES}, "
                f"found {watermark.type}",
                table=table.name,
            )
        date_column = self._column(source, touched_by(table), table.name)
        seen = self._seen_by(table)
        statement = measure_statement(
            source.schema,
            source.definition.name,
            window,
            watermark,
            date_column,
            table.extract.overlap_seconds,
            clock=f"timestamptz {postgresql_literal(self.exported_at)}",
            columns=source.definition.columns,
            open_transactions=seen.open_transactions if seen else None,
        )
        with self.blamed(), self._joined_cursor(table, "measuring the table") as cursor:
            cursor.execute(statement)
            rows, mark, fingerprint, tail, days, widest = _only_row(cursor)
        stamp = f"{expression_hash}:" if expression_hash else ""
        return Measurement(
            rows=rows,
            fingerprint=stamp + fingerprint,
            tail_fingerprint=stamp + (fingerprint if tail is None else tail),
            upper_mark=mark,
            blocks=source.blocks,
            touched_dates=whole_partitions(table, days or ()),
            widest_row_bytes=int(widest),
            snapshot=str(seen) if seen else None,
        )

    def unseen(self, table: TableConfig, snapshot: str | None) -> Unseen:
        """What is visible now and was not in the `snapshot` of an earlier measurement."""
        seen = self._seen_by(table)
        return seen.unseen(SeenSnapshot.kept(snapshot)) if seen and snapshot else Unseen()

    def copy(self, table: TableConfig, statement: str, text: BinaryIO) -> None:
        """Writes what a COPY to STDOUT says inside the snapshot."""
        with self.blamed(), self._joined_cursor(table, "reading the table") as cursor:
            cursor.copy_expert(statement, text)

    def source_table(self, table: TableConfig) -> SourceTable:
        """What the catalog said of a table; asks it where nobody has yet. SourceError where it cannot be read."""
        if not isinstance(table.source, PostgreSQLSource):
            raise SourceError(f"expected a table of PostgreSQL, found one of files: {table.name}", table=table.name)
        place = (table.source.schema_name, table.source.table)
        if place not in self._tables and place not in self._refused:
            self.catalog([place])
        if place in self._refused:
            raise SourceError(self._refused[place], table=table.name)
        return self._tables[place]

    def _seen_by(self, table: TableConfig) -> SeenSnapshot | None:
        """None where the table does not follow transactions; SourceError where its rows know none."""
        if not table.extract.follows_transactions:
            return None
        source = self.source_table(table)
        with self._guard, self._cursor() as cursor:
            if source.place not in self._followed:
                require_transactions(cursor, self.settings, source, table.name)
                self._followed.add(source.place)
            self._seen = self._seen or see(cursor, self.settings)
            return self._seen

    def check_alive(self) -> None:
        """A snapshot that died cannot be had again: what is read after it would be another state."""
        try:
            with self._guard, source_door(self.settings, "holding the run's snapshot"), self._cursor() as cursor:
                cursor.execute("SELECT 1")
        except EtlError as error:
            raise self._died() from error

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Around a read: where it fails since the snapshot died, the error says so, whatever the reader heard."""
        try:
            yield
        except Exception:
            self.check_alive()
            raise

    def session_statement(self, table: TableConfig) -> str:
        """Joins the open transaction of one of the table's readers to the snapshot."""
        # The transaction must be told before its first query
        join = f"SET TRANSACTION SNAPSHOT {postgresql_literal(self.snapshot_id)}"
        security = [row_security.FILTER] if is_filtered_by_role(table) else []
        return "; ".join(
            ["SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY", join, *reading(self.settings), *security]
        )

    def _export(self, connection: Connection) -> str:
        if connection.server_version < OLDEST_SOURCE:
            raise SourceError(
                f"expected PostgreSQL 14 or newer at {self.settings.address}, "
                f"found {connection.server_version // 10000}"
            )
        with connection.cursor() as cursor:
            # reading a table's size waits for its locks too
            cursor.execute("; ".join([BEGIN, *reading(self.settings, self._lock_timeout_seconds)]))
            cursor.execute("SELECT pg_export_snapshot(), now()::text")
            snapshot_id, self.exported_at = map(str, _only_row(cursor))
            return snapshot_id

    def _cursor(self) -> Cursor:
        if self._connection is None:
            raise SourceError("the run's snapshot is not open; use `with SourceSnapshot(settings) as snapshot`")
        if self._connection.closed:
            raise self._died()
        cursor: Cursor = self._connection.cursor()
        return cursor

    @contextmanager
    def _joined_cursor(self, table: TableConfig, doing: str) -> Iterator[Cursor]:
        """Of a connection that is used again, unless what was asked through it failed."""
        session = self.session_statement(table)
        with source_door(self.settings, doing, table.name):
            connection = self._idle_connection(session)
            with connection.cursor() as cursor:
                try:
                    yield cursor
                except BaseException:
                    self._joined.discard(connection)
                    connection.close()
                    raise
            self._idle[session].append(connection)

    def _idle_connection(self, session: str) -> WatchedConnection:
        """One whose transaction has begun with this statement."""
        try:
            return self._idle[session].pop()
        except IndexError:
            connection = connect(self.settings)
        self._joined.add(connection)
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"BEGIN; {session}")
        except BaseException:
            self._joined.discard(connection)
            connection.close()
            raise
        return connection

    def _column(self, source: SourceTable, name: str | None, table: str) -> ColumnDefinition | None:
        if name is None:
            return None
        names = source.definition.column_names
        if name not in names:
            raise SourceError(f"{source.qualified_name} has no column {name!r}; {suggestion(name, names)}", table=table)
        return source.definition.column(name)

    def _died(self) -> SourceError:
        return SourceError(
            f"the run's snapshot at {self.settings.address} is gone: its transaction was ended by the server or the "
            "network; what was not read yet must be read by a new run (--resume)"
        )


def watermark_name(table: TableConfig) -> str | None:
    """The column an incremental extraction follows; None where the table is read whole."""
    return table.extract.watermark if table.extract.mode is ExtractMode.INCREMENTAL else None


def is_filtered_by_role(table: TableConfig) -> bool:
    """Whether the rows that the role sees under row-level security are what is meant."""
    return isinstance(table.source, PostgreSQLSource) and table.source.row_security is RowSecurity.FILTER


def _only_row(cursor: Cursor) -> tuple:  # type: ignore[type-arg]
    row = cursor.fetchone()
    if row is None:
        raise SourceError("expected one row from the source, found none")
    return row
