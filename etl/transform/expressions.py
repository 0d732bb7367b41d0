"""SQL expressions from YAML, checked against the columns they stand on, before a row is read."""

from __future__ import annotations

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql.types import BooleanType, DataType

from etl.config.models import TableConfig
from etl.errors import ConfigurationError, Fault
from etl.transform.draft import Draft


def expression(draft: Draft, table: TableConfig, where: str, sql: str) -> tuple[str, DataType]:
    """The expression in parentheses, and its type; `where` is its key in the table's `transform` entry."""
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


def fault(table: TableConfig, where: str, message: str) -> ConfigurationError:
    file = f"conf/tables/{table.domain}.yaml"
    return ConfigurationError([Fault(file, 0, f"{table.name}.transform.{where}: {message}")])


def _first_line(error: AnalysisException | ParseException) -> str:
    return str(error).strip().splitlines()[0]
