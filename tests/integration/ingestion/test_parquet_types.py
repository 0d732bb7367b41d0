"""Every physical type of Parquet with every annotation, and nested ones, as other writers make them: loaded as what
they mean, or refused by the column's name."""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr

from etl.ingestion.model import CopyPath, FileStatus, Header
from etl.stack.embedded import Stack
from etl.stack.layout import Layout
from tests import parquet_annotations as annotated
from tests.conftest import RunningStack
from tests.integration.ingestion.conftest import Uploads, ask, headers_of, told
from tests.parquet_annotations import MICROS, UUID, times
from tests.parquet_files import Element, write_parquet

pytestmark = pytest.mark.stack

Texts = list[str | None]
IDS = Element("id", "INT32", [0, 1, 2])


@dataclass(frozen=True)
class Cell:
    """An annotated column, the type that it becomes where types are preserved, and its values as PostgreSQL prints
    them."""

    element: Element
    type: str
    texts: Texts


def cell(type_name: str, texts: Texts, physical: str, values: list[Any], **annotation: Any) -> Cell:
    return Cell(Element("", physical, values, **annotation), type_name, texts)


CELLS: list[Cell] = [
    cell("boolean", ["true", "false", None], "BOOLEAN", [True, False, None]),
    cell("integer", ["-2147483648", "2147483647", None], "INT32", [-(2**31), 2**31 - 1, None]),
    cell("bigint", ["-9223372036854775808", "5", None], "INT64", [-(2**63), 5, None]),
    cell("real", ["0.1", "-0", None], "FLOAT", [0.1, -0.0, None]),
    cell("double precision", ["0.1", "NaN", None], "DOUBLE", [0.1, float("nan"), None]),
    cell("bytea", ["\\x00ff", "\\x", None], "BYTE_ARRAY", [b"\0\xff", b"", None]),
    cell("bytea", ["\\x00ff", "\\x6162", None], "FIXED_LEN_BYTE_ARRAY", [b"\0\xff", b"ab", None], length=2),
    cell("timestamp without time zone", ["1970-01-02 00:00:00.000005", None, "1969-12-31 00:00:00"], "INT96",
         [struct.pack("<qi", 5_000, 2_440_589), None, struct.pack("<qi", 0, 2_440_587)]),
    *(
        cell(name, ["-5", "5", None], "INT32", [-5, 5, None], **each)
        for name, bits in (("smallint", 8), ("smallint", 16), ("integer", 32))
        for each in annotated.integers(bits, True)
    ),
    *(
        cell(name, [str(most), "5", None], "INT32", [most if most < 2**31 else most - 2**32, 5, None], **each)
        for name, bits, most in (("smallint", 8, 255), ("integer", 16, 65_535), ("bigint", 32, 2**32 - 1))
        for each in annotated.integers(bits, False)
    ),
    cell("bigint", ["-5", "5", None], "INT64", [-5, 5, None], converted="INT_64"),
    cell("numeric(20,0)", [str(2**64 - 1), "5", None], "INT64", [-1, 5, None], converted="UINT_64"),
    cell("numeric(20,0)", [str(2**64 - 1), "5", None], "INT64", [-1, 5, None], logical=("INTEGER", (64, False))),
    *(
        cell("numeric(9,2)", ["-0.50", "1234567.89", None], physical, values, **each)
        for physical, values, each in annotated.DECIMALS
    ),
    *(
        cell("date", ["1969-12-31", "5000-01-01", None], "INT32", [-1, 1_106_685, None], **each)
        for each in annotated.DATES
    ),
    cell("date", ["0044-03-15 BC", "5874897-12-31", None], "INT32", [-735_160, 2_145_042_905, None], converted="DATE"),
    *(
        cell("time without time zone", ["00:00:00", "23:59:59.999", None], "INT32", times(1_000), **each)
        for each in annotated.TIMES_MILLIS
    ),
    *(
        cell("time without time zone", ["00:00:00", "23:59:59.999999", None], "INT64", times(scale), **each)
        for scale, each in (
            *((1_000_000, each) for each in annotated.TIMES_MICROS),
            (1_000_000_000, {"logical": ("TIME", (False, "NANOS"))}),
        )
    ),
    *(
        cell(name, [f"0001-01-01 00:00:00{zone}", f"2024-02-29 12:00:00.123456{zone}", None], "INT64", MICROS, **each)
        for name, zone, kinds in (
            ("timestamp with time zone", "+00", annotated.INSTANTS_MICROS),
            ("timestamp without time zone", "", annotated.CLOCKS_MICROS),
        )
        for each in kinds
    ),
    *(
        cell(name, [f"0001-01-01 00:00:00{zone}", f"2024-02-29 12:00:00.123{zone}", None], "INT64",
             [-62_135_596_800_000, 1_709_208_000_123, None], **each)
        for name, zone, kinds in (
            ("timestamp with time zone", "+00", annotated.INSTANTS_MILLIS),
            ("timestamp without time zone", "", annotated.CLOCKS_MILLIS),
        )
        for each in kinds
    ),
    cell("timestamp without time zone", ["2024-02-29 12:00:00.123456", None, None], "INT64",
         [1_709_208_000_123_456_000, None, None], logical=("TIMESTAMP", (False, "NANOS"))),
    *(
        cell("text", ["é", "", None], "BYTE_ARRAY", ["é".encode(), b"", None], **each)
        for each in annotated.TEXTS
    ),
    *(
        cell("jsonb", ['{"a": 1.0}', "null", None], "BYTE_ARRAY", [b'{"a":  1.0}', b"null", None], **each)
        for each in annotated.JSONS
    ),
    *(
        cell("bytea", ["\\x00", "\\x", None], "BYTE_ARRAY", [b"\0", b"", None], **each)
        for each in annotated.BSONS
    ),
    cell("uuid", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", None, None], "FIXED_LEN_BYTE_ARRAY", [UUID, None, None],
         length=16, logical=("UUID", ())),
    cell("real", ["0.5", "-Infinity", None], "FIXED_LEN_BYTE_ARRAY", [b"\0\x38", b"\0\xfc", None], length=2,
         logical=("FLOAT16", ())),
    cell("interval", ["1 year 2 mons 3 days 00:00:04.005", "00:00:00", None], "FIXED_LEN_BYTE_ARRAY",
         [struct.pack("<III", 14, 3, 4_005), bytes(12), None], length=12, converted="INTERVAL"),
    cell("text", [None, None, None], "INT32", [None, None, None], logical=("UNKNOWN", ())),
]  # fmt: skip


