"""What the chosen stores cannot hold, found before the first is written: a row goes to all of them or to none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from pyspark.sql.types import ArrayType, DataType, DateType, StringType, TimestampType

from etl.model import Destination
from etl.postgresql_types import length_of
from etl.statements.quoting import spark_identifier
from etl.transform.draft import Check, Draft

_NUL = "char(0)"
_Violation = Callable[[str, DataType, str], str | None]


def destination_rules(destinations: Collection[Destination], draft: Draft, given: Mapping[str, str]) -> list[Check]:
    """`given` are the PostgreSQL types that the source itself enforces on columns that were not altered since."""
    checks = []
    for destination in sorted(destinations):
        for name, field in draft.fields.items():
            type_ = draft.postgresql_types.get(name, "")
            if destination is Destination.POSTGRESQL and type_ and given.get(name) == type_:
                continue
            violation = _VIOLATIONS[destination](spark_identifier(name), field.dataType, type_)
            if violation is not None:
                text = f"{name} is outside what {destination} can hold"
                checks.append(Check(f"range:{destination}:{name}", violation, draft.reason(name, text)))
    return checks


def _postgresql(value: str, data_type: DataType, postgresql_type: str) -> str | None:
    if isinstance(data_type, StringType):
        length = length_of(postgresql_type)
        too_long = f" OR char_length({value}) > {length}" if length else ""
        return f"(contains({value}, {_NUL}){too_long})"
    if isinstance(data_type, ArrayType) and isinstance(data_type.elementType, StringType):
        return f"exists({value}, item -> contains(item, {_NUL}))"
    return _outside(value, data_type, "-4712-01-01", "+294246-12-31")


def _clickhouse(value: str, data_type: DataType, _: str) -> str | None:
    """Date32 and DateTime64; beyond them ClickHouse clamps without a word."""
    return _outside(value, data_type, "1900-01-01", "2299-12-31")


def _s3(value: str, data_type: DataType, _: str) -> str | None:
    """Years that partition names and readers in other languages know."""
    return _outside(value, data_type, "0001-01-01", "9999-12-31")


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


_VIOLATIONS: dict[Destination, _Violation] = {
    Destination.S3: _s3,
    Destination.POSTGRESQL: _postgresql,
    Destination.CLICKHOUSE: _clickhouse,
}
