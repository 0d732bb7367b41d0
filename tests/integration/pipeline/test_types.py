"""Every type of a fresh PostgreSQL, its array, a domain, an enum, a composite and a range over it, in three stores.

Each cell is equal in every store and by every writer, or the column's type is one that only its text can stand for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg2
import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from etl.clickhouse.door import ClickHouseDoor
from etl.extract.postgresql import reader
from etl.statements.quoting import postgresql_identifier, postgresql_literal
from tests.conftest import RunningStack
from tests.integration.pipeline.conftest import Shop, execute, load_of
from tests.integration.pipeline.type_samples import MODIFIED, SAMPLES, WITHOUT_ARRAY, WITHOUT_INPUT, comparable

pytestmark = pytest.mark.stack

EACH_WAY = {
    *(
        "bool",
        "bytea",
        "oid",
        "jsonb",
        "money",
        "float4",
        "float8",
        "date",
        "numeric",
        "interval",
        "regclass",
        "aclitem",
        "box",
    ),
    *("timestamp(3)", "timestamptz(0)", "numeric(12,2)", "numeric(50,10)", "numeric(3,-2)", "char(5)", "uuid"),
}

BASE_TYPES = """
SELECT t.typname, format_type(t.oid, NULL), EXISTS (
           SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod AND m.amname = 'btree'
           WHERE o.opcintype = t.oid AND o.opcdefault)
FROM pg_type t WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype IN ('b', 'r', 'm')
  AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid) AND t.typname <> 'unknown'
"""

ENTRIES = """
tables:
  types:
    transform: {trim: false}
    numeric_as: text
    s3: {format: parquet}
    clickhouse: {target_name: "{domain}_types"}
  types_again:
    transform: {trim: false}
    numeric_as: text
    source: {table: types}
    s3: {format: delta}
    postgresql: {copy_format: csv}
    clickhouse: {target_name: "{domain}_types_again", writer: jdbc}
  types_as_json:
    transform: {trim: false}
    numeric_as: text
    source: {table: types}
    s3: {format: json}
    postgresql: {enabled: false}
    clickhouse: {enabled: false}
