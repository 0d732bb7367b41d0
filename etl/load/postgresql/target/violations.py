"""Finds staged rows that the target would refuse, before PostgreSQL would refuse the whole batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etl.load.postgresql.publication.table import Publication
from etl.load.postgresql.target.catalog import UniqueKey
from etl.load.postgresql.target.constraints import mark_all, mark_broken_checks, mark_excluded
from etl.load.postgresql.transfer.nulls import count_nulls
from etl.model import ConflictResolution, SchemaContract
from etl.statements.postgresql import violations as statements
from etl.statements.postgresql.naming import Table
from etl.statements.postgresql.violations import Parent


@dataclass(frozen=True)
class Reference:
    """A foreign key that PostgreSQL enforces, or will once this load has created it."""

    columns: tuple[str, ...]
    parent: Table
    parent_columns: tuple[str, ...]


References = Mapping[Table, Sequence[Reference]]


def mark_misfits(cursor: Any, publication: Publication) -> None:
    """What the schema contract says of single values."""
    write, agreement = publication.write, publication.agreement
    for column in write.extras:
        cursor.execute(statements.mark_unknown(write, column))
    keeps_row = publication.config.schema_contract is SchemaContract.DISCARD_VALUE
    for name in agreement.checked:
        column = write.column(name)
        build = statements.drop_unfit_values if keeps_row and name not in write.match else statements.mark_unfit
        cursor.execute(build(write, column))
    if not publication.is_new:
        for name in count_nulls(cursor, write, _required(publication)):
            cursor.execute(statements.mark_nulls(write, name))
        mark_broken_checks(cursor, publication)


def _required(publication: Publication) -> list[str]:
    """Columns that the target declares NOT NULL; a NULL in a key that must not hold one refuses the whole load."""
    write = publication.write
    names = set(write.names) - (set() if write.null_safe else set(write.match))
    return [column.name for column in publication.target.columns if column.not_null and column.name in names]


def mark_violations(cursor: Any, publications: Sequence[Publication], references: References) -> None:
    """To a fixpoint over all tables of the transaction: a row that goes may have been another row's parent."""
    by_table = {publication.write.target: publication for publication in publications}
    while True:
        marked = sum(
            _mark_orphans(cursor, publication, references.get(publication.write.target, ()), by_table)
            for publication in publications
        )
        marked += sum(_mark_unique(cursor, publication) for publication in publications)
        marked += sum(mark_excluded(cursor, publication) for publication in publications if not publication.is_new)
        if not marked:
            return


def _mark_orphans(
    cursor: Any, publication: Publication, references: Sequence[Reference], by_table: Mapping[Table, Publication]
) -> int:
    marked = 0
    for reference in references:
        if not set(publication.write.names).issuperset(reference.columns):
            continue
        parent = _parent(reference, by_table.get(reference.parent))
        cursor.execute(statements.mark_orphans(publication.write, reference.columns, parent))
        marked += cursor.rowcount
    return marked


def _parent(reference: Reference, staged: Publication | None) -> Parent:
    """A parent that this transaction replaces stands in staging alone; one that it creates has no rows yet."""
    if staged is None or not set(staged.write.names).issuperset(reference.parent_columns):
        return Parent(reference.parent, reference.parent_columns)
    stored = not staged.is_new and not staged.replaces
    return Parent(reference.parent, reference.parent_columns, staged.write, stored)


def _mark_unique(cursor: Any, publication: Publication) -> int:
    marked = 0
    for key in other_unique_keys(publication):
        marked += _mark_duplicates(cursor, publication, key)
        if not publication.is_new and not publication.replaces:
            marked += _mark_taken(cursor, publication, key)
    return marked


def other_unique_keys(publication: Publication) -> list[UniqueKey]:
    """Those that ON CONFLICT does not arbitrate and whose values the batch brings."""
    names = set(publication.write.names)
    return [
        key
        for key in publication.target.unique_keys
        if set(key.columns) != set(publication.write.match) and names.issuperset(key.columns)
    ]


def _mark_duplicates(cursor: Any, publication: Publication, key: UniqueKey) -> int:
    nulls_equal = key.nulls_not_distinct
    cursor.execute(statements.has_duplicates(publication.write, key.columns, nulls_equal=nulls_equal))
    if not cursor.fetchone()[0]:
        return 0
    stored = not publication.is_new
    cursor.execute(statements.mark_duplicates(publication.write, key.columns, stored=stored, nulls_equal=nulls_equal))
    return int(cursor.rowcount)


def _mark_taken(cursor: Any, publication: Publication, key: UniqueKey) -> int:
    """Repeated: a holder that is refused itself does not move after all."""
    statement = statements.mark_taken(
        publication.write,
        key.columns,
        holders_move=publication.resolution is ConflictResolution.UPDATE,
        deferrable=not key.immediate,
        nulls_equal=key.nulls_not_distinct,
    )
    return mark_all(cursor, statement)
