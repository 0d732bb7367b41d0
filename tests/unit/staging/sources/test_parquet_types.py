"""Every physical type of Parquet with every annotation, and nested ones: one form of JSON each, or refused by name."""

from __future__ import annotations

import base64
import struct
import uuid
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.config.staging.models import JsonFiles, StagingJob
from etl.errors import SourceError
from etl.staging.batch.preparation import prepare
from etl.staging.batch.records import RawBatch, Reject, RejectReason
from etl.staging.batch.rules import rules_of
from etl.staging.sources.parquet import ParquetFormat, refuse_types
from tests import parquet_annotations as annotated
from tests.parquet_annotations import MICROS, UUID, times
from tests.parquet_files import Element, write_parquet
from tests.unit.staging.sources.support import check_batches, records_of, source_of

JOB = StagingJob(
    id="j", target_table="stg_j", source=JsonFiles(type="parquet", path=("*.parquet",)), source_id="id", required=()
)


@dataclass(frozen=True)
class Cell:
    """A column, and its values as they stand in the JSON."""

    json: list[str]
    element: Element


def cell(json: list[str], physical: str, values: list[Any], **annotation: Any) -> Cell:
    return Cell([*json, *(["null"] * (3 - len(json)))], Element("", physical, values, **annotation))


CELLS: list[Cell] = [
    cell(["true", "false"], "BOOLEAN", [True, False, None]),
    cell(["-2147483648", "5"], "INT32", [-(2**31), 5, None]),
    cell(["-9223372036854775808", "5"], "INT64", [-(2**63), 5, None]),
    cell(["0.5", "-0.0"], "FLOAT", [0.5, -0.0, None]),
    cell(["0.1", "null", "5e-324"], "DOUBLE", [0.1, float("nan"), 5e-324]),
    cell(['"AP8="', '""'], "BYTE_ARRAY", [b"\0\xff", b"", None]),
    cell(['"AP8="', '"YWI="'], "FIXED_LEN_BYTE_ARRAY", [b"\0\xff", b"ab", None], length=2),
    cell(['"1970-01-02T00:00:00.000000005"', '"9999-12-31T00:00:00"', '"1969-12-31T00:00:00"'], "INT96",
         [struct.pack("<qi", 5, 2_440_589), struct.pack("<qi", 0, 5_373_484), struct.pack("<qi", 0, 2_440_587)]),
    *(
        cell(["-5", "5"], "INT32", [-5, 5, None], **each)
        for bits in (8, 16, 32)
        for each in annotated.integers(bits, True)
    ),
    *(
        cell([str(2**bits - 1), "5"], "INT32", [2**bits - 1 if bits < 32 else -1, 5, None], **each)
        for bits in (8, 16, 32)
        for each in annotated.integers(bits, False)
    ),
    cell(["-5", "5"], "INT64", [-5, 5, None], converted="INT_64"),
    cell([str(2**64 - 1), "5"], "INT64", [-1, 5, None], converted="UINT_64"),
    cell([str(2**64 - 1), "5"], "INT64", [-1, 5, None], logical=("INTEGER", (64, False))),
    *(
        cell(["-0.50", "1234567.89"], physical, values, **each)
        for physical, values, each in annotated.DECIMALS
    ),
    *(
        cell(['"1969-12-31"', '"20024-01-01"', '"0044-03-15 BC"'], "INT32", [-1, 6_594_088, -735_160], **each)
        for each in annotated.DATES
    ),
    *(
        cell(['"00:00:00"', '"23:59:59.999000"'], "INT32", times(1_000), **each)
        for each in annotated.TIMES_MILLIS
    ),
    *(
        cell(['"00:00:00"', '"23:59:59.999999"'], "INT64", times(1_000_000), **each)
        for each in annotated.TIMES_MICROS
    ),
    *(
        cell(['"23:59:59.999999999"', '"24:00:00"'], "INT64", [86_399_999_999_999, 86_400_000_000_000, None],
             logical=("TIME", (is_utc, "NANOS")))
        for is_utc in (True, False)
    ),
    *(
        cell([f'"0001-01-01T00:00:00{zone}"', f'"2024-02-29T12:00:00.123456{zone}"'], "INT64", MICROS, **each)
        for zone, kinds in (("+00:00", annotated.INSTANTS_MICROS), ("", annotated.CLOCKS_MICROS))
        for each in kinds
    ),
    *(
        cell([f'"20024-01-01T00:00:00.001000{zone}"', f'"0044-03-15T00:00:00{zone} BC"'], "INT64",
             [569_729_203_200_001, -63_517_824_000_000, None], **each)
        for zone, kinds in (("+00:00", annotated.INSTANTS_MILLIS), ("", annotated.CLOCKS_MILLIS))
        for each in kinds
    ),
    *(
        cell([f'"2024-02-29T12:00:00.123456789{zone}"', f'"1970-01-01T00:00:00.000001{zone}"'], "INT64",
             [1_709_208_000_123_456_789, 1_000, None], logical=("TIMESTAMP", (bool(zone), "NANOS")))
        for zone in ("", "+00:00")
    ),
    *(
        cell(['"é"', '""'], "BYTE_ARRAY", ["é".encode(), b"", None], **each)
        for each in annotated.TEXTS
    ),
    *(
        cell(['{"a":  1.00}', "null"], "BYTE_ARRAY", [b'{"a":  1.00}', b"null", None], **each)
        for each in annotated.JSONS
    ),
    *(
        cell(['"AA=="', '""'], "BYTE_ARRAY", [b"\0", b"", None], **each)
        for each in annotated.BSONS
    ),
    cell([f'"{uuid.UUID(bytes=UUID)}"'], "FIXED_LEN_BYTE_ARRAY", [UUID, None, None], length=16, logical=("UUID", ())),
    cell(["0.5", "null"], "FIXED_LEN_BYTE_ARRAY", [b"\0\x38", b"\0\xfc", None], length=2, logical=("FLOAT16", ())),
    cell(['"P14M3DT4.005S"', '"P4294967295M0DT0S"'], "FIXED_LEN_BYTE_ARRAY",
         [struct.pack("<III", 14, 3, 4_005), b"\xff" * 4 + bytes(8), None], length=12, converted="INTERVAL"),
    cell(["null"], "INT32", [None, None, None], logical=("UNKNOWN", ())),
]  # fmt: skip


