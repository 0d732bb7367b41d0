"""What only the rows can tell: those that a constraint to be added would refuse. Asked before anything is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.planning import FILLED, unguarded
from etl.orchestrator.database.shape import Constraint, Index, Shape, Table
from etl.orchestrator.database.steps import Refusal
from etl.statements.quoting import postgresql_identifier as quoted

_FOREIGN_KEY = re.compile(r"FOREIGN KEY \((\w+)\) REFERENCES (\w+)\((\w+)\)")
_LONGEST_SECONDS = 3600.0


def obstacles(database: OrchestratorDatabase, standing: Shape, wanted: Shape) -> list[Refusal]:
    """Each with how many rows it is, and one of them."""
    found = []
    with database.transaction("look for rows in the way", statement_timeout_seconds=_LONGEST_SECONDS) as cursor:
        for name, new in wanted.tables.items():
            if old := standing.tables.get(name):
                texts = [
                    *_missing(cursor, old, new),
                    *_rows(cursor, old, new),
                    *_duplicates(cursor, standing, wanted, old),
                    *_orphans(cursor, standing, old, new),
                ]
                found += [Refusal(name, text) for text in texts]
    return found


def _missing(cursor: Any, old: Table, new: Table) -> Iterator[str]:
    lacking = [
        column.name
        for name, column in new.columns.items()
        if name not in old.columns
        and (column.is_identity or (column.is_required and column.default is None))
        and name not in FILLED.get(new.name, ())
    ]
    if not lacking:
        return
    cursor.execute(f"SELECT EXISTS (SELECT FROM {quoted(old.name)}) AS is_filled")
    if cursor.fetchone()["is_filled"]:
        yield f"it has rows, and no column {', '.join(lacking)} that tells of them; add and fill what is missing"


def _rows(cursor: Any, old: Table, new: Table) -> Iterator[str]:
    """Nulls and broken checks, by one reading of the table."""
    conditions = {f"have no {name}": f"{quoted(name)} IS NULL" for name in _nullable(old, new)}
    for name, check in new.constraints.items():
        if check.kind == "c" and not _stands(old.constraints.get(name), check):
            expression = check.definition.removeprefix("CHECK ")
            conditions[f"break {name}, {check.definition}"] = f"{expression} IS FALSE"
    if not conditions:
        return
    key = _a_column(old)
    counts = ", ".join(
        f"count(*) FILTER (WHERE {condition}) AS n{number}, min({key}::text) FILTER (WHERE {condition}) AS k{number}"
        for number, condition in enumerate(conditions.values())
    )
    cursor.execute(f"SELECT {counts} FROM ({_completed(old, new)}) AS rows".replace("%", "%%"), {"_": None})
    row = cursor.fetchone()
    for number, text in enumerate(conditions):
        if row[f"n{number}"]:
            yield f"{row[f'n{number}']:,} rows {text} (one: {key} {row[f'k{number}']}); mend or remove them"


def _nullable(old: Table, new: Table) -> list[str]:
    filled = FILLED.get(new.name, ())
    return [name for name in unguarded(old, new) if name in old.columns and name not in filled]


def _completed(old: Table, new: Table) -> str:
    """The rows as they will be when the missing columns are added."""
    added = [
        f"({column.default or 'NULL'})::{column.type} AS {quoted(name)}"
        for name, column in new.columns.items()
        if name not in old.columns
    ]
    return f"SELECT {', '.join(['*', *added])} FROM {quoted(old.name)}"


def _duplicates(cursor: Any, standing: Shape, wanted: Shape, old: Table) -> Iterator[str]:
    for index in wanted.indexes.values():
        if index.table == old.name and index.is_unique and not index.is_partial and _is_to_be_built(standing, index):
            names = [name for name in index.columns if name in old.columns]
            if len(names) == len(index.columns):
                yield from _doubled(cursor, index, names)


def _is_to_be_built(standing: Shape, index: Index) -> bool:
    found = standing.indexes.get(index.name)
    if found is None and index.is_of_constraint:
        return standing.tables[index.table].primary_key is None
    return found is None or not found.is_valid or found.definition != index.definition


def _doubled(cursor: Any, index: Index, names: list[str]) -> Iterator[str]:
    columns = ", ".join(map(quoted, names))
    complete = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in names)
    cursor.execute(
        f"SELECT count(*) AS number, min(place) AS one, sum(times) AS rows FROM (SELECT concat_ws(', ', {columns}) AS"
        f" place, count(*) AS times FROM {quoted(index.table)} WHERE {complete} GROUP BY {columns}"
        " HAVING count(*) > 1) AS doubled"
    )
    row = cursor.fetchone()
    if row["number"]:
        yield (
            f"{row['number']:,} values of {', '.join(names)} stand in {row['rows']:,} rows (one: {row['one']}), where"
            f" {index.name} allows one row each; give the others a value of their own, or remove them"
        )


def _orphans(cursor: Any, standing: Shape, old: Table, new: Table) -> Iterator[str]:
    for name, wanted in new.constraints.items():
        parts = _FOREIGN_KEY.match(wanted.definition)
        if parts is None or _stands(old.constraints.get(name), wanted) or parts[1] not in old.columns:
            continue
        column, target, key = quoted(parts[1]), parts[2], quoted(parts[3])
        is_there = f"EXISTS (SELECT FROM {quoted(target)} AS target WHERE target.{key} = rows.{column})"
        if target not in standing.tables:
            is_there = "false"
        elif parts[3] not in standing.tables[target].columns:
            continue  # told of the target
        cursor.execute(
            f"SELECT count(*) AS number, min({column}) AS one FROM {quoted(old.name)} AS rows"
            f" WHERE {column} IS NOT NULL AND NOT {is_there}"
        )
        row = cursor.fetchone()
        if row["number"]:
            told = f"{row['number']:,} rows have a {parts[1]} that {target} lacks (one: {row['one']})"
            yield f"{told}; mend or remove them"


def _stands(found: Constraint | None, wanted: Constraint) -> bool:
    return found is not None and found.is_valid and found.definition == wanted.definition


def _a_column(table: Table) -> str:
    """What a person finds a row by."""
    key = table.primary_key
    name = key.definition.partition("(")[2].partition(")")[0].partition(",")[0] if key else next(iter(table.columns))
    return quoted(name.strip('"'))
