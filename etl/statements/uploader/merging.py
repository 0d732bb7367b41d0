"""SQL of the uploader: a temporary table for each batch, and the merge of that table into the target.

Identifiers are stricter here than PostgreSQL's own rule, because they come from a command line: letters, digits and
underscores, then quoted, so that case and reserved words are kept. Nothing else of a statement comes from outside.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from etl.errors import UsageError
from etl.postgresql_types import base_type
from etl.statements.quoting import postgresql_column, postgresql_identifier

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_TEXT_LIKE = ("text", "character varying", "character", "name")
VECTORS = frozenset({"vector", "halfvec"})
"""pgvector's, whose text is that of a JSON array of numbers."""

_ROUNDED = ("numeric", "timestamp", "time", "interval")
_UNBOUNDED = {"bit": "bit varying", "bit[]": "bit varying[]", "character": "bpchar", "character[]": "bpchar[]"}


def quote_identifier(name: str) -> str:
    """`"name"`; raises UsageError for anything but `^[A-Za-z_][A-Za-z0-9_]*$` of at most 63 bytes."""
    if not _IDENTIFIER.fullmatch(name):
        raise UsageError(f"expected an identifier (letters, digits, underscores, no digit first), found {name!r}")
    return postgresql_identifier(name)


def quote_table(name: str) -> str:
    """`schema.table` or `table`, part by part."""
    parts = name.split(".")
    if len(parts) > 2:
        raise UsageError(f"expected table or schema.table, found {name!r}")
    return ".".join(quote_identifier(part) for part in parts)


def is_text_like(type_name: str) -> bool:
    return base_type(type_name) in _TEXT_LIKE


@dataclass(frozen=True)
class UploadColumn:
    """A column of the target: `type` is its own, `staged_type` what it has in the temporary table; `through` is a type
    that a staged text is read as on its way, `collation` the target's as SQL, where it is not the database's.

    `is_exact`: values that `=` calls equal are the same ones. 1.5 = 1.50 and '30 days' = '1 mon', so that numeric and
    interval are not. `is_asked`: every staged value is known to be one of the type.
    """

    name: str
    type: str
    staged_type: str
    through: str | None = None
    collation: str = ""
    is_exact: bool = False
    is_asked: bool = False

    @property
    def value(self) -> str:
        """The staged value as it will be stored, for INSERT, which assigns: that checks lengths, where a cast with a
        length would cut off. With the target's collation, by which its index tells keys apart and its rows sort."""
        collation = f" COLLATE {self.collation}" if self.collation else ""
        return f"{self._read}{collation}"

    @property
    def _read(self) -> str:
        column = postgresql_column("s", self.name)
        if self.staged_type == self.type:
            return column
        read = f"CAST({column} AS {self.through})" if self.through else column
        return f"CAST({read} AS {self.type if self.is_asked else _castable(self.type)})"

    @property
    def text_of_staged(self) -> str:
        return f"CAST({postgresql_column('s', self.name)} AS text)"

    @property
    def has_exact_operator(self) -> bool:
        """Whether IS DISTINCT FROM tells any two of its comparable values apart."""
        return self.is_exact or is_text_like(self.type)

    def comparable(self, alias: str) -> str:
        """A staged or stored value, so that two are told apart by what would be stored of them; both of one type."""
        column = postgresql_column(alias, self.name)
        if self.is_exact:
            return column
        if is_text_like(self.type):
            return f'CAST({column} AS text) COLLATE "C"'
        cast = _castable(self.type)
        return column if base_type(cast) == base_type(self.type) else f"CAST({column} AS {cast})"


@dataclass(frozen=True)
class OrderBy:
    name: str
    descending: bool

    @property
    def direction(self) -> str:
        return "DESC NULLS LAST" if self.descending else "ASC NULLS LAST"

    @property
    def operator(self) -> str:
        return ">" if self.descending else "<"


@dataclass(frozen=True)
class Upload:
    """One temporary table on its way into one target.

    `target` is quoted SQL, `staging` a bare name. `settable` are the columns that an update may change: not GENERATED
    ALWAYS, and of the key only those where keys can be equal and yet not the same. With `order_by` of rows with one key
    the first in this order is kept, in the batch and against the stored row. `is_partitioned`: no row of it tells
    whether it was there before.
    """

    target: str
    staging: str
    columns: tuple[UploadColumn, ...]
    key: tuple[str, ...] = ()
    settable: tuple[str, ...] = ()
    order_by: tuple[OrderBy, ...] = ()
    overriding: bool = False
    is_partitioned: bool = False

    def column(self, name: str) -> UploadColumn:
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, UploadColumn]:
        return {column.name: column for column in self.columns}

    @property
    def names(self) -> str:
        return ", ".join(postgresql_identifier(column.name) for column in self.columns)

    @property
    def key_names(self) -> str:
        return ", ".join(postgresql_identifier(name) for name in self.key)


