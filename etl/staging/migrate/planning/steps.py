"""The steps of a plan: values that say what is to be done; `what` is the line that is printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from etl.statements.staging.migration import LegacyRows
from etl.statements.staging.tables import Index


@dataclass(frozen=True)
class ChangeTable:
    """DDL that only touches catalogs, in one transaction under a short lock."""

    what: str
    statements: tuple[str, ...]


@dataclass(frozen=True)
class Validate:
    """Reads the whole table; nobody waits for it."""

    constraint: str

    @property
    def what(self) -> str:
        return f"validate {self.constraint}"


@dataclass(frozen=True)
class DropIndex:
    """An index that a broken CREATE INDEX CONCURRENTLY has left."""

    name: str

    @property
    def what(self) -> str:
        return f"drop the invalid index {self.name}"


@dataclass(frozen=True)
class BuildIndex:
    """CONCURRENTLY. A unique one archives the duplicates of `rows` until it stands."""

    index: Index
    rows: LegacyRows

    @property
    def what(self) -> str:
        unique = "unique index" if self.index.is_unique else "index"
        return f"build {unique} {self.index.name} {self.index.definition} concurrently"


@dataclass(frozen=True)
class ArchiveUnusable:
    rows: LegacyRows
    what: str = "move rows without source_id or data, and unreadable ones, into the archive"


@dataclass(frozen=True)
class ArchiveDuplicates:
    rows: LegacyRows
    what: str = "move all but the latest row of each source_id into the archive"


@dataclass(frozen=True)
class Fill:
    """Column → what it shall hold where it is NULL."""

    values: Mapping[str, str]

    @property
    def what(self) -> str:
        return f"fill {', '.join(self.values)} in batches"


@dataclass(frozen=True)
class RegisterLineage:
    """Jobs and runs that rows name are put into the staging ledger; ids it cannot hold become the historical ones."""

    what: str = "register the jobs and runs that rows name"


Step = ChangeTable | Validate | DropIndex | BuildIndex | ArchiveUnusable | ArchiveDuplicates | Fill | RegisterLineage
