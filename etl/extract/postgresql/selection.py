"""What an extraction reads of a table, and how PostgreSQL is asked for it."""

from __future__ import annotations

from dataclasses import dataclass

from etl.config.tables.models import TableConfig
from etl.extract.partitions import touched_by
from etl.extract.postgresql.catalog import SourceTable
from etl.extract.postgresql.snapshot import watermark_name
from etl.extract.values import Window
from etl.model import TRANSACTION, WATERMARK, TableDefinition
from etl.statements.quoting import postgresql_name
from etl.statements.source.columns import Reading, reading_of, select_list
from etl.statements.source.transactions import transaction_number
from etl.statements.source.window import window_condition


@dataclass(frozen=True)
class Selection:
    """What is read of a table's window; columns that are gone from the source come as NULL."""

    table: TableConfig
    source: SourceTable
    readings: tuple[Reading, ...]
    gone: tuple[Reading, ...]
    window: Window

    @classmethod
    def of(cls, table: TableConfig, source: SourceTable, definition: TableDefinition, window: Window) -> Selection:
        readings = [reading_of(column) for column in definition.columns]
        standing = tuple(reading for reading in readings if not reading.column.gone)
        gone = tuple(reading for reading in readings if reading.column.gone)
        return cls(table, source, standing, gone, window)

    @property
    def has_unreadable(self) -> bool:
        return any(reading.unreadable for reading in self.readings)

    @property
    def watermark(self) -> Reading | None:
        name = watermark_name(self.table)
        return self._reading(name) if name else None

    @property
    def has_transaction(self) -> bool:
        return self.window.unseen is not None

    @property
    def types(self) -> dict[str, str]:
        """What the source calls the types of the frame's columns."""
        types = {reading.column.name: reading.column.type for reading in (*self.readings, *self.gone)}
        return types | ({WATERMARK: self.watermark.column.type} if self.watermark else {})

    def query(self, *more: str) -> str:
        """The columns as they travel, the hidden ones (what a frame cannot hold, the transaction), and `more`."""
        columns = select_list(self.readings, with_unreadable=self.has_unreadable)
        transaction = [f"{transaction_number(self.window.unseen)} AS {TRANSACTION}"] if self.window.unseen else []
        selected = ", ".join([columns, *transaction, *more])
        known = {column.name: column for column in self.source.definition.columns}
        mark, day = known.get(watermark_name(self.table) or ""), known.get(touched_by(self.table) or "")
        name = postgresql_name(self.source.schema, self.source.definition.name)
        return f"SELECT {selected} FROM {name} WHERE {window_condition(self.window, mark, day)}"

    def _reading(self, name: str) -> Reading:
        return next(reading for reading in self.readings if reading.column.name == name)
