"""Publishing a staging table into its target: each statement counts exactly what it did.

Rows are found by their key's `=`, as PostgreSQL's own unique index has it, and compared by what is stored, byte by byte
(record_image_ne): `=` calls `1 mon` and `30 days`, `1.5` and `1.50`, 0 and -0, boxes of one size and texts of a loose
collation equal, and points or json cannot be compared at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from etl.model import DELETED_AT
from etl.statements.postgresql.naming import REASON, RULE, STATUS, StagedColumn, Table, column_list, name_list
from etl.statements.quoting import postgresql_column, postgresql_identifier, postgresql_literal

SAMPLE_KEYS = 5

_IS_UNMARKED = f"{postgresql_column('t', DELETED_AT)} IS NULL"

_COLUMNS_OF_A_ROW = 1_600
"""PostgreSQL's own limit is 1,664; keys, places and marks take some."""


@dataclass(frozen=True)
class Write:
    """One staging table on its way into one target.

    `match` is the declared conflict target (the key, if nothing else is said); `settable` are the columns that an
    update may change. `overriding` writes into GENERATED ALWAYS identity columns.
    """

    target: Table
    staging: Table
    columns: tuple[StagedColumn, ...]
    match: tuple[str, ...]
    settable: tuple[str, ...]
    null_safe: bool = False
    overriding: bool = False
    extras: tuple[StagedColumn, ...] = ()
    """Staged columns that the target lacks: looked at (discard_row) and kept with rejected rows, never written."""
    lists_gone: bool = False
    """Its staging table lists keys of rows that are gone, in the place of rows that are there."""

    def column(self, name: str) -> StagedColumn:
        return next(column for column in self.columns if column.name == name)

    @property
    def loose_match(self) -> tuple[str, ...]:
        """Key columns whose `=` takes different values for one key: it gets the new spelling."""
        return tuple(name for name in self.match if name in self.settable)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


def matches(columns: Sequence[StagedColumn], *, stored: str, staged: str, null_safe: bool = False) -> str:
    """The join of two aliases by these columns. Two NULLs are equal where `null_safe`: as text of the whole row,
    because PostgreSQL joins by hash or order on `=` alone. Without columns nothing matches."""
    if not columns:
        return "false"
    if null_safe:
        ours, theirs = (
            _values(columns, staged),
            column_list(stored, [column.name for column in columns]),
        )
        return f"CAST(ROW({theirs}) AS text) = CAST(ROW({ours}) AS text)"
    return " AND ".join(f"{postgresql_column(stored, column.name)} = {column.value(staged)}" for column in columns)


def create_filled(write: Write) -> str:
    """The target itself, with the accepted rows in key order; the columns take the types of the staged values."""
    values = ", ".join(f"{column.value('s')} AS {postgresql_identifier(column.name)}" for column in write.columns)
    return (
        f"CREATE TABLE {write.target.sql} AS SELECT {values} FROM {write.staging.sql} AS s "
        f"WHERE s.{RULE} IS NULL{_order(write)}"
    )


def insert_all(write: Write) -> str:
    """For a target without rows and without other writers."""
    return f"{_insert_head(write)} {_select(write)}{_order(write)}"


def insert_new(write: Write, *, update_raced: bool) -> str:
    """Rows whose key the target lacks, in key order. A row that another writer inserts meanwhile is updated or left."""
    head = f"{_insert_head(write)} {_select(write)} AND {_absent(write)}{_order(write)}"
    if not write.match:
        return head
    arbiter = f" ON CONFLICT ({name_list(write.match)})"
    if not update_raced or not write.settable:
        return f"{head}{arbiter} DO NOTHING"
    sets = ", ".join(
        f"{postgresql_identifier(name)} = excluded.{postgresql_identifier(name)}" for name in write.settable
    )
    differs = _differ(column_list("t", write.settable), column_list("excluded", write.settable))
    return f"{head}{arbiter} DO UPDATE SET {sets} WHERE {differs}"


