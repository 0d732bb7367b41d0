"""What lineage asks of the ledger, beside what every report does."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from etl.model import ColumnDefinition, Destination
from etl.report.values import RecordedLoad


class LineageRecord(RecordedLoad, Protocol):
    """A load (etl.ledger.LoadRecord)."""

    @property
    def started_at(self) -> datetime | None: ...
    @property
    def finished_at(self) -> datetime | None: ...
    @property
    def next_columns(self) -> tuple[ColumnDefinition, ...] | None: ...


class BrokenRule(Protocol):
    """Rows that a rule rejected (etl.ledger.RejectedRule)."""

    @property
    def table_name(self) -> str: ...
    @property
    def destination(self) -> Destination | None: ...
    @property
    def rule(self) -> str: ...
    @property
    def rows(self) -> int: ...
