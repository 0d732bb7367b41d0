"""Keys of which the source calls equal what the lake and ClickHouse tell apart: told in the plan and in the report."""

from __future__ import annotations

from etl.config.destinations.load_config import TableLoadConfig, WithDecimals
from etl.config.tables.models import TableConfig
from etl.config.tables.modes import finds_by_key
from etl.model import ColumnDefinition, TableDefinition, VanishedRows
from etl.statements.postgresql.naming import is_loosely_equal
from etl.statements.types import is_wide_numeric


def loose_keys(load: TableLoadConfig, table: TableConfig, definition: TableDefinition | None) -> tuple[str, ...]:
    """A sentence for each such column of a load that finds rows by their key, and lets go of none that is gone."""
    is_by_text = isinstance(load, WithDecimals)  # PostgreSQL's target has the source's own types
    if not is_by_text or not finds_by_key(load) or load.vanished_rows is not VanishedRows.KEEP or not definition:
        return ()
    renamed = {column.name: table.transform.rename.get(column.name, column.name) for column in definition.columns}
    return tuple(
        f"the key column {renamed[column.name]} is {column.stands_for or column.type}, and the source may call two "
        "spellings of it equal: a key that is respelt there is a new row here, and the old one stays until a load "
        "reads the table whole with `vanished_rows: delete` or `mark`"
        for column in definition.columns
        if renamed[column.name] in load.key and _is_loose(column)
    )


def _is_loose(column: ColumnDefinition) -> bool:
    if column.has_loose_texts:
        return True
    # numbers are numbers there, too; an enumeration's text is its identity, char(n) is padded, and of two times with a
    # zone only the same are equal
    exact = ("character", "real", "double precision", "time ", "time(")
    is_alike = is_wide_numeric(column.type) or column.type.startswith(exact)
    return not is_alike and not column.stands_for and is_loosely_equal(column.type)
