"""Names of columns that ClickHouse reads as something else: refused by name, before anything is created."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from etl.config.destinations.clickhouse.load_config import ClickHouseTableLoadConfig
from etl.errors import SchemaMismatchError
from etl.model import Column, Destination
from etl.statements.types import array_element

_OF_THE_SERVER = frozenset({"_row_exists", "_block_number", "_block_offset", "_partition_id"})
"""Columns of every MergeTree table; by the last of them a load counts what it staged."""
_SUBCOLUMN = re.compile(r"(.+)\.(null|size\d+)", re.DOTALL)


def refuse_impossible_names(columns: Sequence[Column], config: ClickHouseTableLoadConfig) -> None:
    faults = list(_faults(columns))
    if faults:
        raise SchemaMismatchError(
            f"{config.table_name}: expected column names that ClickHouse can tell apart from its own, found "
            f"{'; '.join(faults)}: rename them in transform",
            table=config.table_name,
            destination=Destination.CLICKHOUSE,
        )


def _faults(columns: Sequence[Column]) -> Iterator[str]:
    names = {column.name for column in columns}
    for name in sorted(names):
        if name in _OF_THE_SERVER:
            yield f"{name!r}, a column that every table of the server has"
        match = _SUBCOLUMN.fullmatch(name)
        if match and match[1] in names:
            yield f"{name!r} beside {match[1]!r}, whose part it would be"
    dotted = [column.name for column in columns if array_element(column.spark_type) and _prefix(column.name)]
    prefixes = Counter(map(_prefix, dotted))
    for name in sorted(dotted):
        if _prefix(name) in names or prefixes[_prefix(name)] > 1:
            yield f"the array {name!r}, one of a nested structure {_prefix(name)!r}, whose arrays are of one length"


def _prefix(name: str) -> str:
    """What the server takes for the structure that an array is part of; empty where it takes it for itself."""
    prefix, dot, rest = name.partition(".")
    return prefix if dot and rest else ""
