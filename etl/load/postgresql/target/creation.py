"""A target that does not stand yet: created with its rows in one statement, keys afterwards."""

from __future__ import annotations

from typing import Any

from etl.load.postgresql.target.design import Design
from etl.load.postgresql.transfer.nulls import count_nulls
from etl.statements.postgresql.tables import add_primary_key, add_unique, create_schema, require_values
from etl.statements.postgresql.writing import Write, create_filled


def create_target(cursor: Any, design: Design, write: Write) -> int:
    """Returns how many rows it holds. CREATE TABLE AS writes whole pages and sorts in parallel, INSERT does neither;
    indexes built over sorted rows cost a fraction of indexes kept row by row."""
    if write.target.schema != "public":
        cursor.execute(create_schema(write.target.schema))
    cursor.execute(create_filled(write))
    rows = int(cursor.rowcount)
    required = required_columns(design)
    emptied = count_nulls(cursor, write, required)  # by a transformer, although the source requires a value
    present = [name for name in required if name not in emptied]
    if present:
        cursor.execute(require_values(write.target, present))
    return rows


def required_columns(design: Design) -> list[str]:
    """Beside the key, whose columns the primary key requires."""
    return [column.name for column in design.new_columns if column.not_null and column.name not in design.key]


def keys_of(design: Design) -> list[str]:
    """The DDL of a new table's keys."""
    statements = []
    for key in design.unique_keys:
        if key.primary:
            statements.append(add_primary_key(design.table, key.columns))
        else:
            statements.append(
                add_unique(
                    design.table,
                    key.columns,
                    nulls_not_distinct=key.nulls_not_distinct,
                    deferrable=not key.immediate,
                )
            )
    return statements


def creation_steps(design: Design, write: Write) -> list[str]:
    """The same as text, for --dry-run."""
    schema = [create_schema(write.target.schema)] if write.target.schema != "public" else []
    required = required_columns(design)
    return [
        *schema,
        create_filled(write),
        *([require_values(write.target, required)] if required else []),
        *keys_of(design),
    ]
