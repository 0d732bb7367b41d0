"""DDL of targets and staging tables, and the statements that move whole tables and partitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from etl.statements.quoting import clickhouse_identifier, clickhouse_literal, clickhouse_name

VERSION_COLUMN = "_etl_version"
"""Our own version of ReplacingMergeTree rows: the number of the run that wrote them. MATERIALIZED, so that `SELECT *`
does not show it and an INSERT need not name it."""


@dataclass(frozen=True)
class ColumnShape:
    """One column. `default` is its clause as DDL says it: `MATERIALIZED 0`, `DEFAULT now()`; empty for none."""

    name: str
    type: str
    default: str = ""
    codec: str = ""

    @property
    def ddl(self) -> str:
        parts = [clickhouse_identifier(self.name), self.type, self.default, self.codec]
        return " ".join(part for part in parts if part)


@dataclass(frozen=True)
class TableShape:
    """What a MergeTree table is made of. Expressions are ClickHouse's own text; empty where there is none."""

    columns: tuple[ColumnShape, ...]
    engine: str
    order_by: str
    partition_by: str = ""
    primary_key: str = ""
    version: str = ""
    ttl: str = ""
    settings: tuple[str, ...] = ()
    indices: tuple[str, ...] = ()

    @property
    def column_types(self) -> dict[str, str]:
        return {column.name: column.type for column in self.columns}

    @property
    def replaces(self) -> bool:
        """Whether the engine keeps the newest row of a key, so that FINAL is the read."""
        return self.engine == "ReplacingMergeTree"


NOT_SPARSE = "ratio_of_defaults_for_sparse_serialization = 1"
"""A column that is mostly zero is kept as its other values alone, where ClickHouse takes -0 for zero: it would be 0."""

STAGING_SETTINGS = ("max_bytes_to_merge_at_max_space_in_pool = 1", "max_number_of_merges_with_ttl_in_pool = 0")
"""No merges in staging: they cost work that the target's own merges do again, and a TTL merge would lose rows before
they are counted."""


def staging_shape(target: TableShape, run_number: int) -> TableShape:
    """A plain MergeTree whose partitions can be attached to the target; rows get the run's version as they arrive.

    It keeps the target's TTL, since a part without TTL marks would never expire after it was attached.
    """
    columns = tuple(
        replace(column, default=f"MATERIALIZED {int(run_number)}") if column.name == VERSION_COLUMN else column
        for column in target.columns
    )
    settings = dict.fromkeys((*target.settings, NOT_SPARSE, *STAGING_SETTINGS))
    return replace(target, columns=columns, engine="MergeTree", version="", settings=tuple(settings))


def create_table(database: str, table: str, shape: TableShape, *, if_not_exists: bool = False) -> str:
    """`CREATE TABLE …`; the clauses in the order in which SHOW CREATE TABLE prints them."""
    engine = f"{shape.engine}({clickhouse_identifier(shape.version)})" if shape.version else shape.engine
    inside = ",\n    ".join([column.ddl for column in shape.columns] + [f"INDEX {index}" for index in shape.indices])
    clauses = [
        f"CREATE TABLE {'IF NOT EXISTS ' if if_not_exists else ''}{clickhouse_name(database, table)}",
        f"(\n    {inside}\n)",
        f"ENGINE = {engine}",
        f"PARTITION BY {shape.partition_by}" if shape.partition_by else "",
        f"PRIMARY KEY ({shape.primary_key})" if shape.primary_key else "",
        f"ORDER BY {f'({shape.order_by})' if shape.order_by else 'tuple()'}",
        f"TTL {shape.ttl}" if shape.ttl else "",
        f"SETTINGS {', '.join(shape.settings)}" if shape.settings else "",
    ]
    return "\n".join(clause for clause in clauses if clause)


def clone_table(database: str, clone: str, source: str) -> str:
    """A second table with the same structure and the same parts (hard links). It must run with `database` as the
    session's own: CLONE AS across databases was seen to leave an empty clone."""
    return f"CREATE TABLE {clickhouse_name(database, clone)} CLONE AS {clickhouse_name(database, source)}"


def attach_partitions(database: str, into: str, sources: Sequence[str]) -> str:
    """Adds all partitions of the sources to `into`; the sources keep theirs."""
    commands = ", ".join(f"ATTACH PARTITION ALL FROM {clickhouse_name(database, source)}" for source in sources)
    return f"ALTER TABLE {clickhouse_name(database, into)} {commands}"


def replace_partitions(database: str, into: str, source: str, partition_ids: Sequence[str]) -> str:
    """Each named partition of `into` becomes the source's."""
    source_name = clickhouse_name(database, source)
    commands = ", ".join(
        f"REPLACE PARTITION ID {clickhouse_literal(identifier)} FROM {source_name}" for identifier in partition_ids
    )
    return f"ALTER TABLE {clickhouse_name(database, into)} {commands}"


def truncate_table(database: str, table: str) -> str:
    return f"TRUNCATE TABLE {clickhouse_name(database, table)}"


def count_rows(database: str, table: str, *, final: bool) -> str:
    """`final`: of several versions of a key only the last counts."""
    return f"SELECT count() FROM {clickhouse_name(database, table)}{' FINAL' if final else ''}"


def set_comment(database: str, table: str, comment: str) -> str:
    return f"ALTER TABLE {clickhouse_name(database, table)} MODIFY COMMENT {clickhouse_literal(comment)}"


def exchange_tables(database: str, one: str, other: str) -> str:
    """The one moment at which readers see the new content."""
    return f"EXCHANGE TABLES {clickhouse_name(database, one)} AND {clickhouse_name(database, other)}"


def rename_table(database: str, old: str, new: str) -> str:
    return f"RENAME TABLE {clickhouse_name(database, old)} TO {clickhouse_name(database, new)}"


def drop_tables(database: str, tables: Sequence[str]) -> str:
    names = ", ".join(clickhouse_name(database, table) for table in tables)
    return f"DROP TABLE IF EXISTS {names}"


def add_column(database: str, table: str, column: ColumnShape) -> str:
    return f"ALTER TABLE {clickhouse_name(database, table)} ADD COLUMN {column.ddl}"


def modify_column(database: str, table: str, name: str, new_type: str) -> str:
    column = clickhouse_identifier(name)
    return f"ALTER TABLE {clickhouse_name(database, table)} MODIFY COLUMN {column} {new_type}"


def modify_codecs(database: str, table: str, columns: Sequence[str], codec: str) -> str:
    """For what is written from now on; stored parts take it as they merge."""
    modified = ", ".join(f"MODIFY COLUMN {clickhouse_identifier(name)} {codec}" for name in columns)
    return f"ALTER TABLE {clickhouse_name(database, table)} {modified}"


def insert_arrow(database: str, table: str, columns: Sequence[str]) -> str:
    names = ", ".join(clickhouse_identifier(column) for column in columns)
    return f"INSERT INTO {clickhouse_name(database, table)} ({names}) FORMAT ArrowStream"
