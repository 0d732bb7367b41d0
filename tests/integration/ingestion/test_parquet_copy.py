"""Parquet columns in PostgreSQL: binary COPY, records and text leave equal tables, for every type."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from etl.arrow.types import postgresql_type
from etl.config.settings import PostgreSQLSettings
from etl.ingestion.model import BinaryBytes, CopyPath, Header, StagedColumn
from etl.ingestion.parquet.ingestor import open_parquet
from tests.databases import database_of_its_own

if TYPE_CHECKING:
    from tests.conftest import RunningStack

pytestmark = pytest.mark.stack

Answer = TypeVar("Answer")
Texts = list[tuple[str | None, ...]]

MICROSECONDS = pa.timestamp("us")
INSTANTS = pa.timestamp("us", "UTC")


@pytest.fixture(scope="module")
def database(stack: RunningStack) -> Iterator[PostgreSQLSettings]:
    with database_of_its_own(stack.settings.postgresql, "parquet_copy") as settings:
        yield settings


def connected(
    database: PostgreSQLSettings, work: Callable[[asyncpg.Connection], Coroutine[Any, Any, Answer]]
) -> Answer:
    async def run() -> Answer:
        connection = await asyncpg.connect(
            host=database.host,
            port=database.port,
            user=database.user,
            password=database.password.get_secret_value(),
            database=database.database,
            server_settings={"TimeZone": "UTC"},
        )
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


@dataclass(frozen=True)
class Way:
    copy_path: CopyPath = CopyPath.AUTO
    chunk_size: int = 1_000
    timezone: str | None = None


def load(database: PostgreSQLSettings, path: Path, target_types: dict[str, str], way: Way) -> Texts:
    """What stands in the target, as PostgreSQL prints it."""
    source = open_parquet(
        path,
        [Header(name) for name in target_types],
        target_types,
        chunk_size=way.chunk_size,
        copy_path=way.copy_path,
        timezone=way.timezone,
    )

    async def work(connection: asyncpg.Connection) -> Texts:
        await connection.execute(f"CREATE TEMPORARY TABLE target (_row serial, {definitions(target_types)})")
        for batch in source.batches():
            await store(connection, batch.columns, batch.payload, target_types)
        names = ", ".join(f'"{name}"::text' for name in target_types)
        return [tuple(row) for row in await connection.fetch(f"SELECT {names} FROM target ORDER BY _row")]

    try:
        return connected(database, work)
    finally:
        source.close()


async def store(
    connection: asyncpg.Connection, columns: tuple[StagedColumn, ...], payload: Any, target_types: dict[str, str]
) -> None:
    """By way of a staging table, unless every column travels in the target's type."""
    names = [column.name for column in columns]
    is_direct = all(column.type == target_types[column.name] for column in columns)
    table = "target" if is_direct else "staging"
    if not is_direct:
        staged = definitions({column.name: column.type for column in columns})
        await connection.execute(f"CREATE TEMPORARY TABLE staging (_row serial, {staged})")
    if isinstance(payload, BinaryBytes):
        await connection.copy_to_table(table, source=io.BytesIO(payload.data), columns=names, format="binary")
    else:
        await connection.copy_records_to_table(table, records=payload.rows, columns=names)
    if not is_direct:
        quoted = ", ".join(f'"{name}"' for name in names)
        cast = ", ".join(f'CAST("{name}" AS {target_types[name]})' for name in names)
        await connection.execute(f"INSERT INTO target ({quoted}) SELECT {cast} FROM staging ORDER BY _row")
        await connection.execute("DROP TABLE staging")


def definitions(types: dict[str, str]) -> str:
    return ", ".join(f'"{name}" {type_name}' for name, type_name in types.items())


def write(folder: Path, columns: dict[str, pa.Array], **options: Any) -> Path:
    path = folder / "some.parquet"
    pq.write_table(pa.table(columns), path, **options)
    return path


def nines(digits: int, scale: int) -> Decimal:
    return Decimal((0, (9,) * digits, -scale))


BINARY, RECORDS = Way(), Way(CopyPath.RECORDS)

