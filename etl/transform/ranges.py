"""What the chosen stores cannot hold, found before the first is written: a row goes to all of them or to none."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pyspark.sql.types import ArrayType, DataType, DateType, StringType, TimestampType

from etl.config.destinations.registry import known_destinations
from etl.config.destinations.spec import Holding
from etl.model import Destination
from etl.postgresql_types import length_of
from etl.statements.quoting import spark_identifier
from etl.transform.draft import Check, Draft

_NUL = "char(0)"


def destination_rules(names: Collection[Destination], draft: Draft, given: Mapping[str, str]) -> list[Check]:
    """`given` are the PostgreSQL types that the source itself enforces on columns that were not altered since."""
    checks = []
    for destination in sorted(names):
        holds = known_destinations()[destination].holds
        for name, field in draft.fields.items():
            type_ = draft.postgresql_types.get(name, "")
            if holds.has_source_types and type_ and given.get(name) == type_:
                continue
            violation = _violation(spark_identifier(name), field.dataType, type_, holds)
            if violation is not None:
                text = f"{name} is outside what {destination} can hold"
                checks.append(Check(f"range:{destination}:{name}", violation, draft.reason(name, text)))
    return checks


def _violation(value: str, data_type: DataType, postgresql_type: str, holds: Holding) -> str | None:
    if isinstance(data_type, StringType):
        tests = [] if holds.takes_nul else [f"contains({value}, {_NUL})"]
        length = length_of(postgresql_type) if holds.has_source_types else None
        tests += [f"char_length({value}) > {length}"] if length else []
        return f"({' OR '.join(tests)})" if tests else None
    if isinstance(data_type, ArrayType) and isinstance(data_type.elementType, StringType):
        return None if holds.takes_nul else f"exists({value}, item -> contains(item, {_NUL}))"
    return _outside(value, data_type, holds.first_day, holds.last_day)


def _outside(value: str, data_type: DataType, first_day: str, last_day: str) -> str | None:
    """Spark wants a sign before a year of more than four digits."""
    if isinstance(data_type, DateType):
        return f"{value} NOT BETWEEN DATE'{first_day}' AND DATE'{last_day}'"
    if isinstance(data_type, TimestampType):
        return f"{value} NOT BETWEEN TIMESTAMP'{first_day} 00:00:00' AND TIMESTAMP'{last_day} 23:59:59.999999'"
    if isinstance(data_type, ArrayType):
        violation = _outside("item", data_type.elementType, first_day, last_day)
        return f"exists({value}, item -> {violation})" if violation else None
    return None
