"""What the chosen stores cannot hold, found before the first is written.

A row goes to all of them or to none, unless the entry says otherwise (`out_of_range`, apart.py)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.types import ArrayType, DataType, DateType, StringType, StructField, TimestampType

from etl.config.destinations.registry import known_destinations
from etl.model import Destination
from etl.postgresql_types import length_of
from etl.statements.quoting import spark_identifier
from etl.transform.draft import Check, Draft

_NUL = "char(0)"
_DAY = re.compile(r"([+-]?\d+)-(\d\d)-(\d\d)")
_MICROSECONDS_A_DAY, _DAYS_OF_400_YEARS = 86_400_000_000, 146_097


@dataclass(frozen=True)
class Limit:
    """What of a column's values a destination does not hold: a NUL, more characters, other days; also in an array."""

    destination: Destination
    name: str
    kind: DataType
    takes_nul: bool
    length: int | None
    first_day: str
    last_day: str

    @classmethod
    def of(cls, destination: Destination, field: StructField, postgresql_type: str) -> Limit:
        holds = known_destinations()[destination].holds
        length = length_of(postgresql_type) if holds.has_source_types else None
        return cls(destination, field.name, field.dataType, holds.takes_nul, length, holds.first_day, holds.last_day)

    @property
    def violation(self) -> str | None:
        """In Spark SQL; None where every value is held."""
        return self._violation(spark_identifier(self.name), self.kind)

    @property
    def nearest(self) -> str:
        """In Spark SQL, of a value that violates it: the first or last day, the text cut and without NULs."""
        return self._nearest(spark_identifier(self.name), self.kind)

    @property
    def rule(self) -> str:
        return f"range:{self.destination}:{self.name}"

    def reason(self, draft: Draft) -> str:
        return draft.reason(self.name, f"{self.name} is outside what {self.destination} can hold")

    def holds(self, values: pa.ChunkedArray | pa.Array) -> bool:
        """Whether none of these violates it."""
        if pa.types.is_list(values.type):
            return self.holds(pc.list_flatten(values))
        if isinstance(self.kind, StringType) and self.length and _any(pc.greater(pc.utf8_length(values), self.length)):
            return False
        if pa.types.is_string(values.type):
            return self.takes_nul or not _any(pc.match_substring(values, "\0"))
        if pa.types.is_date(values.type) or pa.types.is_timestamp(values.type):
            first, after = _begin(_days(self.first_day), values.type), _begin(_days(self.last_day) + 1, values.type)
            return not _any(pc.or_(pc.less(values, first), pc.greater_equal(values, after)))
        return True

    def _violation(self, value: str, kind: DataType) -> str | None:
        if isinstance(kind, ArrayType):
            violation = replace(self, length=None)._violation("item", kind.elementType)
            return f"exists({value}, item -> {violation})" if violation else None
        if isinstance(kind, StringType):
            tests = [] if self.takes_nul else [f"contains({value}, {_NUL})"]
            tests += [f"char_length({value}) > {self.length}"] if self.length else []
            return f"({' OR '.join(tests)})" if tests else None
        return _outside(value, kind, self.first_day, self.last_day)

    def _nearest(self, value: str, kind: DataType) -> str:
        if isinstance(kind, ArrayType):
            return f"transform({value}, item -> {replace(self, length=None)._nearest('item', kind.elementType)})"
        if isinstance(kind, StringType):
            shown = value if self.takes_nul else f"replace({value}, {_NUL}, '')"
            return f"left({shown}, {self.length})" if self.length else shown
        first, last = _ends(kind, self.first_day, self.last_day)
        return f"CASE WHEN {value} < {first} THEN {first} WHEN {value} > {last} THEN {last} ELSE {value} END"


def limits(
    names: Collection[Destination],
    fields: Iterable[StructField],
    types: Mapping[str, str],
    given: Mapping[str, str],
) -> Iterator[Limit]:
    """`types` are the columns' PostgreSQL types; `given` those that the source itself enforces on columns that were not
    altered since."""
    known = list(fields)
    for destination in sorted(names):
        has_source_types = known_destinations()[destination].holds.has_source_types
        for field in known:
            type_ = types.get(field.name, "")
            if not (has_source_types and type_ and given.get(field.name) == type_):
                yield Limit.of(destination, field, type_)


def range_checks(draft: Draft, kept: Iterable[Limit]) -> list[Check]:
    """Of limits that all stores keep."""
    return [
        Check(limit.rule, violation, limit.reason(draft))
        for limit in kept
        if (violation := limit.violation) is not None
    ]


def _outside(value: str, data_type: DataType, first_day: str, last_day: str) -> str | None:
    if isinstance(data_type, DateType | TimestampType):
        first, last = _ends(data_type, first_day, last_day)
        return f"{value} NOT BETWEEN {first} AND {last}"
    return None


def _ends(data_type: DataType, first_day: str, last_day: str) -> tuple[str, str]:
    """Spark wants a sign before a year of more than four digits."""
    if isinstance(data_type, DateType):
        return f"DATE'{first_day}'", f"DATE'{last_day}'"
    return f"TIMESTAMP'{first_day} 00:00:00'", f"TIMESTAMP'{last_day} 23:59:59.999999'"


def _any(flags: pa.ChunkedArray | pa.Array) -> bool:
    return bool(pc.any(flags).as_py())


def _begin(days: int, kind: pa.DataType) -> pa.Scalar:
    """So many days after 1970 began, or their first instant, as the type's own number: Python ends at the year 9999."""
    if pa.types.is_date(kind):
        return pa.scalar(days, pa.int32()).cast(kind)
    return pa.scalar(days * _MICROSECONDS_A_DAY, pa.int64()).cast(kind)


def _days(day: str) -> int:
    """Since 1970, of a year of any number of digits: the calendar repeats after 400 years."""
    year, month, of_month = map(int, _DAY.fullmatch(day).groups())  # type: ignore[union-attr]
    cycles, within = divmod(year, 400)
    return (date(2000 + within, month, of_month) - date(1970, 1, 1)).days + (cycles - 5) * _DAYS_OF_400_YEARS
