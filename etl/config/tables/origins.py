"""Which columns of the source a table's columns are made of, by the steps of its `transform`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import sqlglot
from sqlglot import exp

from etl.config.tables.models import TableConfig
from etl.model import ColumnDefinition

_TEXT = ("text", "character")


@dataclass(frozen=True)
class Origin:
    """`is_identity`: the values are the source's own. `is_hidden`: what they were cannot be seen in them (a hash, a
    mask)."""

    columns: tuple[str, ...]
    is_identity: bool = True
    is_hidden: bool = False


def column_origins(table: TableConfig, source: Sequence[ColumnDefinition]) -> dict[str, Origin]:
    """Of each column that is left, but for those that a class of `transformer` adds; a text that `trim: true` may alter
    counts as altered."""
    transform = table.transform
    names = {column.name: transform.rename.get(column.name, column.name) for column in source}
    origins = {final: Origin((name,)) for name, final in names.items()}
    altered = {*_trimmed(table, source, names), *transform.cast, *transform.default}
    _alter(origins, altered)
    for name, sql in transform.derive.items():
        origins[name] = Origin(_columns_of(sql, origins), is_identity=False)
    _alter(origins, {*transform.normalize_case})
    for name in {*transform.hash, *transform.mask} & set(origins):
        origins[name] = replace(origins[name], is_identity=False, is_hidden=True)
    return {name: origin for name, origin in origins.items() if name not in transform.drop}


def _trimmed(table: TableConfig, source: Sequence[ColumnDefinition], names: Mapping[str, str]) -> Iterable[str]:
    trim = table.transform.trim
    if not isinstance(trim, bool):
        return trim
    texts = [names[column.name] for column in source if column.type.startswith(_TEXT)] if trim else []
    return [name for name in texts if name not in table.key]


def _alter(origins: dict[str, Origin], names: Iterable[str]) -> None:
    for name in set(names) & set(origins):
        origins[name] = replace(origins[name], is_identity=False)


def _columns_of(sql: str, origins: Mapping[str, Origin]) -> tuple[str, ...]:
    """Letter case counts in no expression, and of `address.city` the column is the first part."""
    known = {name.casefold(): origin.columns for name, origin in origins.items()}
    used = sqlglot.parse_one(sql, dialect="spark").find_all(exp.Column)
    return tuple(dict.fromkeys(name for each in used for name in known.get(each.parts[0].name.casefold(), ())))
