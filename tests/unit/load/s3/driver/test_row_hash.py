"""A row has the same hash whoever computes it: a table may pass from one lane to the other."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession

from etl.load.s3.driver.row_hash import is_hashable, row_hashes
from etl.load.s3.frames import row_digest

CHANCE = random.Random(20261128)
FLOATS = [0.0, -0.0, float("nan"), float("inf"), float("-inf"), -1.5, 3e38, 1e-45]
SIGNS = 'aé🦀"\\/\n\t\x01\x1f\x7f\u2028 '


def _text() -> str:
    return "".join(CHANCE.choice(SIGNS) for _ in range(CHANCE.randrange(70)))


def _some(value: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: None if CHANCE.random() < 0.2 else value()


def _list(value: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: [_some(value)() for _ in range(CHANCE.randrange(4))]


KINDS: dict[str, Callable[[], Any]] = {
    "string": _text,
    "binary": lambda: CHANCE.randbytes(CHANCE.randrange(40)),
    "boolean": lambda: CHANCE.random() < 0.5,
    "tinyint": lambda: CHANCE.randrange(-(2**7), 2**7),
    "smallint": lambda: CHANCE.randrange(-(2**15), 2**15),
    "int": lambda: CHANCE.randrange(-(2**31), 2**31),
    "bigint": lambda: CHANCE.randrange(-(2**63), 2**63),
    "date": lambda: dt.date(1, 1, 1) + dt.timedelta(CHANCE.randrange(3_000_000)),
    "timestamp": lambda: dt.datetime(1, 2, 1) + dt.timedelta(CHANCE.randrange(3_000_000), 0, CHANCE.randrange(10**9)),
    "float": lambda: CHANCE.choice(FLOATS),
    "double": lambda: CHANCE.choice(FLOATS),
    "decimal(12,3)": lambda: Decimal(CHANCE.randrange(1 - 10**12, 10**12)).scaleb(-3),
    "decimal(18,0)": lambda: Decimal(CHANCE.choice([1 - 10**18, 10**18 - 1, 0, -1])),
    "decimal(19,0)": lambda: Decimal(CHANCE.choice([-(2**63), 2**63, 255, -128, 128, -129, 0, -1])),
    "decimal(38,9)": lambda: Decimal(CHANCE.randrange(1 - 10**38, 10**38)).scaleb(-9),
    "array<string>": _list(_text),
    "array<int>": _list(lambda: CHANCE.randrange(-9, 9)),
    "array<bigint>": _list(lambda: CHANCE.choice([2**63 - 1, -(2**63)])),
    "array<boolean>": _list(lambda: CHANCE.random() < 0.5),
}


def test_arrow_rows_hash_as_sparks(spark: SparkSession) -> None:
    schema = ", ".join(f"`{kind}` {kind}" for kind in KINDS)
    rows = [tuple(_some(value)() for value in KINDS.values()) for _ in range(300)]
    frame = spark.createDataFrame(rows, schema)
    assert is_hashable(frame.schema)
    arrow = frame.toArrow()
    for part in (*([f"`{kind}`"] for kind in KINDS), [f"`{kind}`" for kind in KINDS]):
        selected = frame.select(*part)
        high, low = row_digest(selected.schema)
        expected = [(above << 32) | below for above, below in selected.select(high, low).collect()]
        found = row_hashes(arrow.select(selected.columns), selected.schema).tolist()
        assert found == expected, part
    assert row_hashes(arrow.slice(100, 7), frame.schema).tolist() == found[100:107]
    assert row_hashes(arrow.slice(0, 0), frame.schema).tolist() == []


@pytest.mark.parametrize(
    "kind", ["array<double>", "array<date>", "array<decimal(9,2)>", "struct<a:int>", "map<int,int>"]
)
def test_what_python_would_spell_otherwise_is_sparks(spark: SparkSession, kind: str) -> None:
    assert not is_hashable(spark.createDataFrame([], f"a int, b {kind}").schema)
