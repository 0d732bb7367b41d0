"""The key of a table that states none: the primary key that the live source has, under the names that loads know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from etl.config.destinations.load_config import TableLoadConfig
from etl.config.tables.checks import has_key_at_the_source
from etl.config.tables.models import TableConfig
from etl.config.tables.modes import finds_by_key, knows_no_row_again
from etl.errors import SourceError
from etl.model import TableDefinition
from etl.pipeline.assignment import Assignment


def with_live_keys(assignment: Assignment, definitions: Mapping[str, TableDefinition]) -> Assignment:
    """The same work; tables whose key the configuration could not know have the source's."""
    work = (replace(each, table=_keyed(each.table, definitions.get(each.table.name))) for each in assignment.work)
    return replace(assignment, work=tuple(work))


def require_key(table: TableConfig, load: TableLoadConfig) -> None:
    """Before anything is read: what finds stored rows by key has one, and so has what may be read twice."""
    reads_twice = table.extract.follows_transactions and knows_no_row_again(load)
    if (finds_by_key(load) and not load.key) or reads_twice:
        why = " with `late_commits: exact`" if reads_twice else ""
        raise SourceError(
            f"{table.name}: mode {load.mode} needs a key{why}, and the source's table has no primary key; "
            "name the columns in `key`",
            table=table.name,
        )


def _keyed(table: TableConfig, definition: TableDefinition | None) -> TableConfig:
    if table.key or definition is None or not has_key_at_the_source(table):
        return table
    key = tuple(table.transform.rename.get(name, name) for name in definition.primary_key)
    loads = {destination: _keyed_load(load, key) for destination, load in table.loads.items()}
    return table.model_copy(update={"key": key, "loads": loads})


def _keyed_load(load: TableLoadConfig, key: tuple[str, ...]) -> TableLoadConfig:
    followers = {field: getattr(load, field) or key for field in load.follows_key}
    return load.model_copy(update={"key": load.key or key, **followers})
