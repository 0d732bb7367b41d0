"""One table on its way from staging into its target, within the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.tables.modes import deletes_vanished
from etl.errors import ConflictError, ContentionError, DuplicateKeyError, NullKeyError
from etl.load.base import LoadFacts
from etl.load.postgresql.target.catalog import TargetTable
from etl.load.postgresql.target.contract import Agreement
from etl.load.postgresql.target.creation import create_target
from etl.load.postgresql.target.design import Design
from etl.load.postgresql.transfer.nulls import count_nulls
from etl.load.postgresql.transfer.run_table import Staged
from etl.load.vanished import refuse_too_many_vanished
from etl.model import ConflictResolution, WriteMode
from etl.statements.postgresql import writing
from etl.statements.postgresql.naming import Table
from etl.statements.postgresql.writing import Write


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

    @property
    def target(self) -> TargetTable:
        return self.agreement.target

    @property
    def replaces(self) -> bool:
        """Rows of the target that are not in the batch go."""
        return self.config.mode is WriteMode.OVERWRITE

    @property
    def deletes_vanished(self) -> bool:
        """The same, but for rows that others refer to, and rows that were refused on their way."""
        return not self.replaces and deletes_vanished(self.config) and bool(self.write.match)

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


def check_still_needed(cursor: Any, publication: Publication, together: frozenset[Table]) -> None:
    """Before an overwrite: rows that other tables refer to cannot go. Children of the same transaction are left to
    their constraints, which are checked when all tables are in."""
    write = publication.write
    if not publication.replaces or publication.is_new or not write.match:
        return
    for key in publication.target.referenced_by:
        if key.child in together:
            continue
        cursor.execute(writing.still_needed(write, key.child, key.columns, key.parent_columns))
        needed = cursor.fetchall()
        if needed:
            raise ConflictError(
                f"expected to drop the rows of {write.target} that are not in the new content, found {needed[0][-1]} "
                f"rows that {key.child} still refers to ({key.name}), for example "
                f"{describe_keys(write.match, [row[:-1] for row in needed])}; nothing was written. "
                f"Load {key.child} first, or use upsert",
                table=publication.config.table_name,
            )


def write_rows(cursor: Any, publication: Publication, accepted: int) -> Written:
    """The accepted rows of the staging table into the target, by mode and conflict resolution."""
    if publication.is_new:
        return Written(create_target(cursor, publication.design, publication.write), filled_empty=True)
    if accepted == 0 and not publication.replaces:
        return Written()
    if _is_empty(cursor, publication.write):
        cursor.execute(writing.lock_against_writers(publication.write.target))
        if _is_empty(cursor, publication.write):
            return _fill(cursor, publication.write)
    if not publication.write.match:
        return _write_without_key(cursor, publication, accepted)
    deleted = _delete_missing(cursor, publication) if publication.replaces else 0
    if publication.resolution is ConflictResolution.UPDATE:
        return _upsert(cursor, publication.write, accepted, deleted)
    return _insert_only(cursor, publication)


def describe_keys(names: tuple[str, ...], keys: list[tuple[Any, ...]]) -> str:
    """`(id=1, day=2026-01-01), (id=2, …)`."""
    return ", ".join(
        "(" + ", ".join(f"{name}={value}" for name, value in zip(names, key, strict=True)) + ")" for key in keys
    )


def _is_empty(cursor: Any, write: Write) -> bool:
    cursor.execute(writing.is_empty(write.target))
    return bool(cursor.fetchone()[0])


def _fill(cursor: Any, write: Write) -> Written:
    cursor.execute(writing.insert_all(write))
    return Written(inserted=cursor.rowcount, filled_empty=True)


def _upsert(cursor: Any, write: Write, accepted: int, deleted: int) -> Written:
    """Changed rows first, so that a new row may take what a changed one gives up. Looking first pays: reading is done
    in parallel and writing is not, and mostly one of the two statements has nothing to do."""
    cursor.execute(writing.classify(write))
    new, _, differing = cursor.fetchone()
    updated = inserted = 0
    if differing:
        cursor.execute(writing.update_changed(write))
        updated = cursor.rowcount
    if new:
        cursor.execute(writing.insert_new(write, update_raced=True))
        inserted = cursor.rowcount
    return Written(inserted, updated, accepted - inserted - updated, 0, deleted)


def _insert_only(cursor: Any, publication: Publication) -> Written:
    write = publication.write
    cursor.execute(writing.classify(write))
    new, equal, differing = cursor.fetchone()
    if differing and publication.resolution is ConflictResolution.ERROR:
        cursor.execute(writing.differing_keys(write))
        keys = describe_keys(write.match, cursor.fetchall())
        raise ConflictError(
            f"expected new or equal rows for {write.target}, found {differing} keys whose stored row differs, "
            f"for example {keys}; nothing was written. Set `conflict_resolution` to update or skip, or mend the source",
            table=publication.config.table_name,
        )
    cursor.execute(writing.insert_new(write, update_raced=False))
    if cursor.rowcount != new:
        raise ContentionError(f"another writer changed {write.target} while it was being loaded; it is tried again")
    return Written(inserted=new, unchanged=equal, skipped=differing)


def _delete_missing(cursor: Any, publication: Publication) -> int:
    write = publication.write
    cursor.execute(writing.delete_missing(write))
    deleted = int(cursor.rowcount)
    if deleted:
        cursor.execute(writing.count_stored(write))
        refuse_too_many_vanished(publication.config, deleted, deleted + cursor.fetchone()[0], str(write.target))
    return deleted


def _write_without_key(cursor: Any, publication: Publication, accepted: int) -> Written:
    """No key, no comparison row by row: append adds, overwrite replaces unless the content is equal as a whole."""
    write = publication.write
    if not publication.replaces:
        cursor.execute(writing.insert_new(write, update_raced=False))
        return Written(inserted=cursor.rowcount)
    cursor.execute(writing.same_content(write))
    if cursor.fetchone()[0]:
        return Written(unchanged=accepted)
    cursor.execute(writing.delete_all(write))
    deleted = cursor.rowcount
    refuse_too_many_vanished(publication.config, max(deleted - accepted, 0), deleted, str(write.target))
    cursor.execute(writing.insert_all(write))
    return Written(inserted=cursor.rowcount, deleted=deleted)