TYPES: list[tuple[str, pa.Array, str, list[str | None]]] = [
    ("int8", pa.array([-128, 127, None], pa.int8()), "smallint", ["-128", "127", None]),
    ("int16", pa.array([-32768, 32767], pa.int16()), "smallint", ["-32768", "32767"]),
    ("int32", pa.array([-(2**31), 2**31 - 1], pa.int32()), "integer", ["-2147483648", "2147483647"]),
    ("int64", pa.array([-(2**63), 2**63 - 1]), "bigint", ["-9223372036854775808", "9223372036854775807"]),
    ("uint8", pa.array([0, 255], pa.uint8()), "smallint", ["0", "255"]),
    ("uint16", pa.array([0, 65535], pa.uint16()), "integer", ["0", "65535"]),
    ("uint32", pa.array([0, 2**32 - 1], pa.uint32()), "bigint", ["0", "4294967295"]),
    ("uint64", pa.array([0, 2**64 - 1, None], pa.uint64()), "numeric(20,0)", ["0", "18446744073709551615", None]),
    ("float16", pa.array([0.5, None, float("inf")], pa.float16()), "real", ["0.5", None, "Infinity"]),
    (
        "float32",
        pa.array([0.1, 1e20, float("nan"), 1e6, -1.5e-10], pa.float32()),
        "real",
        ["0.1", "1e+20", "NaN", "1e+06", "-1.5e-10"],
    ),
    (
        "float64",
        pa.array([0.1, 1e20, float("nan"), -float("inf"), 5e-324, 1e15, 123456789012345.6, 1e-5, -0.0, None]),
        "double precision",
        ["0.1", "1e+20", "NaN", "-Infinity", "5e-324", "1e+15", "123456789012345.6", "1e-05", "-0", None],
    ),
    ("bool", pa.array([True, False, None]), "boolean", ["true", "false", None]),
    ("string", pa.array(["", "é\n\t\\N", None, "NULL", "NaN"]), "text", ["", "é\n\t\\N", None, "NULL", "NaN"]),
    ("large_string", pa.array(["a", None], pa.large_string()), "text", ["a", None]),
    (
        "string_view",
        pa.array(["a", None, "longer than twelve"], pa.string_view()),
        "text",
        ["a", None, "longer than twelve"],
    ),
    ("binary", pa.array([b"\0\xff", b"", None]), "bytea", ["\\x00ff", "\\x", None]),
    ("large_binary", pa.array([b"\0\xff", None], pa.large_binary()), "bytea", ["\\x00ff", None]),
    ("fixed_size_binary", pa.array([b"\0\xff", None], pa.binary(2)), "bytea", ["\\x00ff", None]),
    ("uuid", pa.array([b"\x0a" * 16, None], pa.uuid()), "uuid", ["0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a", None]),
    ("json", pa.array(['{"b": 1, "a": "é"}', None], pa.json_()), "jsonb", ['{"a": "é", "b": 1}', None]),
    (
        "decimal128",
        pa.array([Decimal("-0.50"), Decimal("9999999999.99"), Decimal("10000.00"), None], pa.decimal128(12, 2)),
        "numeric(12,2)",
        ["-0.50", "9999999999.99", "10000.00", None],
    ),
    (
        "tiny decimal",
        pa.array([Decimal("1E-16"), Decimal("-1E-16")], pa.decimal128(18, 16)),
        "numeric(18,16)",
        ["0.0000000000000001", "-0.0000000000000001"],
    ),
    (
        "fraction",
        pa.array([Decimal("0.123456789012345678")], pa.decimal128(18, 18)),
        "numeric(18,18)",
        ["0.123456789012345678"],
    ),
    (
        "wide decimal128",
        pa.array([nines(38, 10), nines(38, 10).copy_negate(), Decimal("1E-10"), None], pa.decimal128(38, 10)),
        "numeric(38,10)",
        ["9999999999999999999999999999.9999999999", "-9999999999999999999999999999.9999999999", "0.0000000001", None],
    ),
    (
        "decimal256",
        pa.array([nines(76, 38), nines(76, 38).copy_negate(), None], pa.decimal256(76, 38)),
        "numeric(76,38)",
        ["9" * 38 + "." + "9" * 38, "-" + "9" * 38 + "." + "9" * 38, None],
    ),
    (
        "date32",
        pa.array([date.min, date.max, date(1969, 12, 31), date(1970, 1, 1), date(2000, 1, 1), None]),
        "date",
        ["0001-01-01", "9999-12-31", "1969-12-31", "1970-01-01", "2000-01-01", None],
    ),
    (
        "far date32",
        pa.array([-2_440_588, 2_932_897, 2_145_042_905], pa.date32()),
        "date",
        ["4714-11-24 BC", "10000-01-01", "5874897-12-31"],
    ),
    ("date64", pa.array([-86_400_000, None], pa.date64()), "date", ["1969-12-31", None]),
    ("time32", pa.array([1, None], pa.time32("ms")), "time without time zone", ["00:00:00.001", None]),
    (
        "time64",
        pa.array([time(23, 59, 59, 999999), time.min]),
        "time without time zone",
        ["23:59:59.999999", "00:00:00"],
    ),
    ("time64 ns", pa.array([1_000], pa.time64("ns")), "time without time zone", ["00:00:00.000001"]),
    (
        "timestamp",
        pa.array([datetime.min, datetime.max, datetime(1969, 12, 31, 23, 59, 59, 999_999), None], MICROSECONDS),
        "timestamp without time zone",
        ["0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999", None],
    ),
    ("timestamp s", pa.array([-1], pa.timestamp("s")), "timestamp without time zone", ["1969-12-31 23:59:59"]),
    ("timestamp ms", pa.array([-1], pa.timestamp("ms")), "timestamp without time zone", ["1969-12-31 23:59:59.999"]),
    (
        "timestamp ns",
        pa.array([-1_000, None], pa.timestamp("ns")),
        "timestamp without time zone",
        ["1969-12-31 23:59:59.999999", None],
    ),
    (
        "far timestamp",
        pa.array([-210_866_803_200_000_000, 253_402_300_800_000_000], MICROSECONDS),
        "timestamp without time zone",
        ["4714-11-24 00:00:00 BC", "10000-01-01 00:00:00"],
    ),
    (
        "instant",
        pa.array([datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC), None], INSTANTS),
        "timestamp with time zone",
        ["0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00", None],
    ),
    (
        "instant elsewhere",
        pa.array([0], pa.timestamp("ms", "America/Sao_Paulo")),
        "timestamp with time zone",
        ["1970-01-01 00:00:00+00"],
    ),
    (
        "duration",
        pa.array([timedelta(hours=30, microseconds=5), -timedelta(seconds=1), None]),
        "interval",
        ["30:00:00.000005", "-00:00:01", None],
    ),
    ("dictionary", pa.array(["a", None, "b", "a"]).dictionary_encode(), "text", ["a", None, "b", "a"]),
    (
        "dictionary of dates",
        pa.array([date.min, None, date.max]).dictionary_encode(),
        "date",
        ["0001-01-01", None, "9999-12-31"],
    ),
    ("list", pa.array([[1, None], [], None]), "jsonb", ["[1, null]", "[]", None]),
    (
        "fixed_size_list",
        pa.array([[1, 2], None, [3, None]], pa.list_(pa.int8(), 2)),
        "jsonb",
        ["[1, 2]", None, "[3, null]"],
    ),
    (
        "large_list",
        pa.array([[[1.5, float("nan")]], None], pa.large_list(pa.list_(pa.float64()))),
        "jsonb",
        ['[[1.5, "NaN"]]', None],
    ),
    (
        "struct",
        pa.array(
            [
                {"d": date(2020, 1, 1), "n": Decimal("1.20"), "t": 'a"\\\n', "b": b"\1"},
                {"d": None, "n": None, "t": None, "b": None},
                None,
            ]
        ),
        "jsonb",
        [
            '{"b": "\\\\x01", "d": "2020-01-01", "n": 1.20, "t": "a\\"\\\\\\n"}',
            '{"b": null, "d": null, "n": null, "t": null}',
            None,
        ],
    ),
    (
        "map",
        pa.array([[("a", 1), ("b", None)], [], None], pa.map_(pa.string(), pa.int64())),
        "jsonb",
        ['{"a": 1, "b": null}', "{}", None],
    ),
    (
        "map of dates",
        pa.array([[(date(2020, 1, 1), ["x"])]], pa.map_(pa.date32(), pa.list_(pa.string()))),
        "jsonb",
        ['{"2020-01-01": ["x"]}'],
    ),
    (
        "map of numbers",
        pa.array([[(1.5, b"a")], [(float("nan"), None)]], pa.map_(pa.float64(), pa.binary())),
        "jsonb",
        ['{"1.5": "\\\\x61"}', '{"NaN": null}'],
    ),
    ("map of bytes", pa.array([[(b"a", True)]], pa.map_(pa.binary(), pa.bool_())), "jsonb", ['{"\\\\x61": true}']),
    ("null", pa.nulls(2), "text", [None, None]),
]