def update_changed(write: Write) -> str:
    """Rows whose key stands in the target with other content, in key order; equal rows are not rewritten."""
    sets = ", ".join(f"{postgresql_identifier(name)} = {write.column(name).value('s')}" for name in write.settable)
    staged = f"SELECT s.* FROM {write.staging.sql} AS s WHERE s.{RULE} IS NULL{_order(write)}"
    return f"UPDATE {write.target.sql} AS t SET {sets} FROM ({staged}) AS s WHERE {_join(write)} AND {_differs(write)}"


def delete_missing(write: Write) -> str:
    """Rows that stand in the target and not in the staged content."""
    return (
        f"DELETE FROM {write.target.sql} AS t WHERE NOT EXISTS "
        f"(SELECT FROM {write.staging.sql} AS s WHERE {_join(write)} AND s.{RULE} IS NULL)"
    )


def still_needed(write: Write, child: Table, columns: Sequence[str], parent_columns: Sequence[str]) -> str:
    """Keys that `delete_missing` would take away although rows of `child` refer to them, with their number."""
    refers = " AND ".join(
        f"{postgresql_column('c', ours)} = {postgresql_column('t', theirs)}"
        for ours, theirs in zip(columns, parent_columns, strict=True)
    )
    return (
        f"SELECT {column_list('t', write.match)}, count(*) OVER () FROM {write.target.sql} AS t WHERE NOT EXISTS "
        f"(SELECT FROM {write.staging.sql} AS s WHERE {_join(write)} AND s.{RULE} IS NULL) "
        f"AND EXISTS (SELECT FROM {child.sql} AS c WHERE {refers}) LIMIT {SAMPLE_KEYS}"
    )


def count_vanished(write: Write, *, unmarked: bool = False) -> str:
    """(stored rows that are gone, all stored rows). A staged row that is refused is at the source, too. `unmarked`: of
    those alone that are not marked as gone. Listed keys are looked up first: mostly none of them stands any more."""
    stored = f"FROM {write.target.sql} AS t WHERE {_IS_UNMARKED if unmarked else 'true'}"
    if not write.lists_gone:
        return f"SELECT count(*) FILTER (WHERE {_is_gone(write)}), count(*) {stored}"
    found = f"SELECT count(*) AS gone {stored} AND {_is_gone(write)}"
    return f"SELECT gone, CASE WHEN gone > 0 THEN (SELECT count(*) {stored}) ELSE 0 END FROM ({found}) AS found"


def mark_vanished(write: Write, since: datetime) -> str:
    """Stored rows that are gone stay as they are, marked; those that are so already keep their mark."""
    return (
        f"UPDATE {write.target.sql} AS t SET {postgresql_identifier(DELETED_AT)} = {_instant(since)} "
        f"WHERE {_IS_UNMARKED} AND {_is_gone(write)}"
    )


def delete_vanished(write: Write, references: Iterable[tuple[Table, Sequence[str], Sequence[str]]]) -> str:
    """Stored rows that are gone, but for those that another row refers to by one of `references`: the child, its
    columns and the target's."""
    needed = "".join(
        f" AND NOT EXISTS (SELECT FROM {child.sql} AS c WHERE "
        + " AND ".join(
            f"{postgresql_column('c', theirs)} = {postgresql_column('t', ours)}"
            for theirs, ours in zip(columns, parent_columns, strict=True)
        )
        + (" AND c.ctid <> t.ctid)" if child == write.target else ")")
        for child, columns, parent_columns in references
    )
    return f"DELETE FROM {write.target.sql} AS t WHERE {_is_gone(write)}{needed}"


def delete_all(write: Write) -> str:
    return f"DELETE FROM {write.target.sql}"


