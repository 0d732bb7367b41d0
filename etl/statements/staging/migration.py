"""SQL that brings a legacy stg_* table to the contract while writers write: short DDL, and rows in batches.

Batches skip rows that somebody else holds (they come again in the next pass): no writer waits for more than one
batch, and nothing here can deadlock with one. Which rows are worked on is decided under their locks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from etl.statements.quoting import postgresql_identifier as quoted
from etl.statements.quoting import postgresql_literal as literal

MAXIMUM_SOURCE_ID_BYTES = 2000
"""As the loader's; a key of PostgreSQL's btree holds about 2,700."""

_IN_RANGE = "ctid >= %(first)s::tid AND ctid < %(end)s::tid"


@dataclass(frozen=True)
class LegacyColumn:
    """`type` as pg_type names it."""

    name: str
    type: str


@dataclass(frozen=True)
class LegacyRows:
    """How a table's rows are read: all they hold, and the contract's columns as expressions of its types.

    `partial` are those columns whose stored value may be unreadable: (name, stored value, expression, wanted type).
    """

    table: str
    columns: tuple[LegacyColumn, ...]
    source_id: str
    data: str
    source_updated_at: str | None = None
    loaded_at: str | None = None
    partial: tuple[tuple[str, str, str, str], ...] = ()


# --- rows that leave the table ---------------------------------------------------------------------------------------


def is_unusable(rows: LegacyRows) -> str:
    return " OR ".join(
        [
            f"coalesce({rows.source_id}, '') = ''",
            f"octet_length({rows.source_id}) > {MAXIMUM_SOURCE_ID_BYTES}",
            f"({rows.data}) IS NULL",
            *(_is_unreadable(stored, value) for _, stored, value, _ in rows.partial),
        ]
    )


def archive_unusable(rows: LegacyRows) -> str:
    """Moves the unusable rows of one range of pages into the archive; answers how many."""
    table = quoted(rows.table)
    return _bindable(f"""WITH unusable AS MATERIALIZED (
    SELECT ctid AS place, {_reason(rows)} AS reason, {_detail(rows)} AS detail
    FROM {table} WHERE {_IN_RANGE} AND ({is_unusable(rows)})
    FOR UPDATE SKIP LOCKED
), removed AS (
    DELETE FROM {table} AS legacy WHERE ctid = ANY (ARRAY(SELECT place FROM unusable))
    RETURNING ctid AS place, {_whole_row(rows)} AS whole_row
)
INSERT INTO etl_staging_archive (table_name, reason, detail, row, etl_run_id)
SELECT %(table)s, reason, detail, whole_row, %(run_id)s FROM removed JOIN unusable USING (place)""")


def find_duplicates(rows: LegacyRows, limit: int) -> str:
    """The places of rows that share their source_id, those of one source_id next to one another."""
    return f"""SELECT place::text FROM (
    SELECT ctid AS place, {rows.source_id} AS key, count(*) OVER (PARTITION BY {rows.source_id}) AS sharing
    FROM {quoted(rows.table)}
) AS legacy
WHERE sharing > 1 AND key IS NOT NULL ORDER BY key LIMIT {limit}"""


def archive_duplicates(rows: LegacyRows) -> str:
    """Of the named places keeps the best of each source_id and archives the rest; answers how many.

    What is kept may lose against rows not named here in a later pass: the best of the best is the best.
    """
    table = quoted(rows.table)
    return _bindable(f"""WITH candidate AS MATERIALIZED (
    SELECT ctid AS place, {rows.source_id} AS key,
        {rows.source_updated_at or "NULL::timestamptz"} AS updated_at,
        {rows.loaded_at or "NULL::timestamptz"} AS loaded_at
    FROM {table} WHERE ctid = ANY (%(places)s::tid[])
    FOR UPDATE SKIP LOCKED
), ranked AS (
    SELECT place, row_number() OVER (
        PARTITION BY key ORDER BY updated_at DESC NULLS LAST, loaded_at DESC NULLS LAST, place DESC
    ) AS rank
    FROM candidate
), removed AS (
    DELETE FROM {table} AS legacy WHERE ctid = ANY (ARRAY(SELECT place FROM ranked WHERE rank > 1))
    RETURNING {_whole_row(rows)} AS whole_row
)
INSERT INTO etl_staging_archive (table_name, reason, row, etl_run_id)
SELECT %(table)s, 'duplicate', whole_row, %(run_id)s FROM removed""")


def count_defects(rows: LegacyRows) -> str:
    """Of all rows, how many cannot be kept, and how many lose against another of their source_id."""
    return f"""SELECT count(*) AS rows, count(*) FILTER (WHERE is_unusable) AS unusable,
    count(*) FILTER (WHERE NOT is_unusable) - count(DISTINCT key) FILTER (WHERE NOT is_unusable) AS duplicates