@dataclass(frozen=True)
class TempColumn:
    """`is_filled`: COPY does not bring it; every row has the empty text."""

    name: str
    type: str
    not_null: bool = False
    is_filled: bool = False

    @property
    def definition(self) -> str:
        endings = " NOT NULL" * self.not_null + " DEFAULT ''" * self.is_filled
        return f"{postgresql_identifier(self.name)} {self.type}{endings}"


def create_temp_table_sql(name: str, columns: Sequence[TempColumn]) -> str:
    """It lives as long as its transaction: behind a transaction pooler the session is somebody else's afterwards."""
    definitions = [column.definition for column in columns]
    return f"CREATE TEMPORARY TABLE {quote_identifier(name)} ({', '.join(definitions)}) ON COMMIT DROP"


def upsert_sql(upload: Upload) -> str:
    """(inserted, updated): rows whose key is new, and rows that were stored otherwise.

    Rows that stand in the target as they are are left out by reading alone, neither locked nor written.
    """
    if upload.is_partitioned and upload.settable:
        return _looked_up_upsert(upload)
    chosen = f"({_staged(upload)}) AS s{_unless_equal(upload)}"
    if not upload.settable:
        return f"WITH written AS ({_insert(upload, chosen)}{_on_conflict(upload)} RETURNING 1) {_ALL_NEW}"
    return (
        f"WITH written AS ({_insert(upload, chosen)}{_on_conflict(upload)} RETURNING (t.xmax = 0) AS is_new) "
        "SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM written"
    )


def insert_sql(upload: Upload) -> str:
    """(inserted, 0): every staged row is a new one."""
    return f"WITH written AS ({_insert(upload, f'({_staged(upload)}) AS s')} RETURNING 1) {_ALL_NEW}"


def lost_rows_sql(upload: Upload) -> str:
    """After an upsert: how many staged rows have no row of their key in the target."""
    return (
        f"SELECT count(*) FROM ({_staged(upload)}) AS s "
        f"WHERE NOT EXISTS (SELECT FROM {upload.target} AS o WHERE {_same_key(upload)})"
    )


def leave_out_sql(upload: Upload) -> str:
    """$1: the positions of the rows that are not to be written, bigint[]."""
    left_out = f"SELECT place FROM ({positions_sql(upload)}) AS p WHERE position = ANY ($1::bigint[])"
    return f"DELETE FROM {quote_identifier(upload.staging)} WHERE ctid = ANY (ARRAY({left_out}))"


def positions_sql(upload: Upload) -> str:
    """(place, position): where a staged row stands, and which row of its batch it is, from 1. COPY into a table of its
    own transaction only ever appends; a column for the number would be one too many for a table of 1,600."""
    staging = quote_identifier(upload.staging)
    return f"SELECT ctid AS place, row_number() OVER (ORDER BY ctid) AS position FROM {staging}"


def duplicate_keys_sql(upload: Upload, limit: int) -> str:
    """(key…, times, number of such keys)"""
    keys = ", ".join(upload.column(name).value for name in upload.key)
    return (
        f"SELECT {keys}, count(*), count(*) OVER () FROM {quote_identifier(upload.staging)} AS s "
        f"GROUP BY {', '.join(str(place + 1) for place in range(len(upload.key)))} HAVING count(*) > 1 LIMIT {limit}"
    )


def has_duplicate_keys_sql(upload: Upload) -> str:
    keys = ", ".join(upload.column(name).value for name in upload.key)
    return (
        f"SELECT (SELECT count(*) FROM {quote_identifier(upload.staging)}) > "
        f"(SELECT count(*) FROM (SELECT DISTINCT {keys} FROM {quote_identifier(upload.staging)} AS s) AS d)"
    )


def deduplicated_sql(upload: Upload) -> str:
    """How many staged rows give way to another of the same key."""
    keys = ", ".join(upload.column(name).value for name in upload.key)
    return f"SELECT count(*) - count(DISTINCT ({keys})) FROM {quote_identifier(upload.staging)} AS s"


def without_length(type_name: str) -> str:
    """The type that takes every value of another length, too; `character` and `bit` alone mean a length of one."""
    bare = base_type(type_name)
    return _UNBOUNDED.get(bare, bare)


def is_unbounded_text(type_name: str) -> bool:
    return type_name in ("text", "character varying")


# --- the pieces -----------------------------------------------------------------------------------------------------


_ALL_NEW = "SELECT count(*), 0::bigint FROM written"


def _insert(upload: Upload, chosen: str) -> str:
    overriding = " OVERRIDING SYSTEM VALUE" if upload.overriding else ""
    order = f" ORDER BY {upload.key_names}" if upload.key else ""
    return f"INSERT INTO {upload.target} AS t ({upload.names}){overriding} SELECT {upload.names} FROM {chosen}{order}"