def test_every_annotation_becomes_what_it_means(uploads: Uploads) -> None:
    """Into a table that is made of the file's types, on both paths, and into one of texts alone."""
    names = [f"c{place}" for place in range(len(CELLS))]
    elements = [replace(each.element, name=name) for each, name in zip(CELLS, names, strict=True)]
    path = write_parquet(uploads.folder / "annotated.parquet", [IDS, *elements])
    headers = tuple(map(Header, ("id", *names)))
    for table, options in (
        ("typed", {"preserve_types": True}),
        ("by_records", {"preserve_types": True, "copy_path": CopyPath.RECORDS}),
        ("texts", {}),
    ):
        for fate in ("inserted", "unchanged"):
            result = uploads.load_one(path, table=table, headers=headers, **options)
            assert (result.notes, told(result.counts)) == ("", {"read": 3, fate: 3})
        stored = uploads.execute(f"SELECT {', '.join(f'{name}::text' for name in names)} FROM {table} ORDER BY id::int")
        expected = [tuple(each.texts[row] for each in CELLS) for row in range(3)]
        if table == "texts":
            expected = [tuple(plain_text(each, row) for each in CELLS) for row in range(3)]
        assert [dict(zip(names, row, strict=True)) for row in stored] == [
            dict(zip(names, row, strict=True)) for row in expected
        ], table
    types = uploads.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'typed'::regclass "
        "AND attnum > 1"
    )
    assert dict(types) == {name: each.type for name, each in zip(names, CELLS, strict=True)}


def plain_text(cell: Cell, row: int) -> str | None:
    """JSON as it stands in the file: only jsonb spells it anew."""
    value = cell.element.values[row]
    return value.decode() if cell.type == "jsonb" and value is not None else cell.texts[row]


REFUSED = {
    "geometry": Element("v", "BYTE_ARRAY", [b"", b"", None], logical=("GEOMETRY", ())),
    "geography": Element("v", "BYTE_ARRAY", [b"", b"", None], logical=("GEOGRAPHY", ())),
}


@pytest.mark.parametrize("named", REFUSED)
def test_an_annotation_without_a_counterpart_is_refused_before_anything_is_written(
    uploads: Uploads, named: str
) -> None:
    path = write_parquet(uploads.folder / "a.parquet", [IDS, REFUSED[named]])
    for options in ({"preserve_types": True}, {}):
        result = uploads.load_one(path, headers=headers_of("id v"), **options)
        assert result.status is FileStatus.FAILED
        assert f"v: extension type {named} has no counterpart in PostgreSQL; have it written as text" in result.notes
        assert uploads.rows() == []
        uploads.execute("DROP TABLE t")
    uploads.execute("CREATE TABLE t (id integer PRIMARY KEY, v bytea)")
    assert uploads.load_one(path, headers=headers_of("id v")).status is FileStatus.SUCCESS


