"""The target table: what it is, whether these files can go into it, and how it is made where it is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import asyncpg
import orjson

from etl.errors import SchemaMismatchError, UsageError
from etl.ingestion.database.connection import Connection
from etl.ingestion.model import Header, Mode, UploadOptions
from etl.ingestion.upload.manifest import statement
from etl.postgresql.columns import StoredColumn
from etl.postgresql.sqlstates import transient_kind
from etl.postgresql_types import EXACT, base_type
from etl.statements.postgresql.naming import Table
from etl.statements.postgresql.sequences import advance_sequence
from etl.statements.quoting import postgresql_known_identifier
from etl.statements.uploader.awaited_key import await_key, awaited_key, column_definitions, try_key
from etl.statements.uploader.merging import VECTORS, is_text_like, quote_identifier, quote_table

_WHOLE = frozenset({"smallint", "integer", "bigint", "numeric"})
_FRACTIONAL = frozenset({"real", "double precision", "numeric"})
_BOXES = frozenset({"uuid", "json", "jsonb", "inet", "cidr", "macaddr", "xml", "citext", "name"})
"""Types that text is the usual way into."""

_WITHOUT_INPUT = frozenset(
    {
        "gtsvector",
        "pg_brin_bloom_summary",
        "pg_brin_minmax_multi_summary",
        "pg_dependencies",
        "pg_mcv_list",
        "pg_ndistinct",
        "pg_node_tree",
    }
)


@dataclass(frozen=True)
class TargetColumn(StoredColumn):
    """`plain_type`: under all domains, and `anyenum` for an enumeration that is under none. `collation`: as SQL,
    where it is not the database's."""

    sequence: dict[str, object] | None = None
    plain_type: str = ""
    is_domain_of_enum: bool = False
    collation: str = ""
    is_deterministic: bool = True

    @property
    def plain(self) -> str:
        return self.plain_type or self.type

    @property
    def is_exact(self) -> bool:
        """Whether two values that `=` calls equal are the same."""
        return self.is_deterministic and (base_type(self.plain) in EXACT or self.plain == "anyenum")


@dataclass(frozen=True)
class TargetTable:
    """By its exact name; `exists` is False for one that a dry run would have made."""

    schema: str | None
    name: str
    columns: tuple[TargetColumn, ...]
    unique_keys: tuple[frozenset[str], ...]
    is_partitioned: bool = False
    is_plain: bool = True
    """No trigger, rule or row-level security stands between COPY and the table."""
    is_empty: bool = False
    exists: bool = True
    awaited_key: tuple[str, ...] = ()
    """Of a table that was made without its key, which it is given when its rows are there."""

    @property
    def sql(self) -> str:
        return ".".join(postgresql_known_identifier(part) for part in (self.schema, self.name) if part is not None)

    def column(self, name: str) -> TargetColumn | None:
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, TargetColumn]:
        return {column.name: column for column in self.columns}

    @cached_property
    def types(self) -> dict[str, str]:
        return {column.name: column.type for column in self.columns}

    @property
    def plain_types(self) -> dict[str, str]:
        """What a value is, whatever domain or enumeration keeps it in bounds."""
        return {column.name: column.plain for column in self.columns}


async def inspect_target(connection: Connection, table: str) -> TargetTable | None:
    quoted = quote_table(table)
    text = await connection.fetchval(statement("describe_target"), quoted)
    if text is None:
        return None
    found = orjson.loads(text)
    _refuse_what_is_no_table(table, found)
    return TargetTable(
        schema=found["schema"],
        name=found["name"],
        columns=tuple(TargetColumn(**column) for column in found["columns"]),
        unique_keys=tuple(frozenset(key) for key in found["unique_keys"]),
        is_partitioned=found["kind"] == "p",
        is_plain=not (found["has_row_security"] or found["has_rules"] or found["has_triggers"]),
        is_empty=found["may_select"] and not await connection.fetchval(f"SELECT EXISTS (SELECT FROM {quoted})"),
        awaited_key=awaited_key(found["comment"]),
    )


