"""Looks at a migrated table in the database: its contract, its rows, its archive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from etl.statements.quoting import postgresql_identifier as quoted
from etl.statements.staging.tables import StagingTable, columns_of, staging_table_statements, upsert_batch
from tests.integration.staging.legacy import LegacyTable
from tests.integration.staging.migrate.expected import ANY, expected, parsed

Execute = Callable[..., list[Any]]

_COLUMNS = """SELECT attname, format_type(atttypid, atttypmod), attnotnull, attgenerated <> ''
FROM pg_attribute WHERE attrelid = %s::regclass AND attname = ANY (%s) ORDER BY attname"""
_LACKING_DEFAULTS = """SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attname = ANY (%s)
AND NOT atthasdef"""
_KEYS = """SELECT contype IN ('p', 'u') AS is_key, convalidated, condeferrable,
    CASE contype WHEN 'f' THEN pg_get_constraintdef(oid) ELSE 'UNIQUE (source_id)' END AS definition
FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('p', 'u', 'f')
ORDER BY definition"""
_INDEXES = """SELECT regexp_replace(pg_get_indexdef(indexrelid), '^.* USING ', ''), indisunique FROM pg_index
WHERE indrelid = %s::regclass AND indisvalid AND indpred IS NULL"""
_LEFTOVERS = """SELECT 'column ' || attname FROM pg_attribute
    WHERE attrelid = %(table)s::regclass AND attname LIKE 'etl_new_%%'
UNION ALL SELECT 'invalid index ' || indexrelid::regclass FROM pg_index
    WHERE indrelid = %(table)s::regclass AND NOT indisvalid
UNION ALL SELECT 'check ' || conname FROM pg_constraint WHERE conrelid = %(table)s::regclass AND contype = 'c'
UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger
    WHERE tgrelid = %(table)s::regclass AND NOT tgisinternal AND tgname <> 'touch'
UNION ALL SELECT 'function ' || proname FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace AND proname <> 'touch'
    AND NOT proname ~ '^etl_(run|staging)' -- the ledger's"""


def check_contract(execute: Execute, tables: list[LegacyTable]) -> None:
    """Every table beside one that the contract's own statements have made."""
    for text in staging_table_statements(StagingTable("contract")):
        execute(text)
    names = [column.name for column in columns_of(StagingTable("contract"))]
    defaults = [column.name for column in columns_of(StagingTable("contract")) if column.default]
    columns, keys = execute(_COLUMNS, ("contract", names)), execute(_KEYS, ("contract",))
    indexes = set(execute(_INDEXES, ("contract",)))
    for table in tables:
        name = quoted(table.name)
        assert execute(_COLUMNS, (name, names)) == columns, table
        assert execute(_LACKING_DEFAULTS, (name, defaults)) == [], table
        assert execute(_KEYS, (name,)) == keys, table
        assert set(execute(_INDEXES, (name,))) >= indexes, table
        assert execute(_LEFTOVERS, {"table": name}) == [], table
    execute("DROP TABLE contract")


def check_loadable(execute: Execute, table: LegacyTable) -> None:
    """The loader's own statement stores a row, and then changes it."""
    values = {
        "source_ids": "{loaded}",
        "documents": "{}",
        "positions": "{1}",
        "errors": "{NULL}",
        "source_updated_at": "{NULL}",
        "hash_digests": "{abc}",
        "job_id": "historical",
        "run_id": "historical",
    }
    text = upsert_batch(StagingTable(table.name.replace("%", "%%")), skip_unchanged=False)
    assert execute(text, values) == [(1, 0)], table
    assert execute(text, values) == [(0, 1)], table


def check_quiet_rows(execute: Execute, table: LegacyTable) -> None:
    """Value by value, where nobody but the migration has written."""
    kept, archived = expected(table)
    names = ["token", *(column.name for column in columns_of(StagingTable("contract")))]
    chosen = ", ".join("data::text" if name == "data" else name for name in names)
    rows = {row[0]: dict(zip(names, row, strict=True)) for row in execute(f"SELECT {chosen} FROM {quoted(table.name)}")}
    assert rows.keys() == kept.keys(), table
    for token, wanted in kept.items():
        row = {name: rows[token][name] for name in wanted}
        row["data"] = parsed(row["data"])
        for name in [name for name, value in wanted.items() if value is ANY]:
            assert row[name] is not None
            row[name] = ANY
        assert row == wanted, (table.name, token)
    assert dict(archive_of(execute, table)) == archived, table


def check_archived_rows(execute: Execute, table: LegacyTable) -> None:
    """The whole row stands in the archive as it was written."""
    found = execute("SELECT row FROM etl_staging_archive WHERE table_name = %s", (table.name,))
    written = {int(str(row["token"])): row for row in table.rows}
    for (row,) in found:
        seed = written[row["token"]]
        assert row.keys() == table.columns.keys(), (table.name, row)
        assert (row["source_id"] is None) == (seed["source_id"] is None)
        assert row["source_id"] is None or str(row["source_id"]).strip() == seed["source_id"]
        assert (row["data"] is None) == (seed["data"] is None)
        if isinstance(row["data"], str):
            assert row["data"] == seed["data"]


def check_winners(execute: Execute, table: LegacyTable) -> None:
    """No archived duplicate is later than the row that was kept."""
    order = [name for name in ("source_updated_at", "loaded_at") if name in table.columns]
    stored = ", ".join(f"coalesce(kept.{name}, '-infinity')" for name in order)
    lost = ", ".join(f"coalesce((row ->> '{name}')::timestamptz, '-infinity')" for name in order)
    comparison = f"({stored}) < ({lost})" if order else "false"
    found = execute(
        f"""SET timezone = 'UTC'; SELECT row FROM etl_staging_archive AS archive
        LEFT JOIN {quoted(table.name).replace("%", "%%")} AS kept ON kept.source_id = trim(row ->> 'source_id')
        WHERE table_name = %s AND reason = 'duplicate' AND (kept.source_id IS NULL OR {comparison})""",
        (table.name,),
    )
    assert found == [], table


def tokens_of(execute: Execute, table: LegacyTable) -> list[int]:
    """All there are, sorted: of the table and of the archive."""
    kept = [token for (token,) in execute(f"SELECT token FROM {quoted(table.name)}")]
    return sorted([*kept, *(token for token, _ in archive_of(execute, table))])


def archive_of(execute: Execute, table: LegacyTable) -> list[Any]:
    return execute(
        "SELECT (row ->> 'token')::bigint, reason FROM etl_staging_archive WHERE table_name = %s", (table.name,)
    )
