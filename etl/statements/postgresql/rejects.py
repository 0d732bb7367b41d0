"""Rows that were not published, on their way into etl.rejects, and back when their parents have come."""

from __future__ import annotations

import re
from collections.abc import Sequence

from etl.statements.postgresql.naming import ATTEMPT, REASON, RULE, STATUS, StagedColumn, Table, name_list
from etl.statements.postgresql.violations import WAITING
from etl.statements.postgresql.writing import Write
from etl.statements.quoting import postgresql_column, postgresql_identifier, postgresql_literal

REJECTS_EXIST = "SELECT to_regclass('etl.rejects') IS NOT NULL"

HAS_WAITING = """
SELECT EXISTS (
    SELECT FROM etl.rejects
    WHERE table_name = %(table_name)s AND destination = %(destination)s AND status = 'waiting')
"""

WAITING_COLUMNS = """
SELECT DISTINCT k.name FROM etl.rejects AS r, jsonb_object_keys(r.row) AS k (name)
WHERE r.table_name = %(table_name)s AND r.destination = %(destination)s AND r.status = 'waiting'
"""

# Placeholders between NULs, which no identifier can hold; `bindable` turns them into psycopg2's own.
_RUN_ID, _TABLE_NAME, _DESTINATION = "\0run_id\0", "\0table_name\0", "\0destination\0"
_OF_TABLE = f"r.table_name = {_TABLE_NAME} AND r.destination = {_DESTINATION} AND r.status = 'waiting'"


def refresh_waiting(write: Write) -> str:
    """A row that waits already is not kept twice: its entry takes the newer row."""
    return bindable(
        f"UPDATE etl.rejects AS r SET run_id = {_RUN_ID}, rule = s.{RULE}, reason = s.{REASON}, "
        f"row = {_row(write)} FROM {write.staging.sql} AS s "
        f"WHERE {_OF_TABLE} AND s.{STATUS} = {postgresql_literal(WAITING)} AND {_same_key(write)}"
    )


def insert_rejects(write: Write) -> str:
    return bindable(
        f"INSERT INTO etl.rejects (run_id, table_name, destination, rule, reason, row, key, status) "
        f"SELECT {_RUN_ID}, {_TABLE_NAME}, {_DESTINATION}, s.{RULE}, s.{REASON}, {_row(write)}, {_key(write)}, "
        f"s.{STATUS} "
        f"FROM {write.staging.sql} AS s WHERE s.{RULE} IS NOT NULL AND NOT ("
        f"s.{STATUS} = {postgresql_literal(WAITING)} AND EXISTS ("
        f"SELECT FROM etl.rejects AS r WHERE {_OF_TABLE} AND {_same_key(write)}))"
    )


def resolve_waiting(write: Write) -> str:
    """Entries whose row has come again and waits no longer: loaded, or refused for good by a newer entry."""
    return bindable(
        f"UPDATE etl.rejects AS r SET status = 'resolved', resolved_at = now() FROM {write.staging.sql} AS s "
        f"WHERE {_OF_TABLE} AND s.{STATUS} IS DISTINCT FROM {postgresql_literal(WAITING)} AND {_same_key(write)}"
    )


def forget_vanished(write: Write) -> str:
    """Entries that wait for a parent although their row is no longer at the source: nothing must bring it back."""
    return bindable(
        f"UPDATE etl.rejects AS r SET status = 'resolved', resolved_at = now() WHERE {_OF_TABLE} "
        f"AND NOT EXISTS (SELECT FROM {write.staging.sql} AS s WHERE {_same_key(write)})"
    )


def stage_waiting(staging: Table, target: Table, columns: Sequence[StagedColumn], key: Sequence[str]) -> str:
    """The newest waiting row of each key, in the target's types; its entry's id goes where the attempt's number is."""
    names = [column.name for column in columns]
    values = ", ".join(postgresql_column("p", name) for name in names)
    keys = ", ".join(postgresql_column("p", name) for name in key)
    return bindable(
        f"INSERT INTO {staging.sql} ({name_list([ATTEMPT, *names])}) "
        f"SELECT {f'DISTINCT ON ({keys}) ' if keys else ''}r.reject_id, {values} FROM etl.rejects AS r, "
        f"jsonb_populate_record(CAST(NULL AS {target.sql}), r.row) AS p "
        f"WHERE {_OF_TABLE}{f' ORDER BY {keys}, r.reject_id DESC' if keys else ''}"
    )


def close_replayed(staging: Table) -> str:
    """Loaded rows are resolved; rows that turned out to break another rule are rejected; orphans wait on."""
    return (
        f"UPDATE etl.rejects AS r SET "
        f"status = CASE WHEN s.{RULE} IS NULL THEN 'resolved' ELSE s.{STATUS} END, "
        f"resolved_at = CASE WHEN s.{RULE} IS NULL THEN now() END, "
        f"rule = coalesce(s.{RULE}, r.rule), reason = coalesce(s.{REASON}, r.reason) "
        f"FROM {staging.sql} AS s WHERE r.reject_id = s.{ATTEMPT} "
        f"AND s.{STATUS} IS DISTINCT FROM {postgresql_literal(WAITING)}"
    )


def bindable(statement: str) -> str:
    """psycopg2's own placeholders, with every other % doubled: identifiers may hold one."""
    return re.sub("\0(\\w+)\0", r"%(\1)s", statement.replace("%", "%%"))


def _row(write: Write) -> str:
    columns = [*write.columns, *write.extras]
    values = ", ".join(_kept(column) for column in columns)
    return f"(SELECT to_jsonb(_etl_row) FROM (SELECT {values}) AS _etl_row)"


def _kept(column: StagedColumn) -> str:
    """jsonb has no -0: it is kept as text, which reads back as -0."""
    name = postgresql_identifier(column.name)
    value = f"s.{name}"
    if column.carrier in ("real", "double precision"):
        return f"CASE WHEN {value}::text = '-0' THEN to_jsonb({value}::text) ELSE to_jsonb({value}) END AS {name}"
    if column.carrier in ("real[]", "double precision[]"):
        texts = f"to_jsonb(CAST({value} AS text[]))"
        return f"CASE WHEN {value}::text ~ '-0[,}}]' THEN {texts} ELSE to_jsonb({value}) END AS {name}"
    return value


def _key(write: Write) -> str:
    """What a waiting row is known by: the ledger keeps one entry per key (etl.rejects_waiting_key)."""
    if not write.match:
        return _row(write)
    pairs = ", ".join(f"{postgresql_literal(name)}, s.{postgresql_identifier(name)}" for name in write.match)
    return f"jsonb_build_object({pairs})"


def _same_key(write: Write) -> str:
    return f"r.key_hash = md5(CAST({_key(write)} AS text))"