def rows_of(path: Path) -> list[dict[str, str]]:
    """The JSON of each value, column by column."""
    return [_values(record.decode()) for record in records_of(check_batches(source_of(ParquetFormat(), path), 2))]


def _values(record: str) -> dict[str, str]:
    """By the keys that the tests give, which stand nowhere else."""
    found, text = {}, record[1:-1]
    for place in reversed(range(text.count('"c'))):
        text, value = text.rsplit(f'"c{place}":', 1)
        found[f"c{place}"] = value.removesuffix(",")
    return found


def test_every_annotation_has_one_form_of_json(tmp_path: Path) -> None:
    names = [f"c{place}" for place in range(len(CELLS))]
    elements = [replace(each.element, name=name) for each, name in zip(CELLS, names, strict=True)]
    rows = rows_of(write_parquet(tmp_path / "a.parquet", elements))
    for number, row in enumerate(rows):
        assert row == {name: each.json[number] for name, each in zip(names, CELLS, strict=True)}
        assert orjson.loads(orjson.dumps(row))


def in_lists(elements: pa.Array) -> pa.Array:
    """[[first, second], [], NULL], also of extension types, which pyarrow makes no lists of."""
    return pa.ListArray.from_arrays(pa.array([0, 2, 2, 2], pa.int32()), elements, mask=pa.array([False, False, True]))


def bool8(values: list[int | None]) -> pa.Array:
    return pa.ExtensionArray.from_storage(pa.bool8(), pa.array(values, pa.int8()))


PAIR = pa.struct([("a", pa.int64()), ("b", pa.list_(pa.struct([("x", pa.date32())])))])
FAR = 569_729_203_200_000_000