def _looked_up_upsert(upload: Upload) -> str:
    """A partitioned table returns no xmax: its keys are looked up before. What another session writes meanwhile may
    move a row from `inserted` to `updated`."""
    is_stored = f'EXISTS (SELECT FROM {upload.target} AS o WHERE {_same_key(upload)}) AS "@is_stored"'
    return (
        f"WITH chosen AS (SELECT {upload.names}, {is_stored} FROM ({_staged(upload)}) AS s{_unless_equal(upload)}), "
        f"written AS ({_insert(upload, 'chosen')}{_on_conflict(upload)} RETURNING 1), "
        'counted AS (SELECT count(*) FILTER (WHERE "@is_stored") AS of_stored, '
        "(SELECT count(*) FROM written) AS of_all FROM chosen) "
        "SELECT of_all - least(of_all, of_stored), least(of_all, of_stored) FROM counted"
    )


def _staged(upload: Upload) -> str:
    """The staged rows in the target's types, one a key where an order decides."""
    values = ", ".join(f"{column.value} AS {postgresql_identifier(column.name)}" for column in upload.columns)
    selected = f"SELECT {values} FROM {quote_identifier(upload.staging)} AS s"
    if not upload.order_by:
        # in the index's order before the look into it, which then finds its pages in the cache, and for the locks' sake
        return f"{selected} ORDER BY {upload.key_names}" if upload.key else selected
    order = ", ".join(f"{postgresql_identifier(each.name)} {each.direction}" for each in upload.order_by)
    return (
        f"SELECT DISTINCT ON ({upload.key_names}) * FROM ({selected}) AS s "
        f"ORDER BY {upload.key_names}, {order}, {_row_text(upload, 's')} DESC"
    )


def _unless_equal(upload: Upload) -> str:
    same_key = _same_key(upload)
    if not upload.settable:
        return f" WHERE NOT EXISTS (SELECT FROM {upload.target} AS o WHERE {same_key})"
    keeps = f"NOT ({_differs(upload, 'o', 's')})"
    if upload.order_by:
        keeps = f"({keeps} OR NOT {_is_later(upload, 's', 'o')})"
    return f" WHERE NOT EXISTS (SELECT FROM {upload.target} AS o WHERE {same_key} AND {keeps})"


def _same_key(upload: Upload) -> str:
    return " AND ".join(f"{_key(upload, 'o', name)} = {_key(upload, 's', name)}" for name in upload.key)


def _key(upload: Upload, alias: str, name: str) -> str:
    """PostgreSQL has no `=` between bit[] and bit varying[], which a staged text is read as."""
    column = postgresql_column(alias, name)
    return f"CAST({column} AS bit varying[])" if base_type(upload.column(name).type) == "bit[]" else column


def _on_conflict(upload: Upload) -> str:
    head = f" ON CONFLICT ({upload.key_names})"
    if not upload.settable:
        return f"{head} DO NOTHING"
    sets = ", ".join(
        f"{postgresql_identifier(name)} = excluded.{postgresql_identifier(name)}" for name in upload.settable
    )
    later = f" AND {_is_later(upload, 'excluded', 't')}" if upload.order_by else ""
    return f"{head} DO UPDATE SET {sets} WHERE ({_differs(upload, 't', 'excluded')}){later}"


def _differs(upload: Upload, stored: str, new: str) -> str:
    """Whether the rows are not the same, value by value: `=` will do where a type has it exact, and costs nothing more
    than it did; for all other types their bytes are compared."""
    columns = [upload.column(name) for name in upload.settable]
    exact = [column for column in columns if column.has_exact_operator]
    others = [column for column in columns if not column.has_exact_operator]
    by_operator = f"{_row(exact, stored)} IS DISTINCT FROM {_row(exact, new)}"
    by_bytes = f"record_image_ne({_row(others, stored)}, {_row(others, new)})"
    return " OR ".join([by_operator] * bool(exact) + [by_bytes] * bool(others))


def _row(columns: Sequence[UploadColumn], alias: str) -> str:
    return f"ROW({', '.join(column.comparable(alias) for column in columns)})"


def _is_later(upload: Upload, new: str, stored: str) -> str:
    """Whether the new row goes before the stored one; of equal ones the greater text decides, so that the outcome
    depends on neither batches nor workers."""
    cases = " ".join(
        f"WHEN {postgresql_column(new, each.name)} IS DISTINCT FROM {postgresql_column(stored, each.name)} THEN "
        f"coalesce({postgresql_column(new, each.name)} {each.operator} {postgresql_column(stored, each.name)}, "
        f"{postgresql_column(stored, each.name)} IS NULL)"
        for each in upload.order_by
    )
    return f"CASE {cases} ELSE {_row_text(upload, new)} > {_row_text(upload, stored)} END"


def _row_text(upload: Upload, alias: str) -> str:
    values = ", ".join(postgresql_column(alias, column.name) for column in upload.columns)
    return f'CAST(ROW({values}) AS text) COLLATE "C"'


def _castable(type_name: str) -> str:
    """Rounded as the target rounds, so that what is compared is what will be stored; but no length, which a cast would
    cut off at."""
    return type_name if type_name.startswith(_ROUNDED) else without_length(type_name)
