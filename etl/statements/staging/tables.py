"""SQL of the stg_* tables: their contract as DDL, and the statements of one batch.

A batch travels in columns: the JSON documents as one text, a line each (a raw newline is mere white space in JSON, so
none stands inside a document), everything else as array literals. Nothing is left behind by a transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from etl.statements.quoting import postgresql_identifier

_LINE = ",\n        "
HOT_FILLFACTOR = 50
"""Percent of a page that is filled at first: each of its rows finds room for its next version there."""

_LINE_OR = "\n    OR "
_LONGEST_STEM = 36

_INPUT = """(
        SELECT unnest(%(source_ids)s::text[]) AS source_id, unnest(string_to_array(%(documents)s, E'\\n')) AS document,
            unnest(%(positions)s::bigint[]) AS input_position, unnest(%(errors)s::jsonb[]) AS validation_errors,
            unnest(%(source_updated_at)s::timestamptz[]) AS source_updated_at,
            unnest(string_to_array(%(hash_digests)s, ',')) AS hash_digest
    ) AS input"""
"""In step with one another, and what is NULL as a whole is so in each row. A function in FROM would keep each column in
a store of its own before the first row is made."""


_LATER = """(coalesce(excluded.source_updated_at, '-infinity'), excluded.input_position)
        {indent}>= (coalesce(target.source_updated_at, '-infinity'), target.input_position)"""


@dataclass(frozen=True)
class StagingTable:
    """A stg_* table; the two optional columns are there or not. `has_hot_updates`: made for rows that change often."""

    name: str
    has_source_updated_at: bool = True
    has_hash_digest: bool = True
    has_gin_index: bool = False
    has_hot_updates: bool = False


@dataclass(frozen=True)
class Column:
    """`default` is SQL."""

    name: str
    type: str
    is_required: bool = False
    default: str | None = None

    @property
    def definition(self) -> str:
        required = " NOT NULL" if self.is_required else ""
        return f"{self.name} {self.type}{required}" + (f" DEFAULT {self.default}" if self.default else "")


def columns_of(table: StagingTable) -> list[Column]:
    return [
        Column("source_id", "text", is_required=True),
        Column("data", "jsonb", is_required=True),
        Column("etl_job_id", "text", is_required=True),
        Column("etl_run_id", "text", is_required=True),
        Column("loaded_at", "timestamptz", is_required=True, default="clock_timestamp()"),
        Column("created_at", "timestamptz", is_required=True, default="clock_timestamp()"),
        Column("updated_at", "timestamptz", is_required=True, default="clock_timestamp()"),
        Column("is_valid", "boolean", is_required=True, default="true"),
        Column("validation_errors", "jsonb"),
        *([Column("source_updated_at", "timestamptz")] if table.has_source_updated_at else []),
        *([Column("hash_digest", "text")] if table.has_hash_digest else []),
        Column("input_position", "bigint", is_required=True, default="0"),
    ]


def staging_table_statements(table: StagingTable) -> list[str]:
    """CREATE TABLE and its indexes; nothing happens to what stands already."""
    name = postgresql_identifier(table.name)
    columns = [
        *(column.definition for column in columns_of(table)),
        f"CONSTRAINT {_derived(table, 'source_id_key')} UNIQUE (source_id)",
        f"CONSTRAINT {_derived(table, 'etl_job_id_fkey')} FOREIGN KEY (etl_job_id) REFERENCES etl_jobs (id)",
        f"CONSTRAINT {_derived(table, 'etl_run_id_fkey')} FOREIGN KEY (etl_run_id) REFERENCES etl_runs (id)",
    ]
    body = ",\n    ".join(columns)
    free = f" WITH (fillfactor = {HOT_FILLFACTOR})" if table.has_hot_updates else ""
    create = f"CREATE TABLE IF NOT EXISTS {name} (\n    {body}\n){free}"
    return [create, *(index.create() for index in indexes_of(table))]


@dataclass(frozen=True)
class Index:
    name: str
    table: str
    definition: str
    is_unique: bool = False

    def create(self, *, concurrently: bool = False) -> str:
        unique = "UNIQUE " if self.is_unique else ""
        # a failed CONCURRENTLY leaves an invalid index of this name: there the caller looks first
        how = "CONCURRENTLY " if concurrently else "IF NOT EXISTS "
        name, table = postgresql_identifier(self.name), postgresql_identifier(self.table)
        return f"CREATE {unique}INDEX {how}{name} ON {table} {self.definition}"


def indexes_of(table: StagingTable) -> list[Index]:
    """Those beside the unique one of the contract's constraint. A column that each update changes keeps it from being
    HOT (to touch no index, and to leave nothing for vacuum) if it is in a btree, and not if it is in a BRIN."""
    changing = ["(etl_run_id, loaded_at)", *(["(source_updated_at)"] if table.has_source_updated_at else [])]
    method = "USING brin " if table.has_hot_updates else ""
    definitions = [f"{method}{changing[0]}", "(etl_job_id)", *(f"{method}{columns}" for columns in changing[1:])]
    indexes = [Index(_index_name(table, definition), table.name, definition) for definition in definitions]
    if table.has_gin_index:
        indexes.append(Index(f"{_short(table.name)}_data_gin_idx", table.name, "USING gin (data jsonb_path_ops)"))
    return indexes


def has_rows(table: StagingTable) -> str:
    return f"SELECT EXISTS (SELECT FROM {postgresql_identifier(table.name)})"


def find_changed(table: StagingTable) -> str:
    """The places of the batch's records that do not stand with the same digest and time; no row is locked."""
    return f"""SELECT place - 1
FROM unnest(%(source_ids)s::text[], %(hash_digests)s::text[], %(source_updated_at)s::timestamptz[])
    WITH ORDINALITY AS input (source_id, hash_digest, source_updated_at, place)
LEFT JOIN {postgresql_identifier(table.name)} AS target USING (source_id)
WHERE {_LINE_OR.join(_other_text(table, "input"))}"""