def advance_sequences_sql(target: TargetTable, names: Sequence[str]) -> list[str]:
    """For the columns among `names` that draw from a sequence: up to the furthest value that stands in the table."""
    schema, name = target.schema or "", target.name
    return [
        advance_sequence(
            Table(schema, name),
            column.name,
            Table(str(column.sequence["schema"]), str(column.sequence["name"])),
            ascending=bool(column.sequence["ascending"]),
        )
        for column in target.columns
        if column.sequence is not None and column.name in names
    ]


async def ensure_table_from_headers(
    connection: Connection,
    table: str,
    headers: Sequence[Header],
    primary_key: Sequence[str],
    *,
    key_comes_last: bool = False,
) -> None:
    """Where it is missing: TEXT where a header has no type; a second run changes nothing. `key_comes_last`: it awaits
    its key."""
    create = create_awaiting_sql if key_comes_last else create_table_sql
    try:
        await connection.execute(create(table, headers, primary_key))
    except asyncpg.InsufficientPrivilegeError as error:
        raise UsageError(
            f"the table {table} is not there, and this role may not create it ({error}); create it first:\n"
            f"{create_table_sql(table, headers, primary_key)}"
        ) from error
    except asyncpg.InvalidSchemaNameError as error:
        raise UsageError(f"the schema of {table} is not there; create it first") from error
    except (asyncpg.DuplicateTableError, asyncpg.UniqueViolationError):
        pass  # another run was faster
    except asyncpg.PostgresError as error:
        if transient_kind(error.sqlstate, str(error), type(error)):
            raise
        raise UsageError(
            f"the table {table} cannot be created: {error}; give its columns other types in --headers, or create it "
            "first"
        ) from error


def create_table_sql(table: str, headers: Sequence[Header], primary_key: Sequence[str]) -> str:
    columns = [f"{quote_identifier(header.name)} {header.type or 'text'}" for header in headers]
    if primary_key:
        columns.append(f"PRIMARY KEY ({', '.join(map(quote_identifier, primary_key))})")
    return f"CREATE TABLE IF NOT EXISTS {quote_table(table)} ({', '.join(columns)})"


def create_awaiting_sql(table: str, headers: Sequence[Header], key: Sequence[str]) -> str:
    """Fails where the table is there, so that no other's is marked, and where it could not be given the key."""
    target = quote_table(table)
    columns = column_definitions([(header.name, header.type or "text") for header in headers], key)
    return f"CREATE TABLE {target} ({columns}); {try_key(target, key)}; {await_key(target, key)}"


async def refuse_unordered(connection: Connection, target: TargetTable, options: UploadOptions) -> None:
    """Raises UsageError for a type that has no order, such as json: PostgreSQL would tell of it with the first row."""
    names = [each.name for each in options.dedup_order_by if target.column(each.name)]
    if not (names and target.exists):
        return
    try:
        await connection.execute(f"SELECT FROM {target.sql} ORDER BY {', '.join(map(quote_identifier, names))} LIMIT 0")
    except asyncpg.UndefinedFunctionError as error:
        raise UsageError(f"--dedup-order-by {','.join(names)}: {error}; order by another column") from error


def table_to_be(table: str, headers: Sequence[Header], primary_key: Sequence[str]) -> TargetTable:
    """What ensure_table_from_headers would make, for a dry run."""
    keys = (frozenset(primary_key),) if primary_key else ()
    columns = tuple(TargetColumn(h.name, h.type or "text", not_null=h.name in primary_key) for h in headers)
    schema, _, name = table.rpartition(".")
    return TargetTable(schema or None, name, columns, keys, is_empty=True, exists=False)


def check_target(target: TargetTable, options: UploadOptions, declared: Mapping[str, str]) -> None:
    """Raises SchemaMismatchError that names every mismatch at once. `declared`: column → type that the files or the
    headers say it has; a column without is text."""
    faults = [*_missing_columns(target, options), *_forgotten_columns(target, options)]
    faults += [*_taking_no_values(target, options), *_wrong_types(target, options, declared)]
    if options.mode is Mode.UPSERT:
        faults += _missing_key(target, options)
    if faults:
        raise SchemaMismatchError(
            f"{options.table} and the headers do not fit:\n" + "\n".join(f"  {fault}" for fault in faults)
        )


