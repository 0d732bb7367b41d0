"""One table on its way from staging into its target, within the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.tables.modes import deletes_vanished, marks_vanished, replaces_all
from etl.errors import DuplicateKeyError, NullKeyError
from etl.load.base import LoadFacts
from etl.load.postgresql.target.catalog import TargetTable
from etl.load.postgresql.target.contract import Agreement
from etl.load.postgresql.target.design import Design
from etl.load.postgresql.transfer.nulls import count_nulls
from etl.load.postgresql.transfer.run_table import Staged
from etl.model import ConflictResolution, VanishedRows
from etl.statements.postgresql import writing
from etl.statements.postgresql.writing import Write


@dataclass(frozen=True)
class Filled:
    """A staging table that stands filled, and for which write."""

    write: Write
    staged: Staged


@dataclass(frozen=True)
class Publication:
    """A staged table and all that publishing it needs. `staged` is None for rows replayed from the reject table."""

    config: PostgreSQLTableLoadConfig
    design: Design
    agreement: Agreement
    write: Write
    is_new: bool
    staged: Staged | None = None
    facts: LoadFacts | None = None
    are_keys_checked: bool = False
    """Whether NULL and doubled keys were already looked for, by whoever made the frame."""
    started_at: datetime | None = None
    """The run's instant, with which rows are marked that are gone."""
    gone: Filled | None = None
    """The staged keys of rows that the source calls deleted."""

    @property
    def target(self) -> TargetTable:
        return self.agreement.target

    @property
    def filled(self) -> tuple[Filled, ...]:
        """All that was staged for it."""
        own = (Filled(self.write, self.staged),) if self.staged is not None else ()
        return (*own, *((self.gone,) if self.gone is not None else ()))

    @property
    def replaces(self) -> bool:
        """Rows of the target that are not in the batch go."""
        return replaces_all(self.config)

    @property
    def is_whole(self) -> bool:
        """Whether rows that were not staged are gone from the source."""
        lets_go = deletes_vanished(self.config) or marks_vanished(self.config)
        return self.replaces or (lets_go and bool(self.write.match))

    @property
    def deletes_gone(self) -> bool:
        """Rows that are gone go, but for those that others refer to, and those that were refused on their way."""
        is_wanted = self.is_whole or self.gone is not None
        return is_wanted and not self.replaces and not self.marks_gone

    @property
    def marks_gone(self) -> bool:
        if self.gone is not None and not self.is_whole:
            return self.config.deleted_rows is VanishedRows.MARK
        return marks_vanished(self.config) and bool(self.write.match)

    @property
    def finds_gone(self) -> Write:
        """By which it is known which stored rows are gone."""
        return self.gone.write if self.gone is not None and not self.is_whole else self.write

    @property
    def resolution(self) -> ConflictResolution:
        """What happens to a stored row that differs from the incoming one."""
        return ConflictResolution.UPDATE if self.replaces else self.config.conflict_resolution


@dataclass(frozen=True)
class Written:
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    deleted: int = 0
    filled_empty: bool = False
    """The target held no row before: what stands there now is this load alone."""


def check_keys(cursor: Any, publication: Publication) -> None:
    """For frames that nobody has looked at: NULL and doubled keys are refused before anything is written."""
    write, table = publication.write, publication.config.table_name
    if not write.match:
        return
    if not write.null_safe:
        nulls = count_nulls(cursor, write, write.match)
        if nulls:
            found = ", ".join(f"{count} rows with NULL in {name}" for name, count in nulls.items())
            raise NullKeyError(
                f"expected a value in every key column of {table}, found {found}; "
                "reject such rows (`required`) or set `null_safe_key`",
                table=table,
            )
    _refuse_doubled(cursor, publication, "set `deduplicate`")


def check_loose_keys(cursor: Any, publication: Publication) -> None:
    """For frames whose keys differ as they are written: the target's `=` may take two of them for one."""
    if loose := publication.write.loose_match:
        columns = (publication.target.column(name) for name in loose)
        types = ", ".join(f"{column.name} {column.type}" for column in columns if column)
        remedy = f"the target calls them equal ({types}): mend the source, or the type of the target's column"
        _refuse_doubled(cursor, publication, remedy)


def _refuse_doubled(cursor: Any, publication: Publication, remedy: str) -> None:
    write, table = publication.write, publication.config.table_name
    cursor.execute(writing.duplicate_keys(write))
    doubled = cursor.fetchall()
    if doubled:
        raise DuplicateKeyError(
            f"expected each key of {table} once, found {doubled[0][-1]} keys more than once, for example "
            f"{describe_keys(write.match, [row[:-1] for row in doubled])}; {remedy}",
            table=table,
        )


def describe_keys(names: tuple[str, ...], keys: list[tuple[Any, ...]]) -> str:
    """`(id=1, day=2026-01-01), (id=2, …)`."""
    return ", ".join(
        "(" + ", ".join(f"{name}={value}" for name, value in zip(names, key, strict=True)) + ")" for key in keys
    )