FROM (SELECT {rows.source_id} AS key, {is_unusable(rows)} AS is_unusable FROM {quoted(rows.table)}) AS legacy"""


def count_rows(table: str) -> str:
    return f"SELECT count(*) FROM {quoted(table)}"


def has_rows(table: str, condition: str) -> str:
    return f"SELECT EXISTS (SELECT FROM {quoted(table)} WHERE {condition})"


# --- rows that are filled in -----------------------------------------------------------------------------------------


def is_unfilled(values: Mapping[str, str]) -> str:
    """Of a table whose columns are to hold these values where they are NULL."""
    return " OR ".join(f"({quoted(column)} IS NULL AND ({value}) IS NOT NULL)" for column, value in values.items())


def fill(table: str, values: Mapping[str, str]) -> str:
    """Fills the rows of one range of pages; a row that needs nothing is not written."""
    changes = ", ".join(f"{quoted(name)} = coalesce({quoted(name)}, {value})" for name, value in values.items())
    return _update_in_range(table, changes, is_unfilled(values))


def replace_lineage(table: str, column: str, historical_id: str) -> str:
    """Ids that the staging ledger cannot hold become the historical one."""
    return _update_in_range(table, f"{quoted(column)} = {literal(historical_id)}", is_unknown_lineage(column))


def is_unknown_lineage(column: str) -> str:
    parent = {"etl_job_id": "etl_jobs", "etl_run_id": "etl_runs"}[column]
    name = quoted(column)
    return f"{name} IS NOT NULL AND NOT EXISTS (SELECT FROM {parent} AS known WHERE known.id = {name})"


def register_jobs(table: str) -> str:
    """Jobs that rows name and the staging ledger does not know, as far as it can hold their ids."""
    return _bindable(f"""INSERT INTO etl_jobs (id, target_table, description)
SELECT DISTINCT etl_job_id, %(table)s, 'registered by migrate: rows of ' || %(table)s || ' name it'
FROM {quoted(table)}
WHERE etl_job_id ~ {_ID} AND {is_unknown_lineage("etl_job_id")}
ON CONFLICT (id) DO NOTHING""")


def register_runs(table: str) -> str:
    """Likewise their runs; a run belongs to the first (by name) of the known jobs that its rows name."""
    return _bindable(f"""INSERT INTO etl_runs (
    id, etl_job_id, status, phase, target_table, batch_size, parameters, finished_at
)
SELECT etl_run_id, min(etl_job_id), 'success', 'committing', %(table)s, 1000,
    jsonb_build_object('registered_by', 'migrate'), clock_timestamp()
FROM {quoted(table)} JOIN etl_jobs ON etl_jobs.id = etl_job_id
WHERE etl_run_id ~ {_ID} AND {is_unknown_lineage("etl_run_id")}
GROUP BY etl_run_id
ON CONFLICT (id) DO NOTHING""")


# --- short changes of the table --------------------------------------------------------------------------------------


def alter(table: str, actions: Sequence[str]) -> str:
    return f"ALTER TABLE {quoted(table)} {', '.join(actions)}"


def keep_maintenance_away(table: str) -> str:
    """Readers and writers go on; (auto)vacuum and other DDL wait."""
    return f"LOCK TABLE {quoted(table)} IN SHARE UPDATE EXCLUSIVE MODE"


def add_column(name: str, type_name: str, *, default: str | None = None, is_required: bool = False) -> str:
    """A default that is not volatile costs no rewrite: PostgreSQL keeps it beside the rows that stand already."""
    required = " NOT NULL" if is_required else ""
    return f"ADD COLUMN {quoted(name)} {type_name}" + (f" DEFAULT {default}" if default else "") + required


def set_default(name: str, default: str) -> str:
    return f"ALTER COLUMN {quoted(name)} SET DEFAULT {default}"


def refuse_null(constraint: str, column: str) -> str:
    return f"ADD CONSTRAINT {quoted(constraint)} CHECK ({quoted(column)} IS NOT NULL) NOT VALID"


def refuse_unreadable(constraint: str, stored: str, column: str) -> str:
    """Falls away with the stored column."""
    is_read = f"{quoted(stored)} IS NULL OR {quoted(column)} IS NOT NULL"
    return f"ADD CONSTRAINT {quoted(constraint)} CHECK ({is_read}) NOT VALID"


def add_foreign_key(constraint: str, column: str, parent: str) -> str:
    return (
        f"ADD CONSTRAINT {quoted(constraint)} FOREIGN KEY ({quoted(column)}) REFERENCES {quoted(parent)} (id) NOT VALID"
    )


def not_valid(definition: str) -> str:
    """A constraint as pg_get_constraintdef tells it, not to be proved now."""
    return definition if definition.endswith(" NOT VALID") else f"{definition} NOT VALID"


def validate(table: str, constraint: str) -> str:
    return alter(table, [f"VALIDATE CONSTRAINT {quoted(constraint)}"])


def create_synchronisation(name: str, table: str, values: Mapping[str, str], *, time_zone: str) -> list[str]:
    """A trigger that keeps new columns equal to what writers give the old ones; `values` read the row as NEW.

    It fires in replica mode too (ALWAYS), and last of the table's triggers by its name.
    """
    assignments = "\n    ".join(f"NEW.{quoted(column)} := {value};" for column, value in values.items())
    function, trigger = quoted(name), quoted(synchronisation_trigger(name))
    return [
        f"""CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET timezone = {literal(time_zone)} AS $function$
