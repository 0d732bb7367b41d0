"""A value is carried exactly, rounded as declared, or refused; it is never changed unseen."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from etl.postgresql_types import format_type
from etl.transform.casting import cast_to, has_failed
from etl.transform.draft import column_of
from tests.unit.transform.conftest import MakeFrame

REFUSED = object()


@pytest.mark.parametrize(
    ("given", "type_", "expected"),
    [
        ("42", "int", 42),
        (" 42 ", "int", 42),
        ("517.0", "int", 517),
        ("1.5", "int", REFUSED),
        ("1e3", "int", REFUSED),
        ("2147483648", "int", REFUSED),
        ("9007199254740993.0", "bigint", 9007199254740993),
        ("", "int", REFUSED),
        ("1.005", "numeric(10,2)", Decimal("1.01")),
        ("-1.005", "numeric(10,2)", Decimal("-1.01")),
        ("123", "numeric(4,2)", REFUSED),
        ("1e2", "numeric(10,2)", Decimal("100.00")),
        ("0.1", "double precision", 0.1),
        ("0.1234567890123456789012345678901234567890", "numeric", "0.1234567890123456789012345678901234567890"),
        (" +001.50 ", "numeric", "1.50"),
        ("-.5", "numeric", "-0.5"),
        ("5.", "numeric", "5"),
        ("-0.00", "numeric", "0.00"),
        ("1.5e3", "numeric", "1500"),
        ("-1.50e1", "numeric", "-15.0"),
        ("12e-5", "numeric", "0.00012"),
        ("1e9999", "numeric", REFUSED),
        ("NaN", "numeric", "NaN"),
        ("-Infinity", "numeric", "-Infinity"),
        ("1.2.3", "numeric", REFUSED),
        (".", "numeric", REFUSED),
        (1e10, "numeric", "10000000000"),
        (Decimal("1.50"), "numeric", "1.50"),
        ("1.5", "numeric(50,3)", "1.500"),
        ("1.0005", "numeric(50,3)", REFUSED),
        ("1.0000", "numeric(50,3)", "1.000"),
        ("NaN", "numeric(50,3)", REFUSED),
        ('["1.50", null]', "numeric[]", ["1.50", None]),
        ("yes", "boolean", True),
        ("perhaps", "boolean", REFUSED),
        ("2026-02-28", "date", dt.date(2026, 2, 28)),
        ("2026-02-30", "date", REFUSED),
        ("2026", "date", REFUSED),
        ("2026-02-28 10:00", "date", REFUSED),
        ("2026-02-28T10:00:00+02:00", "timestamptz", dt.datetime(2026, 2, 28, 8)),
        ("2026-02-28 10:00:00.123456", "timestamp", dt.datetime(2026, 2, 28, 10, 0, 0, 123456)),
        ("2026-02-28 10:00:00.1235", "timestamp(3)", dt.datetime(2026, 2, 28, 10, 0, 0, 124000)),
        ("1969-12-31 23:59:59.5", "timestamptz(0)", dt.datetime(1969, 12, 31, 23, 59, 59)),
        ("12:30", "timestamptz", REFUSED),
        ("abc", "varchar(3)", "abc"),
        ("abcd", "varchar(3)", REFUSED),
        ("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("A0EEBC99", "uuid", REFUSED),
        ('{"b": 1, "a": [1]}', "jsonb", '{"b": 1, "a": [1]}'),
        ("null", "jsonb", "null"),
        ("{'a': 1}", "jsonb", REFUSED),
        ("2001:db8::1", "inet", "2001:db8::1"),
        ("not.an.address", "inet", REFUSED),
        (r"\x00ff", "bytea", bytearray(b"\x00\xff")),
        (r"\x0", "bytea", REFUSED),
        ('["1", null, "3"]', "int[]", [1, None, 3]),
        ("[1, 2]", "int[]", [1, 2]),
        ('["a"]', "int[]", REFUSED),
        ("[1,", "int[]", REFUSED),
        (None, "int", None),
        (1.0, "int", 1),
        (1.5, "int", REFUSED),
        (float("nan"), "int", REFUSED),
        (1700000000, "timestamptz", REFUSED),
        (dt.datetime(2026, 1, 1), "date", dt.date(2026, 1, 1)),
        (dt.datetime(2026, 1, 1, 1), "date", REFUSED),
        (Decimal("1.25"), "numeric(4,1)", Decimal("1.3")),
        ([1, 2], "text[]", ["1", "2"]),
    ],
)
def test_cast(frame: MakeFrame, given: Any, type_: str, expected: Any) -> None:
    schema = {str: "string", int: "int", float: "double", Decimal: "decimal(10,2)", list: "array<int>"}
    df = frame(f"v {schema.get(type(given), 'timestamp' if given is not None else 'string')}", (given,))
    value = column_of("v")
    after = cast_to(value, df.schema["v"].dataType, format_type(type_))
    (row,) = df.select(after.alias("after"), has_failed(value, after).alias("failed")).collect()
    assert (row["after"], row["failed"]) == ((None, True) if expected is REFUSED else (expected, False))
