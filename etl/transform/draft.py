"""A frame on its way through the steps: its visible columns, and the first thing found wrong with each row.

Expressions are SQL text where they can be: each Column built in Python costs several calls into the JVM, and most of a
run's tables are so small that those calls would be what they wait for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructField

from etl.model import HIDDEN, POSTGRESQL_TYPE, Destination
from etl.statements.quoting import spark_identifier, spark_literal
from etl.transform.outcome import Apart, Outcome

SOURCE, FAILURE = "_etl_source", "_etl_failure"
_NO_FAILURE = "CAST(NULL AS struct<outcome:string,rule:string,reason:string>)"
Expression = str | Column


@dataclass(frozen=True)
class Check:
    """Rows for which `condition` is true get `outcome`; where it is NULL or false they pass.

    `reason` is SQL text, `condition` SQL text or a Column.
    """

    rule: str
    condition: Expression
    reason: str
    outcome: Outcome = Outcome.REJECTED


@dataclass(frozen=True)
class Draft:
    """`never_null` are the columns that hold no NULL once all rejects are gone. `unshown` are those whose values may
    not appear in a reason: they are hashed, masked or dropped. `postgresql_types` are known for columns whose type
    does not just follow from Spark's. `apart` are the stores that take some rows otherwise.
    """

    frame: DataFrame
    never_null: frozenset[str] = frozenset()
    unshown: frozenset[str] = frozenset()
    postgresql_types: Mapping[str, str] = field(default_factory=dict)
    apart: Mapping[Destination, Apart] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return [name for name in self.frame.columns if not name.startswith(HIDDEN)]

    @property
    def fields(self) -> dict[str, StructField]:
        return {field.name: field for field in self.frame.schema.fields if not field.name.startswith(HIDDEN)}

    def altered(self, columns: Mapping[str, Expression]) -> Draft:
        """New values of the same types: what the source calls the types stays true."""
        if not columns:
            return self
        return replace(self, frame=self.frame.withColumns({n: as_column(value) for n, value in columns.items()}))

    def retyped(self, columns: Mapping[str, Expression], types: Mapping[str, str] | None = None) -> Draft:
        """New columns, or new values of new types; without one in `types` it follows from Spark's."""
        others = {name: type_ for name, type_ in self.postgresql_types.items() if name not in columns}
        return replace(self.altered(columns), postgresql_types={**others, **(types or {})})

    def beside(self, hidden: Mapping[str, str], destination: Destination, apart: Apart) -> Draft:
        """With the hidden columns of a store that takes some rows otherwise."""
        return replace(self.altered(hidden), apart={**self.apart, destination: apart})

    def failing(self, checks: Iterable[Check]) -> Draft:
        """The first failure of a row is the one that is told."""
        found = [_found(check) for check in checks]
        if not found:
            return self
        if all(isinstance(one, str) for one in found):
            first = F.expr(f"coalesce({', '.join([FAILURE, *map(str, found)])})")
        else:
            first = F.coalesce(F.col(FAILURE), *map(as_column, found))
        return replace(self, frame=self.frame.withColumn(FAILURE, first))

    def reason(self, name: str, text: str) -> str:
        """SQL of `text: value`, or of the text alone where the value may not be seen."""
        if name in self.unshown:
            return spark_literal(text)
        shown = f"coalesce(left(CAST({spark_identifier(name)} AS STRING), 200), 'NULL')"
        return f"concat({spark_literal(f'{text}: ')}, {shown})"


def start(frame: DataFrame, source: str, *, never_null: frozenset[str], unshown: frozenset[str]) -> Draft:
    """`source` is the row as it came, masked as the table says, for whoever reads the reject."""
    types = {
        field.name: field.metadata[POSTGRESQL_TYPE]
        for field in frame.schema.fields
        if POSTGRESQL_TYPE in field.metadata
    }
    started = frame.selectExpr("*", f"{source} AS {SOURCE}", f"{_NO_FAILURE} AS {FAILURE}")
    return Draft(started, never_null, unshown, types)


def as_column(expression: Expression) -> Column:
    return F.expr(expression) if isinstance(expression, str) else expression


def column_of(name: str) -> Column:
    return F.col(spark_identifier(name))


def _found(check: Check) -> Expression:
    failure = (
        f"named_struct('outcome', {spark_literal(check.outcome.value)}, 'rule', {spark_literal(check.rule)},"
        f" 'reason', {check.reason})"
    )
    if isinstance(check.condition, str):
        return f"CASE WHEN {check.condition} THEN {failure} END"
    return F.when(check.condition, F.expr(failure))
