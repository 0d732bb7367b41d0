"""Values arrive as they were, by both writers, or are refused with column and count."""

from __future__ import annotations

import math
import random
import struct
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from etl.errors import DataError, DuplicateKeyError, NullKeyError
from etl.load.base import LoadFacts
from tests.integration.load.clickhouse.conftest import ClickHouse, FrameOf, LoaderOf, entry

pytestmark = pytest.mark.stack

WIDE = (
    "id string, bytes binary, day date, at timestamp, large decimal(38,10), small decimal(9,2), single float, "
    "dual double, flag boolean, tiny tinyint, short smallint, whole int, big bigint, wholes array<int>, "
    "texts array<string>, days array<date>, amounts array<decimal(9,2)>, duals array<double>, "
    "nested array<array<int>>, instants array<timestamp>, `odd.name ``\\ ü` string"
)
LOWEST = (
    "lowest",
    b"\x00\xff\xfe'\\\n",
    date(1900, 1, 1),
    datetime(1900, 1, 1, tzinfo=UTC),
    Decimal("-1234567890123456789012345678.0123456789"),
    Decimal("-1.25"),
    1.5,
    float("-inf"),
    True,
    -(2**7),
    -(2**15),
    -(2**31),
    -(2**63),
    [1, None],
    ["a'b\\", None, "é\n\"'"],
    [date(1969, 12, 31), None],
    [Decimal("1.25"), None],
    [1e300, None, 0.1],
    [[1], [], [None, 2]],
    [datetime(1950, 1, 1, 0, 0, 0, 1, tzinfo=UTC)],
    "x'y\\z\t",
)
NOTHING = ("nothing", *[None] * 20)
HIGHEST = (
    "highest",
    b"",
    date(2299, 12, 31),
    datetime(2299, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    Decimal("0"),
    Decimal("9999999.99"),
    0.1,
    0.1,
    False,
    2**7 - 1,
    2**15 - 1,
    2**31 - 1,
    2**63 - 1,
    [],
    [],
    [],
    [],
    [],
    [],
    [],
    "",
)
TYPES = [
    "String",
    "Nullable(String)",
    "Nullable(Date32)",
    "Nullable(DateTime64(6, 'UTC'))",
    "Nullable(Decimal(38, 10))",
    "Nullable(Decimal(9, 2))",
    "Nullable(Float32)",
    "Nullable(Float64)",
    "Nullable(Bool)",
    "Nullable(Int8)",
    "Nullable(Int16)",
    "Nullable(Int32)",
    "Nullable(Int64)",
    "Array(Nullable(Int32))",
    "Array(Nullable(String))",
    "Array(Nullable(Date32))",
    "Array(Nullable(Decimal(9, 2)))",
    "Array(Nullable(Float64))",
    "Array(Array(Nullable(Int32)))",
    "Array(Nullable(DateTime64(6, 'UTC')))",
    "Nullable(String)",
]


@pytest.mark.parametrize("writer", ["arrow", "jdbc"])
@pytest.mark.parametrize("codec", ["LZ4", "ZSTD"])
def test_wide_types_arrive_as_they_were(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf, writer: str, codec: str
) -> None:
    df = frame_of(LOWEST, NOTHING, HIGHEST, schema=WIDE)
    config = entry(table, writer=writer, codec=codec)

    assert loader_of(1).load(df, config).rows_inserted == 3
    # known to be few, the rows go through the driver: they must arrive as those of the executors did
    assert loader_of(2).load(df, config, LoadFacts(3)).rows_unchanged == 3

    columns = clickhouse.query(
        f"SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = '{table}'"
    )
    assert [kind for name, kind in columns if name != "_etl_version"] == TYPES
    names = [name for name, _ in columns if name != "_etl_version"]
    texts = ", ".join(f"toString(`{name}`)" for name in _quoted(names) if name not in ("id", "bytes"))
    found = clickhouse.query(f"SELECT id, hex(bytes), {texts} FROM `{table}` FINAL ORDER BY id")
    assert found == [_highest_as_text(), _lowest_as_text(), ["nothing", *[None] * 12, *["[]"] * 7, None]]


_EDGES = [0.0, -0.0, 2.53, 0.1, 5e-324, -5e-324, 2.2250738585072011e-308, 1e23, 1.7976931348623157e308, 2.0**63]


@pytest.mark.parametrize("writer", ["arrow", "jdbc"])
def test_floats_arrive_to_the_last_bit_and_a_changed_bit_is_a_change(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf, writer: str
) -> None:
    chance = random.Random(7)
    doubles = [struct.unpack("<d", chance.randbytes(8))[0] for _ in range(500)] + _EDGES
    singles = [struct.unpack("<f", chance.randbytes(4))[0] for _ in range(len(doubles) - 2)] + [1e-45, -0.0]
    rows = [(str(i), d, s, [d, None], [s]) for i, (d, s) in enumerate(zip(doubles, singles, strict=True))]
    schema = "id string, dual double, single float, duals array<double>, singles array<float>"
    config = entry(table, writer=writer)
    assert loader_of(1).load(frame_of(*rows, schema=schema), config).rows_inserted == len(rows)

    found = clickhouse.query(
        "SELECT reinterpretAsInt64(dual), reinterpretAsInt32(single), reinterpretAsInt64(duals[1]), "
        f"reinterpretAsInt32(singles[1]) FROM `{table}` FINAL ORDER BY toInt32(id)"
    )
    wrong = [
        (double, single)
        for (double, single), bits in zip(zip(doubles, singles, strict=True), found, strict=True)
        if not (math.isnan(double) or math.isnan(single)) and bits != [_bits(double), _bits(single, "<f", "<i")] * 2
    ]
    assert wrong == []

    other = {str(doubles.index(0.0)): -0.0, str(doubles.index(2.53)): 2.5300000000000002}
    changed = [(row[0], other.get(row[0], row[1]), *row[2:]) for row in rows]
    again = loader_of(2).load(frame_of(*changed, schema=schema), config)
    assert (again.rows_updated, again.rows_unchanged) == (2, len(rows) - 2)


@pytest.mark.parametrize("writer", ["arrow", "jdbc"])
def test_a_negative_zero_among_zeros_stays_one(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf, writer: str
) -> None:
    """ClickHouse keeps a column of zeros sparse, and takes -0 for one; in the key, too, and after a merge of parts."""
    config, schema = entry(table, writer=writer), "id double not null, dual double not null, single float not null"
    rows = [(-0.0, -0.0, -0.0), *((float(n), 0.0, 0.0) for n in range(1, 99))]
    assert loader_of(1).load(frame_of(*rows, schema=schema), config).rows_inserted == 99
    assert loader_of(2).load(frame_of((100.0, -0.0, -0.0), schema=schema), config).rows_inserted == 1
    clickhouse.execute(f"OPTIMIZE TABLE `{table}` FINAL")
    signs = (
        f"SELECT toString(id), toString(dual), toString(single) FROM `{table}` WHERE toString(dual) = '-0' ORDER BY 1"
    )
    assert clickhouse.query(signs) == [["-0"] * 3, ["100", "-0", "-0"]]


def _bits(value: float, form: str = "<d", number: str = "<q") -> int:
    return int(struct.unpack(number, struct.pack(form, value))[0])


@pytest.mark.parametrize("writer", ["arrow", "jdbc"])
@pytest.mark.parametrize(
    ("schema", "row", "kind", "said"),
    [
        ("id string, day date", ("1", date(1899, 12, 31)), DataError, "column day is outside 1900-01-01..2299-12-31"),
        ("id string, day date", ("1", date(2300, 1, 1)), DataError, "column day is outside"),
        ("id string, at timestamp", ("1", datetime(1899, 12, 31, tzinfo=UTC)), DataError, "column at is outside"),
        ("id string, at timestamp", ("1", datetime(2300, 1, 1, tzinfo=UTC)), DataError, "column at is outside"),
        ("id string, days array<date>", ("1", [date(2300, 1, 1)]), DataError, "column days is outside"),
        ("id string, numbers array<int>", ("1", None), DataError, "column numbers is a NULL array"),
        ("id string, name string", (None, "x"), NullKeyError, "column id is NULL"),
    ],
)
def test_what_clickhouse_would_change_without_a_word_is_refused(
    clickhouse: ClickHouse,
    table: str,
    loader_of: LoaderOf,
    frame_of: FrameOf,
    writer: str,
    schema: str,
    row: tuple[Any, ...],
    kind: type[DataError],
    said: str,
) -> None:
    config = entry(table, writer=writer, null_array="refuse")

    with pytest.raises(kind, match=rf"{said}.*: 1 rows"):
        loader_of().load(frame_of(row, schema=schema), config)

    assert table not in clickhouse.tables()
    assert clickhouse.staging_of(table) == []


@pytest.mark.parametrize("writer", ["arrow", "jdbc"])
def test_duplicate_keys_are_named_before_anything_is_published(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf, writer: str
) -> None:
    config = entry(table, writer=writer)
    twice = frame_of(("1", None, "a", None), ("1", None, "b", None), ("2", None, "c", None))

    with pytest.raises(DuplicateKeyError, match=r"found 1 keys more than once, e\.g\. 1;"):
        loader_of(1).load(twice, config)
    assert table not in clickhouse.tables()

    loader_of(1).load(twice.where("name != 'b'"), config)
    with pytest.raises(DuplicateKeyError, match=r"found 1 keys more than once, e\.g\. \(1\);"):
        loader_of(2).load(twice, config)
    assert [row[2] for row in clickhouse.rows(table)] == ["a", "c"]


def test_a_null_in_a_required_column_of_the_target_is_refused(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    config = entry(table, partition_by=("toYYYYMM(day)",))

    with pytest.raises(DataError, match="column day is NULL, but the target cannot hold NULL there: 1 rows"):
        loader_of().load(frame_of(("1", None, "a", None)), config)


def _quoted(names: list[str]) -> list[str]:
    return [name.replace("\\", "\\\\").replace("`", "\\`") for name in names]


def _lowest_as_text() -> list[str]:
    return [
        "lowest",
        "00FFFE275C0A",
        "1900-01-01",
        "1900-01-01 00:00:00.000000",
        "-1234567890123456789012345678.0123456789",
        "-1.25",
        "1.5",
        "-inf",
        "true",
        "-128",
        "-32768",
        "-2147483648",
        "-9223372036854775808",
        "[1,NULL]",
        "['a\\'b\\\\',NULL,'é\\n\"\\'']",
        "['1969-12-31',NULL]",
        "[1.25,NULL]",
        "[1e300,NULL,0.1]",
        "[[1],[],[NULL,2]]",
        "['1950-01-01 00:00:00.000001']",
        "x'y\\z\t",
    ]


def _highest_as_text() -> list[str]:
    return [
        "highest",
        "",
        "2299-12-31",
        "2299-12-31 23:59:59.999999",
        "0",
        "9999999.99",
        "0.1",
        "0.1",
        "false",
        "127",
        "32767",
        "2147483647",
        "9223372036854775807",
        *["[]"] * 7,
        "",
    ]