NESTED: list[tuple[pa.Array, list[str]]] = [
    (in_lists(pa.array([2**64 - 1, None], pa.uint64())), [f"[{2**64 - 1},null]", "[]", "null"]),
    (pa.array([[1, None], [], None], pa.large_list(pa.int8())), ["[1,null]", "[]", "null"]),
    (pa.array([[1, None], [], None], pa.list_view(pa.int8())), ["[1,null]", "[]", "null"]),
    (pa.array([[1, None], [], None], pa.large_list_view(pa.int8())), ["[1,null]", "[]", "null"]),
    (pa.array([[1, 2], None, [None, 3]], pa.list_(pa.int8(), 2)), ["[1,2]", "null", "[null,3]"]),
    (pa.array([[[1], None], [[]], None], pa.list_(pa.list_(pa.int8()))), ["[[1],null]", "[[]]", "null"]),
    (in_lists(pa.array([UUID, None], pa.uuid())), [f'["{uuid.UUID(bytes=UUID)}",null]', "[]", "null"]),
    (in_lists(pa.array(['{"a": 1.0}', None], pa.json_())), ['[{"a": 1.0},null]', "[]", "null"]),
    (in_lists(bool8([1, None])), ["[true,null]", "[]", "null"]),
    (in_lists(pa.array(["a", None]).dictionary_encode()), ['["a",null]', "[]", "null"]),
    (in_lists(pa.nulls(2)), ["[null,null]", "[]", "null"]),
    (in_lists(pa.array([1, None], pa.timestamp("ns"))), ['["1970-01-01T00:00:00.000000001",null]', "[]", "null"]),
    (in_lists(pa.array([FAR, None], pa.timestamp("us"))), ['["20024-01-01T00:00:00",null]', "[]", "null"]),
    (in_lists(pa.array([Decimal("1.50"), None], pa.decimal256(60, 2))), ["[1.50,null]", "[]", "null"]),
    (in_lists(pa.array([0.1, float("inf")])), ["[0.1,null]", "[]", "null"]),
    (in_lists(pa.array([0.5, None], pa.float16())), ["[0.5,null]", "[]", "null"]),
    (in_lists(pa.array([b"\xff", None])), ['["/w==",null]', "[]", "null"]),
    (in_lists(pa.array([90_061_000_001, None], pa.duration("us"))), ["[90061.000001,null]", "[]", "null"]),
    (pa.array([{"a": 1, "b": [{"x": date.min}]}, {}, None], PAIR),
     ['{"a":1,"b":[{"x":"0001-01-01"}]}', '{"a":null,"b":null}', "null"]),
    (pa.array([[("k", 1), ("", None)], [], None], pa.map_(pa.string(), pa.int8())),
     ['{"k":1,"":null}', "{}", "null"]),
    (pa.array([[(1, ["a"]), (2, None)], [], None], pa.map_(pa.int8(), pa.list_(pa.string()))),
     ['{"1":["a"],"2":null}', "{}", "null"]),
    (pa.array([[(date.min, 1)], [], None], pa.map_(pa.date32(), pa.int8())), ['{"0001-01-01":1}', "{}", "null"]),
    (pa.array([[(True, 1)], [], None], pa.map_(pa.bool_(), pa.int8())), ['{"true":1}', "{}", "null"]),
    (pa.array([[(float("nan"), 1), (1.5, 2)], [], None], pa.map_(pa.float64(), pa.int8())),
     ['{"NaN":1,"1.5":2}', "{}", "null"]),
    (pa.array([[(Decimal("1.50"), 1)], [], None], pa.map_(pa.decimal128(5, 2), pa.int8())),
     ['{"1.50":1}', "{}", "null"]),
    (pa.array(["a", "longer than twelve", None], pa.string_view()), ['"a"', '"longer than twelve"', "null"]),
    (pa.array([b"a", b"longer than twelve", None], pa.binary_view()),
     ['"YQ=="', f'"{base64.b64encode(b"longer than twelve").decode()}"', "null"]),
    (pa.array([Decimal("-0.50"), Decimal(1), None], pa.decimal32(9, 2)), ["-0.50", "1.00", "null"]),
    (pa.array([1, -1_500, None], pa.duration("ms")), ["0.001", "-1.5", "null"]),
    (pa.array([1, -(2**63) + 1, None], pa.duration("ns")), ["0.000000001", "-9223372036.854775807", "null"]),
    (pa.array([0, 2**60, None], pa.duration("us")), ["0.0", "1152921504606.846976", "null"]),
    (pa.array([0, -4_000_000_000, None], pa.timestamp("s", "Europe/Paris")),
     ['"1970-01-01T01:00:00+01:00"', '"1843-03-31T17:02:41+00:09:21"', "null"]),
    (pa.array([0, FAR, None], pa.timestamp("us", "+05:30")),
     ['"1970-01-01T05:30:00+05:30"', '"20024-01-01T00:00:00+00:00"', "null"]),
    (pa.array([0, 1, None], pa.timestamp("us", "Mars/Olympus")),
     ['"1970-01-01T00:00:00+00:00"', '"1970-01-01T00:00:00.000001+00:00"', "null"]),
    (pa.array([0, 86_400_000, None], pa.date64()), ['"1970-01-01"', '"1970-01-02"', "null"]),
]  # fmt: skip


def test_what_arrow_nests_or_encodes_has_one_form_of_json(tmp_path: Path) -> None:
    arrays = {f"c{place}": array for place, (array, _) in enumerate(NESTED)}
    pq.write_table(pa.table(arrays), tmp_path / "a.parquet")
    for number, row in enumerate(rows_of(tmp_path / "a.parquet")):
        assert row == {f"c{place}": json[number] for place, (_, json) in enumerate(NESTED)}