@pytest.mark.parametrize(("array", "target", "expected"), [case[1:] for case in TYPES], ids=[case[0] for case in TYPES])
def test_every_type_arrives_exactly_in_its_own_type(
    database: PostgreSQLSettings, tmp_path: Path, array: pa.Array, target: str, expected: list[str | None]
) -> None:
    path = write(tmp_path, {"c": array})

    assert postgresql_type(pq.read_schema(path).field("c").type) == target
    assert load(database, path, {"c": target}, BINARY) == [(value,) for value in expected]
    assert load(database, path, {"c": target}, RECORDS) == [(value,) for value in expected]


@pytest.mark.parametrize(("array", "target", "expected"), [case[1:] for case in TYPES], ids=[case[0] for case in TYPES])
def test_every_type_arrives_as_the_text_that_postgresql_prints(
    database: PostgreSQLSettings, tmp_path: Path, array: pa.Array, target: str, expected: list[str | None]
) -> None:
    path = write(tmp_path, {"c": array})

    for way in (BINARY, RECORDS):
        texts = load(database, path, {"c": "text"}, way)
        if target == "jsonb":
            texts = cast(database, texts, target)
        assert texts == [(value,) for value in expected]
        assert cast(database, texts, target) == texts


def cast(database: PostgreSQLSettings, texts: Texts, target: str) -> Texts:
    async def work(connection: asyncpg.Connection) -> Texts:
        query = f"SELECT t::{target}::text FROM unnest($1::text[]) WITH ORDINALITY AS u (t, n) ORDER BY n"
        return [tuple(row) for row in await connection.fetch(query, [text for (text,) in texts])]

    return connected(database, work)