"""


@dataclass(frozen=True)
class Cells:
    """One column of the source: `base` is the type whose values it holds, alone or in arrays; '' where text stands."""

    name: str
    type: str
    base: str
    is_array: bool
    first: str
    second: str


@pytest.fixture
def base_types(stack: RunningStack) -> list[tuple[str, str, bool]]:
    with closing(psycopg2.connect(stack.source_postgres_url)) as connection, connection.cursor() as cursor:
        cursor.execute(BASE_TYPES)
        found = cursor.fetchall()
    unknown = {name for name, _, _ in found} - {*SAMPLES, *WITHOUT_INPUT}
    assert not unknown, "types that this matrix does not try"
    return found


def _literals(type_: str, samples: tuple[str, ...]) -> list[str]:
    return [f"{postgresql_literal(sample)}::{type_}" for sample in samples] or [f"NULL::{type_}"]


def _array(type_: str, literals: list[str]) -> str:
    return f"ARRAY[{', '.join([*literals, 'NULL'])}]::{type_}[]"


def _pair(name: str, type_: str, base: str, literals: list[str]) -> Iterator[Cells]:
    """A column of the type, and one of its array."""
    yield Cells(name, type_, base, False, literals[0], literals[-1])
    if base not in WITHOUT_ARRAY:
        yield Cells(f"{name}s", f"{type_}[]", base, True, _array(type_, literals), f"'{{}}'::{type_}[]")


def _plain(found: list[tuple[str, str, bool]]) -> list[Cells]:
    kinds = [(f"t{i}", type_, name, SAMPLES.get(name, ())) for i, (name, type_, _) in enumerate(found)]
    kinds += [(f"m{i}", type_, type_, samples) for i, (type_, samples) in enumerate(MODIFIED.items())]
    return [cell for n, type_, base, samples in kinds for cell in _pair(n, type_, base, _literals(type_, samples))]


def _made(found: list[tuple[str, str, bool]], wanted: set[str] | None) -> tuple[list[str], list[Cells]]:
    """Types made of others, with the statements that make them."""
    statements, cells = ["CREATE TYPE mood AS ENUM ('so so', 'fine')"], []
    cells += _pair("e", "mood", "", _literals("mood", ("so so", "fine")))
    for i, (name, type_, has_order) in enumerate(found):
        if wanted is not None and name not in wanted:
            continue
        values = _literals(type_, SAMPLES.get(name, ()))
        statements += [f"CREATE DOMAIN d{i} AS {type_}", f"CREATE TYPE c{i} AS (f {type_}, g int)"]
        cells += _pair(f"d{i}", f"d{i}", name, [f"{value}::d{i}" for value in values])
        cells += _pair(f"c{i}", f"c{i}", "", [f"ROW({value}, 1)::c{i}" for value in values])
        if has_order and name != "unknown":
            statements.append(f"CREATE TYPE r{i} AS RANGE (subtype = {type_}, multirange_type_name = r{i}m)")
            cells += _pair(f"r{i}", f"r{i}", "", [f"r{i}({value}, NULL)" for value in values[:2]])
            cells += _pair(f"r{i}m", f"r{i}m", "", [f"r{i}m(r{i}({values[0]}, NULL))"])
    return statements, cells


def _create(shop: Shop, statements: list[str], cells: list[Cells]) -> None:
    shop.source("; ".join(statements))
    shop.source(f"CREATE TABLE types (id int PRIMARY KEY, {', '.join(f'{c.name} {c.type}' for c in cells)})")
    for row, values in enumerate(([c.first for c in cells], [c.second for c in cells], ["NULL" for _ in cells])):
        shop.source(f"INSERT INTO types VALUES ({row}, {', '.join(values)})")


def _wanted(shop: Shop, cells: list[Cells]) -> dict[str, list[Any]]:
    texts = _postgresql(shop.environ["ETL_SOURCE_POSTGRES_URL"], f"{shop.name}.types", cells)
    return {cell.name: [_value(cell, text) for text in texts[cell.name]] for cell in cells}


def _value(cell: Cells, text: Any) -> Any:
    if cell.is_array:
        return None if text is None else [comparable(cell.base, element) for element in text]
    return comparable(cell.base, text)


def _postgresql(url: str, table: str, cells: list[Cells]) -> dict[str, list[Any]]:
    """Each cell as text, of arrays each element."""
    shown = [_text_of(cell) for cell in cells]
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SET TimeZone = 'UTC'; SET search_path = pg_catalog")
        cursor.execute(f"SELECT {', '.join(shown)} FROM {table} ORDER BY id")
        rows = cursor.fetchall()
    return {cell.name: [row[place] for row in rows] for place, cell in enumerate(cells)}


def _text_of(cell: Cells) -> str:
    array = "[]" if cell.is_array else ""
    number = f"::numeric{array}" if cell.base == "money" else ""
    return f"{postgresql_identifier(cell.name)}{number}::text{array}"


def _clickhouse(stack: RunningStack, table: str, cells: list[Cells]) -> dict[str, list[Any]]:
    assert stack.settings.clickhouse is not None
    with ClickHouseDoor(stack.settings.clickhouse) as door:
        shown = [_clickhouse_text(cell) for cell in cells]
        rows = door.query(f"SELECT {', '.join(shown)} FROM {table} FINAL ORDER BY id")
    return {cell.name: [row[place] for row in rows] for place, cell in enumerate(cells)}


def _clickhouse_text(cell: Cells) -> str:
    shown = "hex(x)" if cell.base == "bytea" else "toString(x)"
    return f"arrayMap(x -> {shown}, {cell.name})" if cell.is_array else shown.replace("x)", f"{cell.name})")


def _lake(shop: Shop, stack: RunningStack, spark: SparkSession, table: str, cells: list[Cells]) -> dict[str, list[Any]]:
    assert stack.settings.s3 is not None
    uri = f"s3a://{stack.settings.s3.bucket}/data-lake/{shop.name}/{table}"
    format_ = {"types": "parquet", "types_again": "delta"}.get(table, "json")
    reader = spark.read
    if format_ == "json":
        manifest = json.loads(spark.read.text(f"{uri}/_etl/manifest.json", wholetext=True).first()[0])  # type: ignore[index]
        reader = reader.schema(StructType.fromJson(json.loads(manifest["schema"])))
    frame = reader.format(format_).load(uri)
    rows = frame.orderBy("id").selectExpr(*map(_spark_text, cells)).collect()
    return {cell.name: [row[place] for row in rows] for place, cell in enumerate(cells)}


def _spark_text(cell: Cells) -> str:
    value = "x" if cell.is_array else f"`{cell.name}`"
    shown = f"hex({value})" if cell.base == "bytea" else f"cast({value} AS string)"
    return f"transform(`{cell.name}`, x -> {shown})" if cell.is_array else shown


def _differing(
    cells: list[Cells], wanted: Mapping[str, list[Any]], found: Mapping[str, list[Any]], *, null_array: Any = None
) -> dict[str, tuple[str, Any, Any]]:
    differing = {}
    for cell in cells:
        expected = [null_array if cell.is_array and value is None else value for value in wanted[cell.name]]
        values = [_value(cell, text) for text in found[cell.name]]
        if values != expected:
            differing[cell.name] = (cell.type, expected, values)
    return differing


def _check(shop: Shop, stack: RunningStack, spark: SparkSession, statements: list[str], cells: list[Cells]) -> None:
    _create(shop, statements, cells)
    shop.tables(ENTRIES)
    exit_code, report = shop.run(destinations="s3,postgresql,clickhouse")
    errors = {(load["table"], load["destination"]): load["error"] for load in report["loads"] if load["error"]}
    assert (exit_code, errors) == (0, {})
    wanted = _wanted(shop, cells)
    for table in ("types", "types_again"):
        found = _clickhouse(stack, f"{shop.name}_{table}", cells)
        assert _differing(cells, wanted, found, null_array=[]) == {}, table
    for table in ("types", "types_again", "types_as_json"):
        assert _differing(cells, wanted, _lake(shop, stack, spark, table, cells)) == {}, table
    for table in ("types", "types_again"):
        assert (
            _differing(cells, wanted, _postgresql(shop.environ["ETL_POSTGRES_URL"], f"public.{table}", cells)) == {}
        ), table
    exit_code, report = shop.run("--full-refresh", destinations="s3,postgresql,clickhouse")
    again = {(load["table"], load["destination"]): (load["error"], load["rows_unchanged"]) for load in report["loads"]}
    assert again == dict.fromkeys(again, (None, 3))


@pytest.mark.parametrize("rows_in_memory", [reader.ROWS_IN_MEMORY, -1], ids=["copied", "compiled"])
def test_one_type_of_each_way_is_equal_in_every_store(
    shop: Shop,
    stack: RunningStack,
    spark: SparkSession,
    base_types: list[tuple[str, str, bool]],
    rows_in_memory: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The ways that a value can travel by; `make proof` tries every type."""
    monkeypatch.setattr(reader, "ROWS_IN_MEMORY", rows_in_memory)
    plain = [cell for cell in _plain(base_types) if cell.base in EACH_WAY]
    statements, made = _made(base_types, {"int4"})
    _check(shop, stack, spark, statements, [*plain, *made])


