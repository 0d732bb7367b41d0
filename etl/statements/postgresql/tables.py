"""DDL of target tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from etl.statements.postgresql.naming import Table, name_list
from etl.statements.quoting import postgresql_identifier


@dataclass(frozen=True)
class NewColumn:
    name: str
    type: str
    not_null: bool = False

    @property
    def sql(self) -> str:
        return f"{postgresql_identifier(self.name)} {self.type}" + (" NOT NULL" if self.not_null else "")


@dataclass(frozen=True)
class ForeignKeyLink:
    """A foreign key between two target tables. Links of a cycle are checked at commit."""

    child: Table
    columns: tuple[str, ...]
    parent: Table
    parent_columns: tuple[str, ...]
    deferred: bool = False


def create_schema(schema: str) -> str:
    return f"CREATE SCHEMA IF NOT EXISTS {postgresql_identifier(schema)}"


def create_table(table: Table, columns: Sequence[NewColumn]) -> str:
    return f"CREATE TABLE {table.sql} ({', '.join(column.sql for column in columns)})"


def require_values(table: Table, columns: Sequence[str]) -> str:
    """One pass over the table, however many columns."""
    changes = ", ".join(f"ALTER COLUMN {postgresql_identifier(name)} SET NOT NULL" for name in columns)
    return f"ALTER TABLE {table.sql} {changes}"


def add_primary_key(table: Table, columns: Sequence[str]) -> str:
    return f"ALTER TABLE {table.sql} ADD PRIMARY KEY ({name_list(columns)})"


def add_unique(
    table: Table, columns: Sequence[str], *, nulls_not_distinct: bool = False, deferrable: bool = False
) -> str:
    """A deferrable key is checked at the end of each statement, so that rows may exchange values; it can be neither
    an arbiter of ON CONFLICT nor a foreign key's target."""
    nulls = " NULLS NOT DISTINCT" if nulls_not_distinct else ""
    when = " DEFERRABLE INITIALLY IMMEDIATE" if deferrable else ""
    return f"ALTER TABLE {table.sql} ADD UNIQUE{nulls} ({name_list(columns)}){when}"


def add_foreign_key(link: ForeignKeyLink, *, valid: bool = True) -> str:
    """`valid=False` leaves the rows that stand there unchecked and returns at once."""
    return (
        f"ALTER TABLE {link.child.sql} ADD FOREIGN KEY ({name_list(link.columns)}) "
        f"REFERENCES {link.parent.sql} ({name_list(link.parent_columns)})"
        f"{' DEFERRABLE INITIALLY DEFERRED' if link.deferred else ''}{'' if valid else ' NOT VALID'}"
    )


def validate_constraint(table: Table, constraint: str) -> str:
    return f"ALTER TABLE {table.sql} VALIDATE CONSTRAINT {postgresql_identifier(constraint)}"


def add_column(table: Table, column: NewColumn) -> str:
    return f"ALTER TABLE {table.sql} ADD COLUMN {column.sql}"


def drop_not_null(table: Table, column: str) -> str:
    return f"ALTER TABLE {table.sql} ALTER COLUMN {postgresql_identifier(column)} DROP NOT NULL"


def alter_column_type(table: Table, column: str, new_type: str, collation: str = "") -> str:
    """A collation that is not said again would go with the old type."""
    kept = f" COLLATE {collation}" if collation else ""
    return f"ALTER TABLE {table.sql} ALTER COLUMN {postgresql_identifier(column)} TYPE {new_type}{kept}"
