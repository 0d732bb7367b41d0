"""Foreign keys between targets: which to look after, and which to create once both sides stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog

from etl.config.settings import PostgreSQLSettings
from etl.errors import EtlError
from etl.load.base import LoaderConfig
from etl.load.postgresql.door import transaction
from etl.load.postgresql.publication.table import Publication
from etl.load.postgresql.target.catalog import TargetTable, describe
from etl.load.postgresql.target.design import links_between
from etl.load.postgresql.target.violations import Reference
from etl.postgresql.door import sqlstate
from etl.postgresql.sqlstates import FOREIGN_KEY_VIOLATION
from etl.statements.postgresql.naming import Table
from etl.statements.postgresql.tables import ForeignKeyLink, add_foreign_key, validate_constraint

log = structlog.get_logger(__name__)


class TargetCatalog:
    """The tables looked up in this transaction, each described once."""

    def __init__(self, cursor: Any, publications: Sequence[Publication]) -> None:
        self._cursor = cursor
        self._known: dict[Table, TargetTable | None] = {p.write.target: p.target for p in publications}

    def find(self, table: Table) -> TargetTable | None:
        if table not in self._known:
            self._known[table] = describe(self._cursor, table)
        return self._known[table]


def references_of(publication: Publication, catalog: TargetCatalog) -> list[Reference]:
    """The foreign keys that a table has, or will get in this transaction."""
    if publication.is_new:
        return [
            Reference(link.columns, link.parent, link.parent_columns)
            for link in publication.design.links
            if is_linkable(link, catalog)
        ]
    return [Reference(key.columns, key.parent, key.parent_columns) for key in publication.target.foreign_keys]


def is_linkable(link: ForeignKeyLink, catalog: TargetCatalog) -> bool:
    """Both sides stand and the parent has a key there; a parent that comes later adds the link itself."""
    child, parent = catalog.find(link.child), catalog.find(link.parent)
    if child is None or parent is None:
        return False
    keyed = any(set(key.columns) == set(link.parent_columns) and key.immediate for key in parent.unique_keys)
    return keyed and all(child.column(name) for name in link.columns)


def create_links(cursor: Any, publications: Sequence[Publication], catalog: TargetCatalog) -> None:
    """The foreign keys of the tables that this transaction creates, in one order for all transactions."""
    new = [publication for publication in publications if publication.is_new]
    links = [link for publication in new for link in publication.design.links if is_linkable(link, catalog)]
    for link in sorted(links, key=lambda link: (link.parent, link.child, link.columns)):
        cursor.execute(add_foreign_key(link))


def create_late_links(
    cursor: Any,
    publications: Sequence[Publication],
    catalog: TargetCatalog,
    config: LoaderConfig,
) -> list[Table]:
    """Children that stood before their new parent: their rows are not looked at here. Returns those children."""
    created_here = {publication.write.target for publication in publications if publication.is_new}
    late = []
    for publication in publications:
        if not publication.is_new or not publication.config.foreign_keys:
            continue
        name, schema = publication.config.table_name, publication.config.target_schema
        for link in links_between(name, config.definitions, schema, config.tables):
            if link.child in created_here or not is_linkable(link, catalog) or _is_linked(link, catalog):
                continue
            cursor.execute(add_foreign_key(link, valid=False))
            late.append(link.child)
    return late


def validate_late_links(settings: PostgreSQLSettings, children: Sequence[Table]) -> None:
    """Looks at the rows that stood there; a constraint with orphans behind it stays NOT VALID, which is said."""
    for child in sorted(set(children)):
        with transaction(settings, f"list unvalidated foreign keys of {child}") as cursor:
            cursor.execute(_UNVALIDATED, {"schema": child.schema, "name": child.name})
            names = [name for (name,) in cursor.fetchall()]
        for name in names:
            _validate(settings, child, name)


_UNVALIDATED = """
SELECT f.conname FROM pg_catalog.pg_constraint AS f
JOIN pg_catalog.pg_class AS c ON c.oid = f.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE f.contype = 'f' AND NOT f.convalidated AND n.nspname = %(schema)s AND c.relname = %(name)s
ORDER BY f.conname
"""


def _validate(settings: PostgreSQLSettings, child: Table, name: str) -> None:
    try:
        with transaction(settings, f"validate {name}") as cursor:
            cursor.execute(validate_constraint(child, name))
    except EtlError as error:
        # the load is committed: the next creator of a link, or the user, may validate it
        reason = "orphans were loaded before it" if sqlstate(error) == FOREIGN_KEY_VIOLATION else error.message
        log.warning("foreign key left unvalidated", table=str(child), constraint=name, reason=reason)


def _is_linked(link: ForeignKeyLink, catalog: TargetCatalog) -> bool:
    child = catalog.find(link.child)
    return child is not None and any(
        key.parent == link.parent and key.columns == link.columns for key in child.foreign_keys
    )
