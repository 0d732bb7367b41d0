"""Finds staged rows that break a CHECK or exclusion constraint of a target that stands already.

A constraint that looks at columns which the load does not bring, and an exclusion over expressions or with a WHERE,
cannot be looked into: PostgreSQL itself refuses the load then, if a row breaks it.
"""

from __future__ import annotations

from typing import Any

import psycopg2

from etl.errors import StoreError
from etl.load.postgresql.publication.table import Publication
from etl.load.postgresql.target.catalog import CheckConstraint, ExclusionConstraint
from etl.model import ConflictResolution
from etl.statements.postgresql import constraints as statements


def mark_broken_checks(cursor: Any, publication: Publication) -> None:
    write, checks = publication.write, _checks(publication)
    if not checks:
        return
    names = sorted({name for check in checks for name in check.columns})
    try:
        cursor.execute(statements.count_broken_checks(write, names, [check.expression for check in checks]))
        broken = [check for check, count in zip(checks, cursor.fetchone(), strict=True) if count]
        for check in broken:
            cursor.execute(statements.mark_broken_check(write, check.name, check.columns, check.expression))
    except (psycopg2.DataError, psycopg2.ProgrammingError, psycopg2.InternalError) as error:
        raise _unevaluated(publication, checks, error) from error


def mark_excluded(cursor: Any, publication: Publication) -> int:
    """Returns how many rows it marked; a row that goes leaves its room to others that this load marks no more."""
    marked = 0
    for exclusion in _exclusions(publication):
        marked += _mark_excluded_by_load(cursor, publication, exclusion)
        if not publication.replaces:
            marked += _mark_excluded_by_target(cursor, publication, exclusion)
    return marked


def _checks(publication: Publication) -> list[CheckConstraint]:
    names = set(publication.write.names)
    return [check for check in publication.target.checks if names.issuperset(check.columns)]


def _exclusions(publication: Publication) -> list[ExclusionConstraint]:
    names = set(publication.write.names)
    return [exclusion for exclusion in publication.target.exclusions if names.issuperset(exclusion.columns)]


def _unevaluated(publication: Publication, checks: list[CheckConstraint], error: psycopg2.Error) -> StoreError:
    found = ", ".join(f"{check.name} ({check.expression})" for check in checks)
    return StoreError(
        f"expected the CHECK constraints of {publication.write.target} to be true or false for every row, found that "
        f"one of {found} fails: {error.diag.message_primary} (SQLSTATE {error.pgcode}). Nothing was published; let "
        "the constraint bear every value of its columns, or have the table's `transform` entry reject such rows",
        statement="evaluate CHECK constraints",
        table=publication.config.table_name,
    )


def _mark_excluded_by_load(cursor: Any, publication: Publication, exclusion: ExclusionConstraint) -> int:
    write = publication.write
    for statement in statements.create_probe(write, exclusion.definition):
        cursor.execute(statement)
    cursor.execute(statements.fill_probe(write, exclusion.columns))
    cursor.execute(statements.mark_unprobed(write, exclusion.name))
    marked = int(cursor.rowcount)
    cursor.execute(statements.drop_probe(write))
    return marked


def _mark_excluded_by_target(cursor: Any, publication: Publication, exclusion: ExclusionConstraint) -> int:
    """Repeated: a holder that is refused itself does not move after all."""
    statement = statements.mark_excluded(
        publication.write,
        exclusion.name,
        exclusion.elements,
        holders_move=publication.resolution is ConflictResolution.UPDATE,
        deferrable=exclusion.deferrable,
    )
    return mark_all(cursor, statement)


def mark_all(cursor: Any, statement: str) -> int:
    """Again and again, until none is marked any more."""
    marked = 0
    while True:
        cursor.execute(statement)
        if not cursor.rowcount:
            return marked
        marked += cursor.rowcount
