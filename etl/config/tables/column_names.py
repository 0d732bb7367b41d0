"""Names of columns: those that no column of a table has, alone or within an SQL expression, and those that clash."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from etl.config.tables.entry import Entry
from etl.config.tables.schema import reason
from etl.errors import Fault
from etl.model import HIDDEN
from etl.nearest import suggestion


def absent(entry: Entry, path: tuple[str, ...], names: Iterable[str], columns: Sequence[str]) -> Iterator[Fault]:
    for name in names:
        if name not in columns:
            node = entry.at(*path, name)
            label = ".".join(step for step in path if step != "loads")
            yield node.fault(f"{label}: table {entry.name} has no column {name!r}; {suggestion(name, columns)}")


def same_but_for_case(names: Iterable[str]) -> list[list[str]]:
    """Spark and the lake know no letter case in names."""
    by_folded: dict[str, list[str]] = {}
    for name in names:
        by_folded.setdefault(name.casefold(), []).append(name)
    return [alike for alike in by_folded.values() if len(alike) > 1]


def impossible_at_the_source(names: Sequence[str]) -> list[str]:
    """What readers of ours cannot tell apart, and names that begin as those of our own columns, which travel along."""
    alike = [f"{' and '.join(map(repr, each))}, which differ in case only" for each in same_but_for_case(names)]
    return [*alike, *(repr(name) for name in names if name.casefold().startswith(HIDDEN))]


def expression_faults(
    entry: Entry, path: tuple[str, ...], sql: str, dialect: str, columns: Sequence[str]
) -> Iterator[Fault]:
    label = ".".join(step for step in path if step and step != "loads")
    known = {name.casefold() for name in columns}
    try:
        found = sqlglot.parse_one(sql, dialect=dialect)
    except SqlglotError as error:
        yield entry.at(*path).fault(f"{label}: not an SQL expression: {reason(error)}")
        return
    for column in dict.fromkeys(found.find_all(exp.Column)):
        name = column.parts[0].name  # of `address.city` the column is the first part
        if name.casefold() not in known:
            yield entry.at(*path).fault(
                f"{label}: table {entry.name} has no column {name!r}; {suggestion(name, columns)}"
            )