@pytest.mark.parametrize(
    ("element", "said"),
    [
        (
            Element("v", "INT64", [5_000, 5, None], logical=("TIMESTAMP", (False, "NANOS"))),
            "expected whole microseconds, the finest that PostgreSQL stores",
        ),
        (Element("v", "INT64", [5_000, 5, None], logical=("TIME", (True, "NANOS"))), "expected whole microseconds"),
        (Element("v", "INT96", [bytes(12), struct.pack("<qi", 1, 2_440_588), None]), "expected whole microseconds"),
        (Element("v", "BYTE_ARRAY", [b"", b"\xff", None], converted="ENUM"), "expected a text in UTF-8"),
        (
            Element("v", "FIXED_LEN_BYTE_ARRAY", [bytes(12), b"\xff" * 12, None], length=12, converted="INTERVAL"),
            "expected an interval that PostgreSQL holds",
        ),
    ],
    ids=["timestamp", "time", "INT96", "ENUM", "INTERVAL"],
)
def test_what_a_type_cannot_hold_is_named_with_its_row(uploads: Uploads, element: Element, said: str) -> None:
    path = write_parquet(uploads.folder / "a.parquet", [IDS, element])
    result = uploads.load_one(path, headers=headers_of("id v"), preserve_types=True)
    assert result.status is FileStatus.FAILED
    assert said in result.notes
    assert "row 2, column v" in result.notes
    assert uploads.rows() == []


def in_lists(elements: pa.Array) -> pa.Array:
    """[[first, second], [], NULL], also of extension types, which pyarrow makes no lists of."""
    return pa.ListArray.from_arrays(pa.array([0, 2, 2, 2], pa.int32()), elements, mask=pa.array([False, False, True]))


def bool8(values: list[int | None]) -> pa.Array:
    return pa.ExtensionArray.from_storage(pa.bool8(), pa.array(values, pa.int8()))


NANOSECONDS = pa.array([1_709_208_000_123_456_000, None], pa.timestamp("ns"))
PAIR = pa.struct([("a", pa.int64()), ("b", pa.list_(pa.struct([("x", pa.date32())])))])