OTHER_TARGETS: list[tuple[str, pa.Array, str, list[str | None]]] = [
    (
        "integer into numeric",
        pa.array([-(2**63), 10_000, 0, None]),
        "numeric",
        ["-9223372036854775808", "10000", "0", None],
    ),
    ("integer into a scaled numeric", pa.array([-99, None]), "numeric(4,2)", ["-99.00", None]),
    ("integer into double", pa.array([2**53, None]), "double precision", ["9.007199254740992e+15", None]),
    ("integer into varchar", pa.array([12, None]), "character varying(2)", ["12", None]),
    ("unsigned into bigint", pa.array([2**63 - 1], pa.uint64()), "bigint", ["9223372036854775807"]),
    ("whole float into bigint", pa.array([1.0, -(2.0**63), None]), "bigint", ["1", "-9223372036854775808", None]),
    ("whole decimal into integer", pa.array([Decimal("7.00"), None]), "integer", ["7", None]),
    ("float32 into double", pa.array([0.5, None], pa.float32()), "double precision", ["0.5", None]),
    ("double into real", pa.array([0.1, float("nan"), None]), "real", ["0.1", "NaN", None]),
    (
        "double into numeric",
        pa.array([0.1, 1e20, float("inf"), None]),
        "numeric",
        ["0.1", "100000000000000000000", "Infinity", None],
    ),
    ("decimal into double", pa.array([Decimal("0.10"), None]), "double precision", ["0.1", None]),
    (
        "decimal into fewer decimals",
        pa.array([Decimal("1.005"), Decimal("-1.005"), Decimal("99.994")]),
        "numeric(4,2)",
        ["1.01", "-1.01", "99.99"],
    ),
    ("decimal into any numeric", pa.array([Decimal("1.00"), None]), "numeric", ["1.00", None]),
    ("date into timestamp", pa.array([date.min, None]), "timestamp without time zone", ["0001-01-01 00:00:00", None]),
    (
        "timestamp into fewer digits",
        pa.array([1_600_000], MICROSECONDS),
        "timestamp(0) without time zone",
        ["1970-01-01 00:00:02"],
    ),
    (
        "text into uuid",
        pa.array(["0A0A0A0A-0a0a-0a0a-0a0a-0a0a0a0a0a0a", None]),
        "uuid",
        ["0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a", None],
    ),
    (
        "text in braces into uuid",
        pa.array(["{0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a}", None]),
        "uuid",
        ["0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a", None],
    ),
    ("bytes into uuid", pa.array([b"\x0a" * 16], pa.binary(16)), "uuid", ["0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a"]),
    ("text into jsonb", pa.array(['{"b":1,"a":2}', None]), "jsonb", ['{"a": 2, "b": 1}', None]),
    ("text into json", pa.array(['{"b":1}', None]), "json", ['{"b":1}', None]),
    ("large text into jsonb", pa.array(["[1]", None], pa.large_string()), "jsonb", ["[1]", None]),
    ("text into bigint", pa.array(["12", None]), "bigint", ["12", None]),
    ("text into a date", pa.array(["2020-02-29", None]), "date", ["2020-02-29", None]),
    ("text into inet", pa.array(["10.0.0.1", None]), "inet", ["10.0.0.1/32", None]),
    ("text into varchar", pa.array(["éé ", "a", None]), "character varying(2)", ["éé", "a", None]),
    ("text into char", pa.array(["a", None]), "character(3)", ["a", None]),
    ("floats into jsonb", pa.array([1.5, float("nan"), None]), "jsonb", ["1.5", '"NaN"', None]),
    ("lists into an array", pa.array([[1, None], [], None]), "integer[]", ["{1,NULL}", "{}", None]),
    ("texts into an array", pa.array([['a"\\', "NULL", "", None]]), "text[]", ['{"a\\"\\\\","NULL","",NULL}']),
    ("lists of lists into an array", pa.array([[[date.min], [date.max]]]), "date[]", ["{{0001-01-01},{9999-12-31}}"]),
    ("nulls into a date", pa.nulls(1), "date", [None]),
]


