"""What the source did to a table's columns since a destination took it: one rule for all stores, and words for it.

A column that went stays in the stores. The extraction goes on with it as NULL, so that every store gets the same frame:
rows loaded from then on hold NULL there. `transform: {drop: …}` lets go of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from etl.config.destinations.registry import known_destinations
from etl.config.tables.models import TableConfig
from etl.config.tables.out_of_range import named_columns
from etl.errors import SourceError
from etl.ledger.values import Watermark
from etl.model import ColumnDefinition, Destination, SchemaContract, TableDefinition

_LITERAL = re.compile(r"'[^']*'")
Watermarks = Mapping[tuple[str, Destination], Watermark]


def with_gone_columns(
    definitions: Mapping[str, TableDefinition], tables: Iterable[TableConfig], watermarks: Watermarks
) -> dict[str, TableDefinition]:
    """The definitions, and at their end the columns that destinations have taken and the source has no longer.

    Not where the entry speaks of such a column, which is a mistake by now, nor where a store freezes its schema.
    """
    known = dict(definitions)
    for table in tables:
        if table.name in known and not _is_frozen(table):
            taken = [
                watermarks[table.name, name].columns
                for name in known_destinations()
                if (table.name, name) in watermarks
            ]
            known[table.name] = _with_gone(known[table.name], table, taken)
    return known


def refuse_spoken_of(table: TableConfig, taken: Sequence[ColumnDefinition] | None, definition: TableDefinition) -> None:
    """SourceError where the entry speaks of a column that the source had when a destination took it, and lacks now."""
    names = [column.name for column in taken or () if column.name not in definition.column_names]
    if spoken := [name for name in names if _speaks_of(table, name)]:
        listed = ", ".join(spoken)
        raise SourceError(
            f"{table.name}: expected the columns that the entry speaks of at the source, found that {listed} is gone; "
            "take it out of the entry, or write what it is called now (`transform: {rename: {new: old}}`)",
            table=table.name,
        )


def changes_since(taken: Sequence[ColumnDefinition], definition: TableDefinition, *, is_whole: bool) -> tuple[str, ...]:
    """What a person should know before and after the load; `is_whole`: it brings every row of the source."""
    former = {column.name: column for column in taken}
    gone = [c for c in definition.columns if c.gone and c.name in former and not former[c.name].gone]
    new = [c for c in definition.columns if not c.gone and (c.name not in former or former[c.name].gone)]
    renamed = len(gone) == len(new) == 1 and gone[0].type == new[0].type
    return (
        *(_of_gone(column, new[0] if renamed else None, is_whole=is_whole) for column in gone),
        *(f"the source has a new column {column.name} ({column.type})" for column in new),
        *_of_changed(former, [c for c in definition.columns if not c.gone and c not in new]),
    )


def _of_gone(column: ColumnDefinition, renamed: ColumnDefinition | None, *, is_whole: bool) -> str:
    fate = "it stays in the store and holds NULL in every row"
    if not is_whole:
        fate = (
            "it stays in the store, rows loaded from now on hold NULL there, those loaded before keep theirs until "
            "a load with --full-refresh"
        )
    said = f"the source has no column {column.name} any more: {fate}"
    if renamed is None:
        return said
    return (
        f"{said}. If it is called {renamed.name} now, `transform: {{rename: {{{renamed.name}: {column.name}}}}}` goes "
        "on with one column"
    )


def _of_changed(former: Mapping[str, ColumnDefinition], columns: Iterable[ColumnDefinition]) -> Iterator[str]:
    for column in columns:
        before = former[column.name]
        if before.type != column.type:
            yield f"column {column.name} has the type {column.type} at the source now; it was {before.type}"
        if column.nullable and not before.nullable:
            yield f"column {column.name} may be NULL at the source now"


def _is_frozen(table: TableConfig) -> bool:
    return any(load.enabled and load.schema_contract is SchemaContract.FREEZE for load in table.loads.values())


def _with_gone(
    definition: TableDefinition, table: TableConfig, taken: Iterable[Sequence[ColumnDefinition] | None]
) -> TableDefinition:
    present = {name.casefold() for name in definition.column_names}
    gone: dict[str, ColumnDefinition] = {}
    for column in (column for columns in taken for column in columns or ()):
        is_made_here = column.name in table.transform.derive
        if column.name.casefold() not in present and not is_made_here and not _speaks_of(table, column.name):
            gone[column.name] = replace(column, nullable=True, generated=False, identity=False, gone=True)
    return replace(definition, columns=(*definition.columns, *gone.values()))


def _speaks_of(table: TableConfig, name: str) -> bool:
    if name in _named_by(table):
        return True
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    return any(word.search(_LITERAL.sub("", sql)) for sql in _expressions_of(table))


def _named_by(table: TableConfig) -> set[str]:
    """Columns that the entry names; the key and the date by their names before `rename`, too."""
    transform = table.transform
    named: set[str | None] = {*table.key, table.date_column, table.extract.watermark}
    named |= {*transform.rename, *transform.cast, *transform.default, *transform.allowed, *transform.mask}
    named |= {*transform.required, *transform.normalize_case, *transform.hash}
    named |= {*(transform.trim if isinstance(transform.trim, tuple) else ())}
    named |= {order.column for order in transform.deduplicate.order_by} if transform.deduplicate else set()
    named |= {value for value in transform.options.values() if isinstance(value, str)}
    for load in table.loads.values():
        named |= {*load.key, *getattr(load, "conflict_target", ()), *getattr(load, "order_by", ())}
        named.add(getattr(load, "version", None))
        named |= {*named_columns(load)}
    return {name for name in named if name is not None}


def _expressions_of(table: TableConfig) -> list[str]:
    transform = table.transform
    ttls = [getattr(load, "ttl", None) or "" for load in table.loads.values()]
    return [
        *transform.derive.values(),
        transform.filter or "",
        transform.deleted_when or "",
        *transform.rules.values(),
        *ttls,
    ]