NESTED: list[tuple[str, pa.Array, Texts]] = [
    ("jsonb", in_lists(pa.array([1, None], pa.uint64())), ["[1, null]", "[]", None]),
    ("jsonb", pa.array([[1, None], [], None], pa.large_list(pa.int8())), ["[1, null]", "[]", None]),
    ("jsonb", pa.array([[1, None], [], None], pa.list_view(pa.int8())), ["[1, null]", "[]", None]),
    ("jsonb", pa.array([[1, None], [], None], pa.large_list_view(pa.int8())), ["[1, null]", "[]", None]),
    ("jsonb", pa.array([[1, 2], None, [None, 3]], pa.list_(pa.int8(), 2)), ["[1, 2]", None, "[null, 3]"]),
    ("jsonb", pa.array([[[1], None], [[]], None], pa.list_(pa.list_(pa.int8()))), ["[[1], null]", "[[]]", None]),
    ("jsonb", in_lists(pa.array([UUID, None], pa.uuid())), [f'["{uuid.UUID(bytes=UUID)}", null]', "[]", None]),
    ("jsonb", in_lists(pa.array(['{"a": 1.0}', None], pa.json_())), ['[{"a": 1.0}, null]', "[]", None]),
    ("jsonb", in_lists(bool8([1, None])), ["[true, null]", "[]", None]),
    ("jsonb", in_lists(pa.array(["a", None]).dictionary_encode()), ['["a", null]', "[]", None]),
    ("jsonb", in_lists(pa.nulls(2)), ["[null, null]", "[]", None]),
    ("jsonb", in_lists(NANOSECONDS), ['["2024-02-29 12:00:00.123456", null]', "[]", None]),
    ("jsonb", in_lists(pa.array([Decimal("1.50"), None], pa.decimal256(60, 2))), ["[1.50, null]", "[]", None]),
    ("jsonb", in_lists(pa.array([0.1, float("nan")])), ['[0.1, "NaN"]', "[]", None]),
    ("jsonb", in_lists(pa.array([0.5, None], pa.float16())), ["[0.5, null]", "[]", None]),
    ("jsonb", in_lists(pa.array([b"\xff", None])), ['["\\\\xff", null]', "[]", None]),
    ("jsonb", in_lists(pa.array([90_061_000_000, None], pa.duration("us"))), ['["25:01:01", null]', "[]", None]),
    ("jsonb", pa.array([{"a": 1, "b": [{"x": date.min}]}, {}, None], PAIR),
     ['{"a": 1, "b": [{"x": "0001-01-01"}]}', '{"a": null, "b": null}', None]),
    ("jsonb", pa.array([[("k", 1), ("", None)], [], None], pa.map_(pa.string(), pa.int8())),
     ['{"": null, "k": 1}', "{}", None]),
    ("jsonb", pa.array([[(1, ["a"])], [], None], pa.map_(pa.int8(), pa.list_(pa.string()))),
     ['{"1": ["a"]}', "{}", None]),
    ("jsonb", pa.array([[(date.min, None)], [], None], pa.map_(pa.date32(), pa.null())),
     ['{"0001-01-01": null}', "{}", None]),
    ("text", pa.array(["a", "", None]).dictionary_encode(), ["a", "", None]),
    ("bytea", pa.array([b"a", b"", None]).dictionary_encode(), ["\\x61", "\\x", None]),
    ("text", pa.array(["a", "longer than twelve", None], pa.string_view()), ["a", "longer than twelve", None]),
    ("bytea", pa.array([b"a", b"longer than twelve", None], pa.binary_view()),
     ["\\x61", "\\x" + b"longer than twelve".hex(), None]),
    ("boolean", bool8([1, 0, None]), ["true", "false", None]),
    ("numeric(9,2)", pa.array([Decimal("-0.50"), Decimal(1), None], pa.decimal32(9, 2)), ["-0.50", "1.00", None]),
    ("numeric(18,0)", pa.array([Decimal(10**17), Decimal(0), None], pa.decimal64(18, 0)), [str(10**17), "0", None]),
    ("interval", pa.array([1, -90_061, None], pa.duration("s")), ["00:00:01", "-25:01:01", None]),
    ("interval", pa.array([1_000, -1_000, None], pa.duration("ns")), ["00:00:00.000001", "-00:00:00.000001", None]),
    ("timestamp with time zone", pa.array([0, 1, None], pa.timestamp("s", "+05:30")),
     ["1970-01-01 00:00:00+00", "1970-01-01 00:00:01+00", None]),
    ("date", pa.array([0, 86_400_000, None], pa.date64()), ["1970-01-01", "1970-01-02", None]),
    ("integer[]", in_lists(pa.array([1, None], pa.int64())), ["{1,NULL}", "{}", None]),
    ("real[]", pa.array([[0.1, 2], None, [None, 3]], pa.list_(pa.float64(), 2)), ["{0.1,2}", None, "{NULL,3}"]),
    ("text[]", in_lists(pa.array(['"q"', "b,c\\"])), ['{"\\"q\\"","b,c\\\\"}', "{}", None]),
    ("integer[]", pa.array([[[1, 2], [3, None]], [], None], pa.list_(pa.list_(pa.int32()))),
     ["{{1,2},{3,NULL}}", "{}", None]),
    ("uuid[]", in_lists(pa.array([UUID, None], pa.uuid())), [f"{{{uuid.UUID(bytes=UUID)},NULL}}", "{}", None]),
    ("jsonb[]", in_lists(pa.array([{"a": 1, "b": None}, None], PAIR)),
     ['{"{\\"a\\": 1, \\"b\\": null}",NULL}', "{}", None]),
    ("bytea[]", in_lists(pa.array([b"\xff", None])), ['{"\\\\xff",NULL}', "{}", None]),
    ("timestamp(3) without time zone[]", in_lists(NANOSECONDS), ['{"2024-02-29 12:00:00.123",NULL}', "{}", None]),
    ("numeric(5,1)[]", in_lists(pa.array([Decimal("1.25"), None])), ["{1.3,NULL}", "{}", None]),
]  # fmt: skip


