"""Names that the server reads as a part of another column: refused where it fails on them, and nowhere else."""

from __future__ import annotations

from itertools import product

import pytest

from etl.config.destinations.clickhouse.rules import refused_columns
from etl.errors import StoreError
from etl.statements.types import clickhouse_type_of
from tests.integration.load.clickhouse.conftest import ClickHouse, entry

pytestmark = pytest.mark.stack

KINDS = {"integer": ("int", "1"), "text": ("string", "'x'"), "numeric(10,2)": ("decimal(10,2)", "1.5"),
         "integer[]": ("array<int>", "[1, 2]"), "text[]": ("array<string>", "['x']")}  # fmt: skip
PARTS = ("null", "size", "size0", "size1", "keys", "values", "x", "null.x", "size0.null")
OWN = {"text": ("string", "'its own'"), "integer[]": ("array<int>", "[7, 8, 9]")}


def stands(clickhouse: ClickHouse, table: str, columns: dict[str, tuple[str, str]]) -> bool:
    """Whether such a table keeps and gives back what each column was given."""
    listed = ", ".join(f"`{name}` {clickhouse_type_of(kind, nullable=True)}" for name, (kind, _) in columns.items())
    values = ", ".join(value for _, value in columns.values())
    equal = " AND ".join(f"toString(t.`{name}`) = toString({value})" for name, (_, value) in columns.items())
    clickhouse.execute(f"DROP TABLE IF EXISTS `{table}` SYNC")
    try:
        clickhouse.execute(f"CREATE TABLE `{table}` ({listed}) ENGINE = MergeTree ORDER BY tuple()")
        clickhouse.execute(f"INSERT INTO `{table}` VALUES ({values})")
        return clickhouse.query(f"SELECT {equal} FROM `{table}` AS t") == [[1]]
    except StoreError:
        return False


def test_what_is_a_part_of_another_column_to_the_server_is_refused(clickhouse: ClickHouse, table: str) -> None:
    config = entry(table)
    for (kind, one), part, (own, other) in product(KINDS.items(), PARTS, OWN.items()):
        is_refused = bool(list(refused_columns(config, {"a": kind, f"a.{part}": own})))
        assert is_refused is not stands(clickhouse, table, {"a": one, f"a.{part}": other}), (kind, part, own)