@pytest.mark.parametrize("way", [BINARY, RECORDS], ids=["binary", "records"])
@pytest.mark.parametrize(
    ("array", "target", "expected"), [case[1:] for case in OTHER_TARGETS], ids=[case[0] for case in OTHER_TARGETS]
)
def test_a_column_becomes_another_type_without_loss(
    database: PostgreSQLSettings, tmp_path: Path, array: pa.Array, target: str, expected: list[str | None], way: Way
) -> None:
    assert load(database, write(tmp_path, {"c": array}), {"c": target}, way) == [(value,) for value in expected]


@pytest.mark.parametrize("copy_path", list(CopyPath))
def test_wall_clock_times_become_instants_of_the_zone_that_was_named(
    database: PostgreSQLSettings, tmp_path: Path, copy_path: CopyPath
) -> None:
    path = write(tmp_path, {"c": pa.array([datetime(2024, 7, 1, 12), datetime(2024, 1, 1, 12), None], MICROSECONDS)})

    way = Way(copy_path, timezone="Europe/Berlin")

    assert load(database, path, {"c": "timestamp with time zone"}, way) == [
        ("2024-07-01 10:00:00+00",),
        ("2024-01-01 11:00:00+00",),
        (None,),
    ]


def test_int96_holds_the_first_and_the_last_day(database: PostgreSQLSettings, tmp_path: Path) -> None:
    array = pa.array([datetime.min, datetime.max, None], MICROSECONDS)
    path = write(tmp_path, {"c": array}, use_deprecated_int96_timestamps=True)

    assert load(database, path, {"c": "timestamp without time zone"}, BINARY) == [
        ("0001-01-01 00:00:00",),
        ("9999-12-31 23:59:59.999999",),
        (None,),
    ]