@pytest.mark.parametrize("copy_path", CopyPath)
def test_what_arrow_nests_or_encodes_becomes_json_or_arrays(uploads: Uploads, copy_path: CopyPath) -> None:
    names = [f"c{place}" for place in range(len(NESTED))]
    arrays = {name: array for name, (_, array, _) in zip(names, NESTED, strict=True)}
    path = uploads.folder / "nested.parquet"
    pq.write_table(pa.table({"id": pa.array([0, 1, 2], pa.int32()), **arrays}), path)
    columns = ", ".join(f"{name} {type_name}" for name, (type_name, _, _) in zip(names, NESTED, strict=True))
    uploads.execute(f"CREATE TABLE t (id integer PRIMARY KEY, {columns})")
    headers = tuple(map(Header, ("id", *names)))
    for fate in ("inserted", "unchanged"):
        result = uploads.load_one(path, headers=headers, copy_path=copy_path)
        assert (result.notes, told(result.counts)) == ("", {"read": 3, fate: 3})
    stored = uploads.rows(columns="id, " + ", ".join(f"{name}::text" for name in names))
    expected = [(row, *(texts[row] for _, _, texts in NESTED)) for row in range(3)]
    assert [dict(zip(names, row[1:], strict=True)) for row in stored] == [
        dict(zip(names, row[1:], strict=True)) for row in expected
    ]


@pytest.mark.parametrize("digits", [456_000, 456_789], ids=["whole", "beyond"])
def test_times_of_the_old_kind_lose_no_digit_in_lists_either(uploads: Uploads, digits: int) -> None:
    times = pa.array([1_709_208_000_123_000_000 + digits, None], pa.timestamp("ns"))
    path = uploads.folder / "a.parquet"
    pairs = pa.StructArray.from_arrays([in_lists(times)], ["at"])
    table = pa.table({"id": pa.array([0, 1, 2], pa.int32()), "v": pairs})
    pq.write_table(table, path, use_deprecated_int96_timestamps=True)
    result = uploads.load_one(path, headers=headers_of("id v"), preserve_types=True)
    if digits % 1_000:
        assert "whole microseconds" in result.notes
        assert "rows 1 to 3, column v, found 2024-02-29 12:00:00.123456789" in result.notes
        assert uploads.rows() == []
    else:
        assert uploads.rows(columns="id, v::text")[0] == (0, '{"at": ["2024-02-29 12:00:00.123456", null]}')


def test_a_list_of_numbers_goes_into_a_vector(uploads: Uploads, stack: RunningStack) -> None:
    credentials = Stack(Layout(stack.data_dir), say=print).credentials()
    assert credentials is not None
    password = SecretStr(credentials.postgresql_admin)
    administrator = uploads.settings.model_copy(update={"user": "postgres", "password": password})
    ask(administrator, "CREATE EXTENSION vector SCHEMA public")
    uploads.execute("CREATE TABLE t (id integer PRIMARY KEY, v vector(2), h halfvec(2))")
    path = uploads.folder / "vectors.parquet"
    lists = pa.array([[0.1, 2], None, [1, 3]], pa.list_(pa.float32(), 2))
    pq.write_table(pa.table({"id": pa.array([0, 1, 2], pa.int32()), "v": lists, "h": lists}), path)
    for fate in ("inserted", "unchanged"):
        result = uploads.load_one(path, headers=headers_of("id v h"), preserve_types=True)
        assert (result.notes, told(result.counts)) == ("", {"read": 3, fate: 3})
    assert uploads.rows(columns="id, v::text") == [(0, "[0.1,2]"), (1, None), (2, "[1,3]")]


@pytest.mark.parametrize(
    ("array", "target", "said"),
    [
        (pa.array([[[1]], [[1], None], None]), "integer[]", "lists in a list that hold something"),
        (pa.array([[[1]], [[], []], None]), "integer[]", "lists in a list that hold something"),
        (pa.array([[[1]], [[1], [2, 3]], None]), "integer[]", "malformed array literal"),
        (in_lists(pa.array([0, 1_711_852_200_000_000], pa.timestamp("us"))), "timestamptz[]", "that Europe/Vienna has"),
        (pa.array([[("a", 1)], [("a", 1), ("a", 2)], None], pa.map_(pa.string(), pa.int8())), "jsonb", "keys differ"),
        (in_lists(pa.array([1, 2**40])), "smallint[]", "out of range for type smallint"),
    ],
    ids=["NULL in a list", "empty in a list", "ragged", "skipped hour", "map", "range"],
)
def test_a_nested_value_that_its_column_cannot_hold_is_named_with_its_row(
    uploads: Uploads, array: pa.Array, target: str, said: str
) -> None:
    uploads.execute(f"CREATE TABLE t (id integer PRIMARY KEY, v {target})")
    path = uploads.folder / "a.parquet"
    pq.write_table(pa.table({"id": pa.array([0, 1, 2], pa.int32()), "v": array}), path)
    result = uploads.load_one(path, headers=headers_of("id v"), timezone="Europe/Vienna")
    assert result.status is FileStatus.FAILED
    assert said in result.notes
    assert "column v" in result.notes
    assert uploads.rows() == []
