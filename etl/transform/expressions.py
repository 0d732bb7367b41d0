"""SQL expressions from YAML, checked against the columns they stand on, before a row is read."""

from __future__ import annotations

import sqlglot
from pyspark.errors import AnalysisException, ParseException
from pyspark.sql.types import BooleanType, DataType
from sqlglot import exp
from sqlglot.errors import SqlglotError

from etl.config.tables.models import TableConfig
from etl.errors import ConfigurationError, Fault
from etl.statements.types import is_wide_numeric
from etl.transform.draft import Draft


def expression(draft: Draft, table: TableConfig, where: str, sql: str) -> tuple[str, DataType]:
    """The expression in parentheses, and its type; `where` is its key in the table's `transform` entry."""
    _refuse_digits(draft, table, where, sql)
    enclosed = f"({sql}\n)"  # a comment at its end must not swallow the parenthesis
    try:
        field = draft.frame.selectExpr(enclosed).schema.fields[0]
    except (AnalysisException, ParseException) as error:
        raise fault(table, where, f"{sql!r} is no valid expression here: {_first_line(error)}") from error
    return enclosed, field.dataType


def condition(draft: Draft, table: TableConfig, where: str, sql: str) -> str:
    """Must be true or false; NULL means that nothing is known against the row."""
    enclosed, found = expression(draft, table, where, sql)
    if not isinstance(found, BooleanType):
        raise fault(table, where, f"expected a condition, found {sql!r} of type {found.simpleString()}")
    return enclosed


def _refuse_digits(draft: Draft, table: TableConfig, where: str, sql: str) -> None:
    """A numeric without precision is text here: as a number it may not fit, as text `2` comes after `10`."""
    digits = {name for name, type_ in draft.postgresql_types.items() if is_wide_numeric(type_)}
    if not digits:
        return
    try:
        found = sqlglot.parse_one(sql, dialect="spark")
    except SqlglotError:
        return  # Spark says what is wrong with it
    for column in found.find_all(exp.Column):
        name = column.parts[0].name
        if name in digits and not isinstance(column.parent, exp.Cast | exp.TryCast | exp.Is):
            raise fault(
                table,
                where,
                f"{name} is {draft.postgresql_types[name]}, which no number of Spark holds, so it is text in "
                f"expressions; say what {sql!r} means by it, such as TRY_CAST({name} AS DECIMAL(38,18)) or "
                f"CAST({name} AS STRING), or give it a precision in transform.cast",
            )


def fault(table: TableConfig, where: str, message: str) -> ConfigurationError:
    return ConfigurationError([fault_of(table, f".transform.{where}: {message}")])


def fault_of(table: TableConfig, said: str) -> Fault:
    """Of an entry whose file and line are no longer at hand; `said` goes on behind the table's name."""
    return Fault(f"conf/tables/{table.domain}.yaml", 0, f"{table.name}{said}")


def _first_line(error: AnalysisException | ParseException) -> str:
    return str(error).strip().splitlines()[0]
