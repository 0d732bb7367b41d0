"""The source's schema, read offline: CREATE TABLE and ALTER TABLE statements → TableDefinition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from etl.errors import Fault
from etl.model import ColumnDefinition, ForeignKey, TableDefinition
from etl.postgresql_types import format_type

QualifiedName = tuple[str, str]
"""Schema and table."""

Schema = Mapping[QualifiedName, TableDefinition]


def read_schema(paths: Iterable[Path]) -> tuple[dict[QualifiedName, TableDefinition], list[Fault]]:
    """Every table that the SQL files (or the *.sql files of a folder) create, with the faults of those files."""
    tables: dict[QualifiedName, _Table] = {}
    faults: list[Fault] = []
    for file in _sql_files(paths):
        try:
            for statement in sqlglot.parse(file.read_text(encoding="utf-8"), dialect="postgres"):
                _apply(statement, tables)
        except (SqlglotError, ValueError) as error:
            faults.append(Fault(str(file), _line_of(error), f"cannot read the schema: {reason(error)}"))
        except OSError as error:
            faults.append(Fault(str(file), 0, f"cannot read the schema: {error.strerror}"))
    return {name: table.definition(tables) for name, table in tables.items()}, faults


def _sql_files(paths: Iterable[Path]) -> list[Path]:
    return [file for path in paths for file in (sorted(path.glob("*.sql")) if path.is_dir() else [path])]


def _line_of(error: Exception) -> int:
    if isinstance(error, ParseError) and error.errors:
        return int(error.errors[0].get("line") or 0)
    return error.line if isinstance(error, _BadColumn) else 0


def reason(error: Exception) -> str:
    """What sqlglot says, without the excerpt that follows and its underlining, which is for terminals."""
    if isinstance(error, ParseError) and error.errors:
        return str(error.errors[0].get("description") or error)
    return str(error).splitlines()[0]


@dataclass
class _Table:
    """A table while its statements are read: ALTER TABLE comes later than CREATE TABLE."""

    name: str
    columns: list[ColumnDefinition] = field(default_factory=list)
    primary_key: tuple[str, ...] = ()
    unique_keys: list[tuple[str, ...]] = field(default_factory=list)
    foreign_keys: list[tuple[tuple[str, ...], QualifiedName, tuple[str, ...]]] = field(default_factory=list)

    def definition(self, tables: dict[QualifiedName, _Table]) -> TableDefinition:
        """A key column is never NULL; a reference without columns means the parent's primary key."""
        return TableDefinition(
            name=self.name,
            columns=tuple(replace(c, nullable=c.nullable and c.name not in self.primary_key) for c in self.columns),
            primary_key=self.primary_key,
            unique_keys=tuple(self.unique_keys),
            foreign_keys=tuple(
                ForeignKey(columns, parent[1], parent_columns or _primary_key(tables.get(parent)))
                for columns, parent, parent_columns in self.foreign_keys
            ),
        )


def _primary_key(table: _Table | None) -> tuple[str, ...]:
    return table.primary_key if table else ()


def _apply(statement: exp.Expr | None, tables: dict[QualifiedName, _Table]) -> None:
    if isinstance(statement, exp.Create) and statement.kind == "TABLE" and isinstance(statement.this, exp.Schema):
        table = tables.setdefault(_qualified(statement.this.this), _Table(statement.this.this.name))
        for element in statement.this.expressions:
            _add_element(table, element)
    elif isinstance(statement, exp.Create) and statement.kind == "INDEX" and statement.args.get("unique"):
        _add_unique_index(statement.this, tables)
    elif isinstance(statement, exp.Command):
        raise ValueError(f"a statement that is not understood: {statement.sql()[:60]!r}")
    elif isinstance(statement, exp.Alter) and statement.args.get("kind") == "TABLE":
        _alter(statement, tables)


def _alter(statement: exp.Alter, tables: dict[QualifiedName, _Table]) -> None:
    table = tables.get(_qualified(statement.this))
    if table is None:
        raise ValueError(f"ALTER TABLE {statement.this.name}: the table is not created before")
    for action in statement.args.get("actions") or []:
        for element in action.expressions if isinstance(action, exp.AddConstraint) else [action]:
            _add_element(table, element)


def _qualified(table: exp.Expr) -> QualifiedName:
    return table.text("db") or "public", table.name


def _add_element(table: _Table, element: exp.Expr) -> None:
    if isinstance(element, exp.ColumnDef):
        _add_column(table, element)
    elif isinstance(element, exp.Constraint):
        for inner in element.expressions:
            _add_element(table, inner)
    elif isinstance(element, exp.PrimaryKey):
        table.primary_key = _names(element.expressions)
    elif isinstance(element, exp.UniqueColumnConstraint) and isinstance(element.this, exp.Schema):
        table.unique_keys.append(_names(element.this.expressions))
    elif isinstance(element, exp.ForeignKey):
        table.foreign_keys.append((_names(element.expressions), *_parent(element.args["reference"])))


def _add_column(table: _Table, column: exp.ColumnDef) -> None:
    if column.kind is None:
        raise ValueError(f"column {table.name}.{column.name} has no type")
    kinds = [constraint.kind for constraint in column.constraints]
    for kind in kinds:
        if isinstance(kind, exp.PrimaryKeyColumnConstraint):
            table.primary_key = (column.name,)
        elif isinstance(kind, exp.UniqueColumnConstraint):
            table.unique_keys.append((column.name,))
        elif isinstance(kind, exp.Reference):
            table.foreign_keys.append(((column.name,), *_parent(kind)))
    identity = any(isinstance(kind, exp.GeneratedAsIdentityColumnConstraint) for kind in kinds)
    not_null = any(isinstance(k, exp.NotNullColumnConstraint) and not k.args.get("allow_null") for k in kinds)
    table.columns.append(
        ColumnDefinition(
            name=column.name,
            type=_type(column),
            nullable=not (not_null or identity),
            generated=any(isinstance(kind, exp.ComputedColumnConstraint) for kind in kinds),
            identity=identity,
        )
    )


def _type(column: exp.ColumnDef) -> str:
    kind = column.args["kind"]
    try:
        return format_type(kind.sql("postgres"))
    except ValueError as error:
        raise _BadColumn(f"column {column.name}: {error}", int(column.this.meta.get("line") or 0)) from None


class _BadColumn(ValueError):
    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def _parent(reference: exp.Expr) -> tuple[QualifiedName, tuple[str, ...]]:
    target = reference.this
    if isinstance(target, exp.Schema):
        return _qualified(target.this), _names(target.expressions)
    return _qualified(target), ()


def _names(elements: Iterable[exp.Expr]) -> tuple[str, ...]:
    return tuple(element.name for element in elements)


def _add_unique_index(index: exp.Expr, tables: dict[QualifiedName, _Table]) -> None:
    """Only a whole index over plain columns keeps a key unique; partial and expression indexes do not."""
    table = tables.get(_qualified(index.args["table"]))
    parameters = index.args["params"]
    columns = [ordered.find(exp.Column) or ordered for ordered in parameters.args.get("columns") or []]
    if table is not None and not parameters.args.get("where") and _names(columns) and all(_names(columns)):
        table.unique_keys.append(_names(columns))