def _missing_columns(target: TargetTable, options: UploadOptions) -> list[str]:
    there = [column.name for column in target.columns]
    return [
        f"column {header.name}: not in the table, which has {', '.join(there)}"
        for header in options.headers
        if header.name not in there
    ]


def _taking_no_values(target: TargetTable, options: UploadOptions) -> list[str]:
    columns = (target.column(header.name) for header in options.headers)
    return [
        f"column {column.name}: PostgreSQL takes no value of {column.type} from outside; leave it out of --headers"
        for column in columns
        if column is not None and column.plain.removesuffix("[]") in _WITHOUT_INPUT
    ]


def _forgotten_columns(target: TargetTable, options: UploadOptions) -> list[str]:
    given = {header.name for header in options.headers}
    return [
        f"column {column.name}: NOT NULL without a default, and not among the headers; add it to --headers"
        for column in target.columns
        if column.must_be_given and column.name not in given
    ]


def _wrong_types(target: TargetTable, options: UploadOptions, declared: Mapping[str, str]) -> list[str]:
    faults = []
    for name, source in declared.items():
        column = target.column(name)
        if column is not None and not fits(source, column.plain, has_timezone=options.timezone is not None):
            found = f"the table has {column.type}, the files bring {source}{_hint(source, column)}"
            faults.append(f"column {name}: {found}")
    return faults


def _hint(source: str, column: TargetColumn) -> str:
    return "; --timezone says which instants its values are" if _is_naive_into_zoned(source, column.plain) else ""


def fits(source: str, target: str, *, has_timezone: bool = False) -> bool:
    """Whether every value of the one type has a place in the other, ranges and lengths aside (those are checked value
    by value)."""
    ours, theirs = base_type(source), base_type(target)
    if ours == theirs or is_text_like(theirs):
        return True
    if is_text_like(ours):
        return theirs in _BOXES or theirs not in _KNOWN
    if ours in _WHOLE and ours != "numeric":
        return theirs in _WHOLE | _FRACTIONAL
    if ours in _FRACTIONAL:
        return theirs in _FRACTIONAL
    if ours == "jsonb":  # a list, too: whether its elements have a place in an array, their own types say
        return theirs == "json" or theirs.endswith("[]") or theirs.rpartition(".")[2] in VECTORS
    return has_timezone if _is_naive_into_zoned(source, target) else False


_KNOWN = (
    _WHOLE
    | _FRACTIONAL
    | {
        "boolean",
        "date",
        "bytea",
        "interval",
        "time without time zone",
        "timestamp without time zone",
        "timestamp with time zone",
    }
)


def _is_naive_into_zoned(source: str, target: str) -> bool:
    return base_type(source) == "timestamp without time zone" and base_type(target) == "timestamp with time zone"


def _missing_key(target: TargetTable, options: UploadOptions) -> list[str]:
    key = frozenset(options.primary_key)
    domains = [column for column in target.columns if column.is_domain_of_enum and column.name in key]
    if domains:  # PostgreSQL finds no `=` for one
        return [f"key {c.name}: {c.type} is a domain over an enumeration; make it the enumeration" for c in domains]
    if key in target.unique_keys or key == frozenset(target.awaited_key):
        return []
    names = ", ".join(map(quote_identifier, options.primary_key))
    return [
        f"key ({', '.join(options.primary_key)}): no unique index over exactly these columns, which ON CONFLICT needs; "
        f"create one: CREATE UNIQUE INDEX CONCURRENTLY ON {target.sql} ({names})"
    ]


def _refuse_what_is_no_table(table: str, found: dict[str, object]) -> None:
    kind = found["kind"]
    if kind not in ("r", "p"):
        kinds = {"v": "a view", "m": "a materialized view", "f": "a foreign table", "S": "a sequence", "i": "an index"}
        raise UsageError(f"expected {table} to be a table, found {kinds.get(str(kind), kind)}")