def same_content(write: Write) -> str:
    """Whether target and staging hold the same rows, each as often: as text, which tells apart what `=` does not."""
    staged = f"CAST(ROW({_values(write.columns, 's')}) AS text)"
    stored = f"CAST(ROW({column_list('t', write.names)}) AS text)"
    accepted = f"FROM {write.staging.sql} AS s WHERE s.{RULE} IS NULL"
    return (
        f"SELECT (SELECT count(*) FROM {write.target.sql}) = (SELECT count(*) {accepted}) AND NOT EXISTS ("
        f"SELECT {staged} {accepted} EXCEPT ALL SELECT {stored} FROM {write.target.sql} AS t)"
    )


def classify(write: Write) -> str:
    """(new, equal, differing): how the staged rows stand to the target."""
    if is_wide(write):
        return (
            f"SELECT staged - present, present - differing, differing FROM (SELECT "
            f"(SELECT count(*) FROM {write.staging.sql} AS s WHERE s.{RULE} IS NULL) AS staged, "
            f"({_count_stored(write)}) AS present, ({_count_differing(write, write.settable)}) AS differing) AS counted"
        )
    differs = _differs(write) if write.settable else "false"
    counted = (
        f"SELECT count(*) AS accepted, count(t.ctid) AS present, "
        f"count(*) FILTER (WHERE t.ctid IS NOT NULL AND {differs}) AS differing "
        f"FROM {write.staging.sql} AS s LEFT JOIN {write.target.sql} AS t ON {_join(write)} WHERE s.{RULE} IS NULL"
    )
    return f"SELECT accepted - present, present - differing, differing FROM ({counted}) AS c"


def differing_keys(write: Write) -> str:
    return (
        f"SELECT {column_list('t', write.match)} FROM {write.staging.sql} AS s JOIN {write.target.sql} AS t "
        f"ON {_join(write)} WHERE s.{RULE} IS NULL AND {_differs(write)} "
        f"ORDER BY {column_list('t', write.match)} LIMIT {SAMPLE_KEYS}"
    )


def count_published(write: Write, names: Sequence[str]) -> str:
    """(accepted rows that stand in the target, those of them that differ in these columns): what the load promised
    against what is."""
    if is_wide(write):
        return f"SELECT ({_count_stored(write)}), ({_count_differing(write, names)})"
    differs = _differs(write, names) if names else "false"
    return (
        f"SELECT count(*), count(*) FILTER (WHERE {differs}) FROM {write.staging.sql} AS s "
        f"JOIN {write.target.sql} AS t ON {_join(write)} WHERE s.{RULE} IS NULL"
    )


def count_outcomes(write: Write) -> str:
    """(accepted, refused) rows of the staging table."""
    return (
        f"SELECT count(*) FILTER (WHERE s.{RULE} IS NULL), count(*) FILTER (WHERE s.{RULE} IS NOT NULL) "
        f"FROM {write.staging.sql} AS s"
    )


def count_refused(write: Write) -> str:
    """Rows that are refused for good, by rule: those that wait for a parent are none of them."""
    return (
        f"SELECT s.{RULE}, count(*), min(s.{REASON}) FROM {write.staging.sql} AS s "
        f"WHERE s.{RULE} IS NOT NULL AND s.{STATUS} = 'rejected' GROUP BY 1 ORDER BY 2 DESC, 1"
    )


def checksum_target(write: Write, checksums: Sequence[str], compared: Sequence[str] = (), *, whole: bool) -> str:
    """Count and checksums over the rows of this load, or of the whole target. `checksums` speak of alias `t`; of the
    load's rows, last, how many differ from the staged ones in the `compared` columns, if there are such."""
    differing = [f"count(*) FILTER (WHERE {_differs(write, compared)})"] if compared and not whole else []
    selected = ", ".join(["count(*)", *checksums, *differing])
    if whole:
        return f"SELECT {selected} FROM {write.target.sql} AS t"
    return (
        f"SELECT {selected} FROM {write.staging.sql} AS s JOIN {write.target.sql} AS t ON {_join(write)} "
        f"WHERE s.{RULE} IS NULL"
    )