def test_int96_keeps_nanoseconds_where_they_are_known_also_within_lists(tmp_path: Path) -> None:
    values = pa.array([[1, None], [], None], pa.list_(pa.timestamp("ns")))
    table = pa.table({"c0": values, "c1": pa.array([2**62, -(2**62), None], pa.timestamp("ns"))})
    pq.write_table(table, tmp_path / "a.parquet", use_deprecated_int96_timestamps=True, row_group_size=2)
    rows = rows_of(tmp_path / "a.parquet")
    assert [row["c0"] for row in rows] == ['["1970-01-01T00:00:00.000000001",null]', "[]", "null"]
    assert [row["c1"] for row in rows] == [
        '"2116-02-20T23:53:38.427387904"',
        '"1823-11-12T00:06:21.572612096"',
        "null",
    ]


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (Element("v", "BYTE_ARRAY", [b"x", b"\xff", None], converted="UTF8"),
         r"column v: expected a text in UTF-8, found b'\xff'"),
        (Element("v", "BYTE_ARRAY", [b"x", b"\xff", None], converted="ENUM"),
         r"column v: expected a text in UTF-8, found b'\xff'"),
        (Element("v", "INT64", [0, -1, None], logical=("TIME", (True, "NANOS"))),
         "column v: expected a time between 00:00 and 24:00, found -1 ns"),
        (Element("v", "INT32", [0, 86_400_001, None], converted="TIME_MILLIS"),
         "column v: expected a time between 00:00 and 24:00, found 86400001 ms"),
        (pa.array([None, [(2, "y"), (2, "z")], None], pa.map_(pa.int32(), pa.string())),
         "column v: expected a map whose keys differ, found '2' again"),
        (pa.array([None, [{"a": [(1, 1), (1, 2)]}], None],
                  pa.list_(pa.struct([("a", pa.map_(pa.int32(), pa.int8()))]))),
         "column v[].a: expected a map whose keys differ, found '1' again"),
    ],
    ids=["text", "enum", "nanoseconds", "milliseconds", "map", "nested"],
)  # fmt: skip
def test_a_value_without_a_form_makes_its_row_a_reject(tmp_path: Path, array: Element | pa.Array, said: str) -> None:
    path = tmp_path / "a.parquet"
    if isinstance(array, Element):
        write_parquet(path, [Element("id", "INT32", [0, 1, 2]), array])
    else:
        pq.write_table(pa.table({"id": pa.array([0, 1, 2]), "v": array}), path)
    refuse_types(path)
    prepared = prepare(RawBatch(0, {}, range(3), records_of(check_batches(source_of(ParquetFormat(), path), 3))), RULES)
    assert prepared.source_ids == ["0", "2"]
    assert [(each.ordinal, each.reason) for each in prepared.rejects] == [(1, RejectReason.BROKEN_ROW)]
    assert _message(prepared.rejects[0]).startswith(f"{said}: {{'id': '1', 'v': ")


RULES = rules_of(JOB)


def _message(reject: Reject) -> str:
    return reject.message


EXTENDED = pa.schema([pa.field("v", pa.binary(), metadata={"ARROW:extension:name": "company.money"})])


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (Element("v", "BYTE_ARRAY", [b"", None], logical=("GEOMETRY", ())), "found geometry; have it written as text"),
        (Element("v", "BYTE_ARRAY", [b"", None], logical=("GEOGRAPHY", ())), "found geography; have it written as"),
        (pa.Table.from_arrays([pa.array([b""])], schema=EXTENDED), "column v: expected a type that has a form in JSON"),
        (pa.table({"v": pa.array([[({"a": 1}, 1)]], pa.map_(pa.struct([("a", pa.int8())]), pa.int8()))}),
         "column v: expected a map whose keys can be texts, found struct<a: int8>"),
        (pa.table({"v": pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])}),
         "column v: expected each field once, found 'a' again"),
    ],
    ids=["geometry", "geography", "extension", "keys", "fields"],
)  # fmt: skip
def test_a_type_without_a_form_is_refused_by_its_column(tmp_path: Path, file: Element | pa.Table, said: str) -> None:
    path = tmp_path / "a.parquet"
    write_parquet(path, [file]) if isinstance(file, Element) else pq.write_table(file, path)
    for read in (lambda: refuse_types(path), lambda: list(source_of(ParquetFormat(), path).batches(10))):
        with pytest.raises(SourceError) as told:
            read()
        assert said in told.value.message
        assert str(path) in told.value.message


def test_a_packed_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.parquet.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(SourceError, match="expected a Parquet file as it is, found a packed one; unpack it first"):
        list(source_of(ParquetFormat(), tmp_path / "a.parquet.gz").batches(10))
