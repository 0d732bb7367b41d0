"""The tables that uploads are measured into, and the statements of those peers that have none of their own."""

from __future__ import annotations

from collections.abc import Mapping

from bench.events import KEY, POSTGRESQL_TYPES
from etl.statements.quoting import postgresql_identifier as quoted

STAGING = "staging"
TEXT_TYPES = dict.fromkeys(POSTGRESQL_TYPES, "text")


def create_table(name: str, types: Mapping[str, str]) -> str:
    columns = ", ".join(f"{quoted(column)} {kind}" for column, kind in types.items())
    return f"CREATE TABLE {quoted(name)} ({columns}, PRIMARY KEY ({quoted(KEY)}))"


def create_staging(target: str, ending: str = "") -> str:
    return f"CREATE TEMP TABLE {quoted(STAGING)} (LIKE {quoted(target)}) {ending}".rstrip()


def upsert(target: str, types: Mapping[str, str], ordering: str = "") -> str:
    """From the staging table, whose columns may have other types: the plain statement, which rewrites what it finds."""
    columns = ", ".join(map(quoted, types))
    values = ", ".join(f"{quoted(column)}::{kind}" for column, kind in types.items())
    news = ", ".join(f"{quoted(column)} = excluded.{quoted(column)}" for column in types if column != KEY)
    selected = f"SELECT {values} FROM {quoted(STAGING)} {ordering}".rstrip()
    return f"INSERT INTO {quoted(target)} ({columns}) {selected} ON CONFLICT ({quoted(KEY)}) DO UPDATE SET {news}"