def checksum_staging(write: Write, checksums: Sequence[str]) -> str:
    """The same over all that was staged, refused rows too. `checksums` speak of alias `s`."""
    return f"SELECT {', '.join(['count(*)', *checksums])} FROM {write.staging.sql} AS s"


def count_nulls(write: Write, names: Sequence[str]) -> str:
    """One count a column."""
    counts = ", ".join(f"count(*) FILTER (WHERE s.{postgresql_identifier(name)} IS NULL)" for name in names)
    return f"SELECT {counts} FROM {write.staging.sql} AS s WHERE s.{RULE} IS NULL"


def duplicate_keys(write: Write) -> str:
    """Keys that stand more than once, with how many keys there are in all."""
    key = ", ".join(write.column(name).value("s") for name in write.match)
    return (
        f"SELECT {key}, count(*) OVER () FROM {write.staging.sql} AS s WHERE s.{RULE} IS NULL "
        f"GROUP BY {key} HAVING count(*) > 1 LIMIT {SAMPLE_KEYS}"
    )


def is_empty(target: Table) -> str:
    return f"SELECT NOT EXISTS (SELECT FROM {target.sql})"


def count_stored(write: Write) -> str:
    return f"SELECT count(*) FROM {write.target.sql}"


def lock_against_writers(target: Table) -> str:
    """Readers go on; other writers wait until this transaction ends."""
    return f"LOCK TABLE {target.sql} IN SHARE ROW EXCLUSIVE MODE"


def is_wide(write: Write) -> bool:
    """Whether staged and stored columns together are more than a row of a join may hold."""
    return 2 * len(write.columns) >= _COLUMNS_OF_A_ROW


def _count_stored(write: Write) -> str:
    """Staged rows that stand in the target."""
    return (
        f"SELECT count(*) FROM {write.staging.sql} AS s JOIN {write.target.sql} AS t ON {_join(write)} "
        f"WHERE s.{RULE} IS NULL"
    )


def _count_differing(write: Write, names: Sequence[str]) -> str:
    """Of these, the ones that differ: as a condition of the join, which needs no row of both."""
    return f"{_count_stored(write)} AND {_differs(write, names) if names else 'false'}"


def _insert_head(write: Write) -> str:
    overriding = " OVERRIDING SYSTEM VALUE" if write.overriding else ""
    return f"INSERT INTO {write.target.sql} AS t ({name_list(write.names)}){overriding}"


def _select(write: Write) -> str:
    return f"SELECT {_values(write.columns, 's')} FROM {write.staging.sql} AS s WHERE s.{RULE} IS NULL"


def _order(write: Write) -> str:
    return f" ORDER BY {', '.join(write.column(name).value('s') for name in write.match)}" if write.match else ""


def _absent(write: Write) -> str:
    return f"NOT EXISTS (SELECT FROM {write.target.sql} AS t WHERE {_join(write)})" if write.match else "true"


def _instant(at: datetime) -> str:
    return f"TIMESTAMP WITH TIME ZONE {postgresql_literal(at.isoformat())}"


def _is_gone(write: Write) -> str:
    return f"{'' if write.lists_gone else 'NOT '}EXISTS ({_staged_twin(write)})"


def _staged_twin(write: Write) -> str:
    return f"SELECT FROM {write.staging.sql} AS s WHERE {_join(write)}"


def _join(write: Write) -> str:
    columns = [write.column(name) for name in write.match]
    return matches(columns, stored="t", staged="s", null_safe=write.null_safe)


def _differs(write: Write, names: Sequence[str] = ()) -> str:
    compared = names or write.settable
    return _differ(column_list("t", compared), _values([write.column(name) for name in compared], "s"))


def _differ(ours: str, theirs: str) -> str:
    # the function, not its operator: ROW(…) *<> ROW(…) would be taken apart, column by column
    return f"record_image_ne(ROW({ours}), ROW({theirs}))"


def _values(columns: Sequence[StagedColumn], alias: str) -> str:
    return ", ".join(column.value(alias) for column in columns)