def fill_table(table: StagingTable) -> str:
    """For records of which none stands yet, in text format."""
    columns = ["source_id", "data", "input_position", "is_valid", "validation_errors"]
    columns += ["source_updated_at"] if table.has_source_updated_at else []
    columns += ["hash_digest"] if table.has_hash_digest else []
    columns += ["etl_job_id", "etl_run_id", "loaded_at", "created_at", "updated_at"]
    return f"COPY {postgresql_identifier(table.name)} ({', '.join(columns)}) FROM STDIN"


def upsert_batch(table: StagingTable, *, skip_unchanged: bool, has_time_fault: bool = False) -> str:
    """Inserts, or updates where the record is not older than the stored one; answers one row (inserted, updated).

    Unchanged is what is stored alike, bit by bit: `=` takes jsonb's 1.0 for 1.00. A time that could not be read decides
    nothing: such a record has `time_fault` among its errors, where the job knows of one.

    Rows are locked in the order of their keys' bytes, in which COPY is given them, too: so concurrent batches wait for
    one another and never deadlock.
    The job that brought a row first, and when, stay.
    """
    columns = ["source_id", "data", "etl_job_id", "etl_run_id", "is_valid", "validation_errors", "input_position"]
    values = ["source_id", "document::jsonb", "%(job_id)s", "%(run_id)s", "validation_errors IS NULL"]
    values += ["validation_errors", "input_position"]
    for name, is_there in (
        ("source_updated_at", table.has_source_updated_at),
        ("hash_digest", table.has_hash_digest),
    ):
        columns += [name] if is_there else []
        values += [name] if is_there else []
    kept = {"source_id", "etl_job_id"}
    changes = [f"{name} = {_new_value(name)}" for name in columns if name not in kept]
    changes += ["updated_at = clock_timestamp()", "loaded_at = clock_timestamp()"]
    condition = _is_not_older(table, has_time_fault)
    if skip_unchanged:
        condition += f"\n        AND {_is_changed(table)}"
    return f"""WITH written AS (
    INSERT INTO {postgresql_identifier(table.name)} AS target (
        {_LINE.join(columns)}
    )
    SELECT
        {_LINE.join(values)}
    FROM {_INPUT}
    ORDER BY source_id COLLATE "C"
    ON CONFLICT (source_id) DO UPDATE SET
        {_LINE.join(changes)}
    WHERE {condition}
    RETURNING xmax = 0 AS is_inserted
)
SELECT count(*) FILTER (WHERE is_inserted), count(*) FILTER (WHERE NOT is_inserted) FROM written"""