BEGIN
    {assignments}
    RETURN NEW;
END
$function$""",
        f"CREATE OR REPLACE TRIGGER {trigger} BEFORE INSERT OR UPDATE ON {quoted(table)}"
        f" FOR EACH ROW EXECUTE FUNCTION {function}()",
        alter(table, [f"ENABLE ALWAYS TRIGGER {trigger}"]),
    ]


def drop_synchronisation(name: str, table: str) -> list[str]:
    return [
        f"DROP TRIGGER IF EXISTS {quoted(synchronisation_trigger(name))} ON {quoted(table)}",
        f"DROP FUNCTION IF EXISTS {quoted(name)}()",
    ]


def synchronisation_trigger(name: str) -> str:
    """Triggers fire in the order of their names."""
    return f"~{name}"


def swap_column(table: str, old: str, new: str) -> list[str]:
    return [
        carry_over(table, old, new),
        alter(table, [f"DROP COLUMN {quoted(old)}"]),
        f"ALTER TABLE {quoted(table)} RENAME COLUMN {quoted(new)} TO {quoted(old)}",
    ]


def carry_over(table: str, old: str, new: str) -> str:
    """The old column's comment and the grants on it alone, as they stand at that moment, go to the new one.

    A grant that somebody else passed on becomes the owner's.
    """
    body = f"""DECLARE
    carried text;
BEGIN
    FOR carried IN
        SELECT format('GRANT %s (%I) ON TABLE %s TO %s%s', privilege_type, {literal(new)}, attrelid::regclass,
            CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
            CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM pg_attribute, aclexplode(attacl)
        WHERE attrelid = {literal(quoted(table))}::regclass AND attname = {literal(old)}
        UNION ALL
        SELECT format('COMMENT ON COLUMN %s.%I IS %L', attrelid::regclass, {literal(new)},
            col_description(attrelid, attnum))
        FROM pg_attribute
        WHERE attrelid = {literal(quoted(table))}::regclass AND attname = {literal(old)}
    LOOP
        EXECUTE carried;
    END LOOP;
END"""
    return f"DO {literal(body)}"


def adopt_index(constraint: str, index: str, *, is_primary: bool = False) -> str:
    """The index takes the constraint's name."""
    kind = "PRIMARY KEY" if is_primary else "UNIQUE"
    return f"ADD CONSTRAINT {quoted(constraint)} {kind} USING INDEX {quoted(index)}"


def drop_index(name: str) -> str:
    return f"DROP INDEX CONCURRENTLY IF EXISTS {quoted(name)}"


# --- parts -----------------------------------------------------------------------------------------------------------

_FOREIGN_PERCENT = re.compile(r"%(?!\((?:first|end|places|table|run_id)\)s)")
_ID = "'^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$'"


def _update_in_range(table: str, changes: str, condition: str) -> str:
    name = quoted(table)
    return _bindable(f"""UPDATE {name} SET {changes}
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM {name} WHERE {_IN_RANGE} AND ({condition})
    FOR UPDATE SKIP LOCKED
))""")


def _bindable(text: str) -> str:
    """Percent signs of names and literals are doubled: only the placeholders are bound."""
    return _FOREIGN_PERCENT.sub("%%", text)


def _is_unreadable(stored: str, value: str) -> str:
    return f"({stored} IS NOT NULL AND ({value}) IS NULL)"


def _reason(rows: LegacyRows) -> str:
    # a document that cannot be read is told from one that is missing
    unreadable = " OR ".join(_is_unreadable(stored, value) for _, stored, value, _ in rows.partial)
    return "CASE " + " ".join(
        [
            f"WHEN coalesce({rows.source_id}, '') = '' THEN 'no_source_id'",
            f"WHEN octet_length({rows.source_id}) > {MAXIMUM_SOURCE_ID_BYTES} THEN 'bad_source_id'",
            *([f"WHEN {unreadable} THEN 'unreadable'"] if unreadable else []),
            "ELSE 'no_data' END",
        ]
    )


def _detail(rows: LegacyRows) -> str:
    if not rows.partial:
        return "NULL::text"
    told = (
        f"CASE WHEN {_is_unreadable(stored, value)} THEN {literal(f'{name} cannot be read as {wanted}')} END"
        for name, stored, value, wanted in rows.partial
    )
    return f"nullif(concat_ws('; ', {', '.join(told)}), '')"


def _whole_row(rows: LegacyRows) -> str:
    """jsonb refuses some json (\\u0000, numbers without bounds): such a value is kept as its text."""
    columns = ", ".join(_archived(column) for column in rows.columns)
    return f"(SELECT to_jsonb(whole.*) FROM (SELECT {columns}) AS whole)"


def _archived(column: LegacyColumn) -> str:
    name = f"legacy.{quoted(column.name)}"
    if column.type != "json":
        return name
    return (
        f"CASE WHEN pg_input_is_valid({name}::text, 'jsonb') THEN {name}::jsonb"
        f" ELSE to_jsonb({name}::text) END AS {quoted(column.name)}"
    )
