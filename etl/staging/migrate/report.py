"""What a migration did, table by table; the numbers add up."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from etl.staging.migrate.adopting import Adoption


class TableStatus(StrEnum):
    MIGRATED = "migrated"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class TableReport:
    """Rows are counted for tables that had something to do. `reason` says why one was skipped or failed."""

    table: str
    status: TableStatus
    reason: str | None = None
    notes: tuple[str, ...] = ()
    steps_done: int = 0
    rows_before: int = 0
    rows_kept: int = 0
    rows_archived: int = 0
    """Duplicates."""
    rows_quarantined: int = 0
    seconds: float = 0.0

    @property
    def rows_written_meanwhile(self) -> int:
        """What writers added, less what they deleted: kept + archived + quarantined = before + this."""
        return self.rows_kept + self.rows_archived + self.rows_quarantined - self.rows_before


@dataclass(frozen=True)
class MigrationReport:
    address: str
    schema: str
    tables: tuple[TableReport, ...]
    adopted: tuple[Adoption, ...] = ()

    @property
    def is_success(self) -> bool:
        return not self.of(TableStatus.FAILED)

    def of(self, status: TableStatus) -> list[TableReport]:
        return [table for table in self.tables if table.status is status]