# --- any values -----------------------------------------------------------------------------------------------------

_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
_MICROSECONDS = st.integers(-210_866_803_200_000_000, 9_000_000_000_000_000_000)

_VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.int16(): st.integers(-(2**15), 2**15 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.float32(): st.floats(width=32),
    pa.float64(): st.floats(),
    pa.bool_(): st.booleans(),
    pa.string(): _TEXT,
    pa.binary(): st.binary(max_size=9),
    pa.decimal128(12, 2): st.decimals(-(10**9), 10**9, places=2),
    pa.decimal128(18, 17): st.decimals(-9, 9, places=17),
    pa.decimal128(38, 19): st.decimals(-(10**18), 10**18, places=19),
    pa.decimal256(60, 3): st.integers(1 - 10**60, 10**60 - 1).map(lambda n: Decimal(f"{n}E-3")),
    pa.date32(): st.integers(-2_440_588, 2_145_042_905),
    pa.time64("us"): st.integers(0, 86_400_000_000 - 1),
    MICROSECONDS: _MICROSECONDS,
    INSTANTS: _MICROSECONDS,
    pa.duration("us"): st.integers(-(2**62), 2**62),
    pa.list_(pa.string()): st.lists(st.none() | _TEXT, max_size=3),
    pa.map_(pa.string(), pa.float64()): st.dictionaries(_TEXT, st.none() | st.floats(), max_size=3).map(
        lambda values: list(values.items())
    ),
    pa.struct([("a", pa.int64()), ("b", pa.list_(pa.decimal128(9, 3)))]): st.fixed_dictionaries(
        {
            "a": st.none() | st.integers(-(2**63), 2**63 - 1),
            "b": st.none() | st.lists(st.decimals(-999, 999, places=3), max_size=2),
        }
    ),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(1, 12))
    chosen = draw(st.lists(st.sampled_from(list(_VALUES)), min_size=1, max_size=5))
    columns = {}
    for number, arrow_type in enumerate(chosen):
        values = st.none() | _VALUES[arrow_type]
        columns[f"c{number}"] = pa.array(draw(st.lists(values, min_size=rows, max_size=rows)), arrow_type)
    return pa.table(columns)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(table=pa.table({"c0": [4.600396982069566e16]}), chunk_size=1, row_group_size=1, is_dictionary=False)
@given(table=tables(), chunk_size=st.integers(1, 12), row_group_size=st.integers(1, 12), is_dictionary=st.booleans())
def test_binary_records_and_text_leave_equal_tables(
    database: PostgreSQLSettings,
    tmp_path: Path,
    table: pa.Table,
    chunk_size: int,
    row_group_size: int,
    is_dictionary: bool,
) -> None:
    path = tmp_path / "any.parquet"
    pq.write_table(table, path, row_group_size=row_group_size, use_dictionary=is_dictionary)
    types = {field.name: postgresql_type(field.type) for field in table.schema}

    binary = load(database, path, types, Way(chunk_size=chunk_size))
    records = load(database, path, types, Way(CopyPath.RECORDS, chunk_size=chunk_size))
    texts = load(database, path, dict.fromkeys(types, "text"), Way(chunk_size=chunk_size))

    assert binary == records
    assert binary == in_types(database, texts, list(types.values()))
    for column, type_name in enumerate(types.values()):
        ours, theirs = [row[column] for row in texts], [row[column] for row in binary]
        if type_name in ("real", "double precision"):
            # both read back as the same value; PostgreSQL prints one digit more where the shortest text lies halfway
            assert all(our == their or len(str(our)) < len(str(their)) for our, their in zip(ours, theirs, strict=True))
        elif type_name != "jsonb":
            assert ours == theirs


def in_types(database: PostgreSQLSettings, texts: Texts, types: list[str]) -> Texts:
    columns = [cast(database, [(row[number],) for row in texts], name) for number, name in enumerate(types)]
    return [tuple(value for (value,) in row) for row in zip(*columns, strict=True)]