def count_unchanged(table: StagingTable) -> str:
    """Of the batch's rows that the upsert left alone, how many are equal to what stands; the others are older.

    To be asked in the upsert's own transaction: it has locked the rows, written or not.
    """
    return f"""SELECT count(*)
FROM {_INPUT}
JOIN {postgresql_identifier(table.name)} AS target USING (source_id)
WHERE target.input_position <> input.input_position
    AND {_same(table)}"""


def find_superseded(table: StagingTable, *, skip_unchanged: bool) -> str:
    """The source_ids of the batch's invalid records that were not stored, since what stands is newer.

    To be asked as `count_unchanged` is.
    """
    unchanged = f"\n    AND NOT {_same(table)}"
    return f"""SELECT source_id
FROM {_INPUT}
JOIN {postgresql_identifier(table.name)} AS target USING (source_id)
WHERE input.validation_errors IS NOT NULL
    AND target.input_position <> input.input_position{unchanged if skip_unchanged else ""}"""


def _is_changed(table: StagingTable) -> str:
    """Text that is the same says all, so that a batch whose digests were asked for first fares as any other. A digest
    that is missing is filled in."""
    compared = ["data", "is_valid", "validation_errors"]
    compared += ["source_updated_at"] if table.has_source_updated_at else []
    stored = _row(f"target.{name}" for name in compared)
    record = f"{stored}\n        *<> {_row(map(_new_value, compared))}"
    if not table.has_hash_digest:
        return record
    other_text = "\n            OR ".join(_other_text(table, "excluded"))
    return f"({other_text})\n        AND (target.hash_digest IS NULL OR {record})"


def _other_text(table: StagingTable, new: str) -> list[str]:
    conditions = [f"target.hash_digest IS DISTINCT FROM {new}.hash_digest"]
    if table.has_source_updated_at:
        conditions += [
            f"target.source_updated_at <> {new}.source_updated_at",
            f"(target.source_updated_at IS NULL AND {new}.source_updated_at IS NOT NULL)",
        ]
    return conditions


def _same(table: StagingTable) -> str:
    stored = _row(["target.data", "target.validation_errors"])
    record = f"{stored} *= {_row(['input.document::jsonb', 'input.validation_errors'])}"
    return f"(coalesce(target.hash_digest = input.hash_digest, false) OR {record})" if table.has_hash_digest else record


def _row(values: Iterable[str]) -> str:
    """Cast, since `*=` is an operator of records and not of their columns."""
    return f"ROW({', '.join(values)})::record"


def _is_not_older(table: StagingTable, has_time_fault: bool) -> str:
    if not table.has_source_updated_at:
        return "excluded.input_position >= target.input_position"
    if not has_time_fault:
        return _LATER.format(indent="")
    return (
        f"CASE WHEN {_has_unreadable_time('excluded')}"
        f"\n            OR {_has_unreadable_time('target')}"
        "\n        THEN excluded.input_position >= target.input_position"
        f"\n        ELSE {_LATER.format(indent='    ')} END"
    )


def _has_unreadable_time(row: str) -> str:
    return f"({row}.source_updated_at IS NULL AND {row}.validation_errors @> %(time_fault)s::jsonb)"


def _new_value(column: str) -> str:
    """The known time stays where a record without one takes the row: an older record must not come back."""
    if column == "source_updated_at":
        return f"coalesce(excluded.{column}, target.{column})"
    return f"excluded.{column}"


def _index_name(table: StagingTable, definition: str) -> str:
    columns: Sequence[str] = definition.partition("(")[2].strip(")").split(", ")
    return f"{_short(table.name)}_{'_'.join(columns)}_idx"


def derived_name(table: StagingTable, suffix: str) -> str:
    """Of a constraint or another thing that belongs to the table."""
    return f"{_short(table.name)}_{suffix}"


def _derived(table: StagingTable, suffix: str) -> str:
    return postgresql_identifier(derived_name(table, suffix))


def _short(name: str) -> str:
    """Leaves room for the longest suffix within PostgreSQL's 63 bytes, and tells tables of one beginning apart."""
    if len(name.encode()) <= _LONGEST_STEM:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name.encode()[: _LONGEST_STEM - 9].decode(errors='ignore')}_{digest}"
