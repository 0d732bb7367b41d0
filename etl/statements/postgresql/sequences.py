"""The sequences behind identity and serial columns."""

from __future__ import annotations

from etl.statements.postgresql.naming import Table
from etl.statements.quoting import postgresql_identifier, postgresql_literal


def advance_sequence(table: Table, column: str, sequence: Table, *, ascending: bool) -> str:
    """Up to the furthest value that stands in the table, never backwards. Returns the new position where it moved.

    setval() is not undone by a rollback: all that an undone load leaves is a gap, as nextval() does.
    """
    furthest, beyond = ("max", ">") if ascending else ("min", "<")
    return (
        f"SELECT setval(CAST({postgresql_literal(sequence.sql)} AS regclass), f.value) FROM ("
        f"SELECT {furthest}({postgresql_identifier(column)}) AS value FROM {table.sql}) AS f, {sequence.sql} AS q "
        f"WHERE f.value {beyond} q.last_value OR (f.value = q.last_value AND NOT q.is_called)"
    )