NUMERICS = """
CREATE TABLE numbers (id int PRIMARY KEY, amount numeric, wei numeric(78,0), parts numeric[], wide numeric(50,10));
INSERT INTO numbers VALUES
  (1, 0.1234567890123456789012345, repeat('9', 78)::numeric, '{0.12345678901234567890,NULL}', 1.5),
  (2, 1.50, 1, '{1}', repeat('9', 40)::numeric + 0.0000000001), (3, 123456789012345678901234567890, 5, '{}', NULL),
  (4, 0.0000000000000000001, 6, NULL, 0), (5, 'NaN', 7, '{NaN}', 'NaN'), (6, NULL, NULL, NULL, -1)
"""


def test_numerics_are_exact_where_they_can_be_and_rejected_where_not(
    shop: Shop, stack: RunningStack, spark: SparkSession
) -> None:
    shop.source(NUMERICS)
    forms = "{amount: 'numeric(76,38)', wei: text, parts: text, wide: 'numeric(76,20)'}"
    shop.tables(
        "tables:\n  numbers: {clickhouse: {target_name: '{domain}_numbers'}}\n"
        "  told:\n    source: {table: numbers}\n    maximum_rejected: 4\n"
        "    s3: {numeric_as: {wei: text, wide: text}}\n"
        f"    clickhouse: {{target_name: '{{domain}}_told', numeric_as: {forms}}}\n"
        "    postgresql: {copy_format: csv}\n"
    )
    _, report = shop.run(destinations="s3,postgresql,clickhouse")
    outcomes = {
        (load["table"], load["destination"]): (load["status"], load["rows_rejected"]) for load in report["loads"]
    }
    assert outcomes == {
        ("numbers", "clickhouse"): ("failed", 0),
        ("numbers", "postgresql"): ("success", 0),
        ("numbers", "s3"): ("failed", 0),
        ("told", "clickhouse"): ("success", 1),
        ("told", "postgresql"): ("success", 0),
        ("told", "s3"): ("success", 4),
    }
    said = load_of(report, "numbers", "s3")["error"]
    assert "column wei is numeric(78,0), and s3 has decimals of at most 38 digits" in said and "column wide" in said
    assert "s3: {numeric_as: {wei: text}}" in said
    said = load_of(report, "numbers", "clickhouse")["error"]
    assert "column wei is numeric(78,0)" in said and "column wide" not in said
    names = ("amount", "wei", "parts", "wide")
    shown = ", ".join(f"{name}::text" for name in names)
    exact = execute(shop.environ["ETL_SOURCE_POSTGRES_URL"], f"SELECT {shown} FROM {shop.name}.numbers ORDER BY id")
    for table in ("numbers", "told"):
        assert shop.target(f"SELECT {shown} FROM public.{table} ORDER BY id") == exact
    assert shop.target("SELECT destination, rule, count(*) FROM etl.rejects GROUP BY 1, 2 ORDER BY 1, 2") == [
        ("clickhouse", "range:clickhouse:amount", 1),
        ("s3", "range:s3:amount", 4),
    ]
    assert stack.settings.clickhouse is not None and stack.settings.s3 is not None
    with ClickHouseDoor(stack.settings.clickhouse) as door:
        rows = door.query(
            "SELECT toString(amount), wei, parts, toString(wide), toTypeName(amount), toTypeName(wide) "
            f"FROM {shop.name}_told FINAL ORDER BY id"
        )
    assert {tuple(row[4:]) for row in rows} == {("Nullable(Decimal(76, 38))", "Nullable(Decimal(76, 20))")}
    assert [row[:4] for row in rows] == [
        ["0.1234567890123456789012345", "9" * 78, ["0.12345678901234567890", None], "1.5"],
        ["1.5", "1", ["1"], f"{'9' * 40}.0000000001"],
        ["123456789012345678901234567890", "5", [], None],
        ["0.0000000000000000001", "6", [], "0"],
        [None, None, [], "-1"],
    ]
    lake = spark.read.parquet(f"s3a://{stack.settings.s3.bucket}/data-lake/{shop.name}/told")
    assert [kind for _, kind in lake.dtypes] == ["int", "decimal(38,18)", "string", "array<decimal(38,18)>", "string"]
    assert [tuple(row) for row in lake.orderBy("id").selectExpr("id", "amount", "wei", "parts", "wide").collect()] == [
        (2, Decimal("1.5"), "1", [Decimal(1)], f"{'9' * 40}.0000000001"),
        (6, None, None, None, "-1.0000000000"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_every_type_is_equal_in_every_store(
    shop: Shop, stack: RunningStack, spark: SparkSession, base_types: list[tuple[str, str, bool]], part: int
) -> None:
    statements, made = _made(base_types, None)
    cells = [*_plain(base_types), *made]
    _check(shop, stack, spark, statements, cells[part::4])
