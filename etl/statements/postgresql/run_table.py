"""The staging table of a run: created, filled, counted, dropped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

from etl.statements.postgresql.naming import ATTEMPT, REASON, RULE, STATUS, StagedColumn, Table, name_list
from etl.statements.quoting import postgresql_identifier, postgresql_literal


def create_staging(staging: Table, columns: Sequence[StagedColumn]) -> str:
    """Unlogged: it costs no WAL, and a crash empties it, which the count before publishing notices."""
    own = [f"{ATTEMPT} bigint NOT NULL", *(f"{postgresql_identifier(c.name)} {c.carrier}" for c in columns)]
    marks = [f"{name} text" for name in (RULE, REASON, STATUS)]
    return f"CREATE UNLOGGED TABLE {staging.sql} ({', '.join(own + marks)}) WITH (autovacuum_enabled = false)"


def comment_staging(staging: Table, target: Table, run_id: str) -> str:
    """Whose it is: `remove_orphans` reads this."""
    owner = json.dumps({"run_id": run_id, "schema": target.schema, "table": target.name})
    return f"COMMENT ON TABLE {staging.sql} IS {postgresql_literal(owner)}"


def drop_staging(staging: Table) -> str:
    return f"DROP TABLE IF EXISTS {staging.sql}"


def copy_into(staging: Table, columns: Sequence[StagedColumn], copy_format: Literal["binary", "csv"]) -> str:
    names = name_list([ATTEMPT, *(column.name for column in columns)])
    options = "FORMAT binary" if copy_format == "binary" else "FORMAT csv, NULL '', ENCODING 'UTF8'"
    return f"COPY {staging.sql} ({names}) FROM STDIN ({options})"


def lock_staging(staging: Table) -> str:
    """Until the transaction ends: an attempt whose executor was given up may still be writing on another machine."""
    return f"LOCK TABLE {staging.sql} IN SHARE ROW EXCLUSIVE MODE"


def count_by_attempt(staging: Table) -> str:
    return f"SELECT {ATTEMPT}, count(*) FROM {staging.sql} GROUP BY {ATTEMPT}"


def delete_losers(staging: Table) -> str:
    """Parameter `winners`: the attempts whose receipts came back."""
    return f"DELETE FROM {staging.sql} WHERE {ATTEMPT} <> ALL (%(winners)s)"


def analyze_staging(staging: Table, key: Sequence[str]) -> str:
    """Without it PostgreSQL takes one row in 200 for accepted, and looks up a million keys one after the other."""
    return f"ANALYZE {staging.sql} ({name_list([*key, RULE])})"


STAGING_TABLES = """
SELECT c.relname, obj_description(c.oid, 'pg_class')
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relkind = 'r'
ORDER BY c.relname
"""

STAGING_EXISTS = """
SELECT count(*) FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(name)s
"""
