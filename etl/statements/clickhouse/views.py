"""Statements about refreshable views: the aggregates of sql/clickhouse/aggregates."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from etl.project import SQL_DIR
from etl.statements.quoting import clickhouse_literal, clickhouse_name

AGGREGATES_DIRECTORY = SQL_DIR / "clickhouse" / "aggregates"

_HEADER = re.compile(r"-- name: (?P<name>\w+)\n-- sources: (?P<sources>[\w, ]+)\n(?P<body>.*)", re.DOTALL)


@dataclass(frozen=True)
class Aggregate:
    """One refreshable view: `create` is its statement, `digest` changes with it."""

    name: str
    sources: tuple[str, ...]
    create: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.create.encode()).hexdigest()[:16]

    @property
    def create_statement(self) -> str:
        """With the digest as the view's comment, so that a later run sees whether the text has changed."""
        return f"{self.create}\nCOMMENT {clickhouse_literal(self.digest)}"


def read_aggregates(directory: Path = AGGREGATES_DIRECTORY) -> tuple[Aggregate, ...]:
    return tuple(parse_aggregate(file) for file in sorted(directory.glob("*.sql")))


def parse_aggregate(file: Path) -> Aggregate:
    match = _HEADER.fullmatch(file.read_text(encoding="utf-8"))
    if match is None:
        raise ValueError(f"{file}: expected the lines `-- name: …` and `-- sources: …` before the statement")
    sources = tuple(name.strip() for name in match["sources"].split(","))
    return Aggregate(match["name"], sources, match["body"].strip())


def describe_views(tables: Sequence[str]) -> str:
    """Rows of (name, comment, when its definition last changed).

    The comment of a target changes with every load, hence its definition's time is the time of its last load.
    """
    names = ", ".join(clickhouse_literal(table) for table in tables)
    return f"""SELECT name, comment, toUnixTimestamp(metadata_modification_time)
FROM system.tables WHERE database = {{database:String}} AND name IN ({names})"""


def refresh_times() -> str:
    """Rows of (view, when it was last refreshed)."""
    return """SELECT view, toUnixTimestamp(last_success_time) FROM system.view_refreshes
WHERE database = {database:String} AND last_success_time IS NOT NULL"""


def drop_view(database: str, view: str) -> str:
    return f"DROP VIEW IF EXISTS {clickhouse_name(database, view)} SYNC"


def refresh_view(database: str, view: str) -> str:
    return f"SYSTEM REFRESH VIEW {clickhouse_name(database, view)}"


def wait_for_view(database: str, view: str) -> str:
    """Returns when the refresh is done; an error of the refresh is raised here."""
    return f"SYSTEM WAIT VIEW {clickhouse_name(database, view)}"
