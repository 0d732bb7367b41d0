"""Values of every type that a fresh PostgreSQL has, and how a cell of one compares between stores."""

from __future__ import annotations

import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

WITHOUT_INPUT = frozenset(
    {
        *("pg_node_tree", "pg_ndistinct", "pg_dependencies", "pg_mcv_list", "gtsvector"),
        *("pg_brin_bloom_summary", "pg_brin_minmax_multi_summary"),
    }
)
"""The server writes these itself and reads none: a column of them holds NULL."""

WITHOUT_ARRAY = WITHOUT_INPUT - {"gtsvector"}

SAMPLES: dict[str, tuple[str, ...]] = {
    "bool": ("true", "false"),
    "bytea": (r"\x00ff5c27", r"\x"),
    "char": ("a", "z"),
    "name": ("a name", 'q"uo,te'),
    "int8": ("-9223372036854775808", "9223372036854775807"),
    "int2": ("-32768", "32767"),
    "int4": ("-2147483648", "2147483647"),
    "int2vector": ("1 -2 3", ""),
    "oidvector": ("1 2", ""),
    "text": ("", ' b\t"\\N\n,{}😀', "NULL"),
    "oid": ("0", "4294967295"),
    "tid": ("(1,2)", "(4294967295,65535)"),
    "xid": ("7", "4294967295"),
    "cid": ("7", "0"),
    "xid8": ("18446744073709551615", "1"),
    "json": ('{"a": 1.10, "a" : [null]}', "null", '"x"'),
    "jsonb": ('{"z": 1.0, "n": 12345678901234567890.123456789}', "null", '"x"', "5", "[]"),
    "xml": (),  # the embedded server was built without libxml
    "point": ("(0.1,-0)", "(1e+300,NaN)"),
    "lseg": ("[(0,0),(1,2)]", "[(0,0),(0,0)]"),
    "path": ("((0,0),(1,1))", "[(0,0),(1,1),(2,0)]"),
    "box": ("(2,2),(0,0)", "(1,4),(0,0)"),
    "polygon": ("((0,0),(1,1),(2,0))", "((0,0))"),
    "line": ("{1,2,3}", "{0,-1,0.5}"),
    "circle": ("<(1,2),3>", "<(0,0),0>"),
    "float4": ("1.1", "-0", "NaN", "-Infinity", "1e-45", "3.4028235e+38"),
    "float8": ("0.1", "-0", "NaN", "Infinity", "5e-324", "2.53", "-1.7976931348623157e+308"),
    "money": ("-92233720368547758.08", "0.01"),
    "macaddr": ("08:00:2b:01:02:03", "00:00:00:00:00:00"),
    "macaddr8": ("08:00:2b:01:02:03:04:05", "00:00:00:00:00:00:00:00"),
    "inet": ("10.0.0.1/8", "2001:db8::1"),
    "cidr": ("10.0.0.0/8", "2001:db8::/32"),
    "bpchar": ("ab", ""),
    "varchar": ("äöü", ""),
    "date": ("1900-01-01", "2299-12-31", "1970-01-01"),
    "time": ("24:00:00", "00:00:00.000001"),
    "timestamp": ("1900-01-01 00:00:00.000001", "2299-12-31 23:59:59.999999"),
    "timestamptz": ("1900-01-01 00:00:00.000001+00", "2024-02-29 23:59:59.5+00"),
    "interval": ("1 mon", "30 days", "-1 years -2 mons +3 days -04:05:06.000007", "178000000 years"),
    "timetz": ("12:00:00+02:30", "24:00:00-15:59"),
    "bit": ("1", "0"),
    "varbit": ("101", ""),
    "numeric": ("0.1234567890123456789012345", "1.50", "-123456789012345678901234567890", "1e-19", "NaN", "Infinity"),
    "refcursor": ("c1", "<unnamed portal 1>"),
    "uuid": ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    "pg_lsn": ("16/B374D848", "0/0"),
    "tsvector": ("'a':1A 'b c':2,3", ""),
    "tsquery": ("'a' & !'b c':*", "'x' <2> 'y'"),
    "jsonpath": ('$."a"[*]?(@ > 1)', "$"),
    "txid_snapshot": ("10:20:10,14", "1:1:"),
    "pg_snapshot": ("10:20:10,14", "1:1:"),
    "regproc": ("now", "pg_catalog.int4in"),
    "regprocedure": ("now()", "abs(integer)"),
    "regoper": ("||/", "|/"),
    "regoperator": ("+(integer,integer)", "!~~*(text,text)"),
    "regclass": ("pg_class", "pg_type"),
    "regcollation": ('"C"', '"POSIX"'),
    "regtype": ("integer", "timestamp with time zone"),
    "regrole": ("pg_monitor", "pg_read_all_data"),
    "regnamespace": ("pg_catalog", "information_schema"),
    "regconfig": ("simple", "english"),
    "regdictionary": ("simple", "english_stem"),
    "aclitem": ("=r/pg_monitor", "pg_monitor=arwdDxt/pg_monitor"),
    "int4range": ("[1,6)", "empty", "(,)"),
    "int8range": ("[1,9223372036854775807)", "empty"),
    "numrange": ("[0.1234567890123456789012345,1.50]", "(,NaN]"),
    "tsrange": ('["1900-01-01 00:00:00","2024-01-01 00:00:00.000001")', "empty"),
    "tstzrange": ('["1900-01-01 00:00:00+00",)', "empty"),
    "daterange": ("[1900-01-01,2024-02-29)", "(,)"),
    "int4multirange": ("{[1,3),[5,7)}", "{}"),
    "int8multirange": ("{[1,3),[5,7)}", "{}"),
    "nummultirange": ("{[0.10,0.20)}", "{}"),
    "tsmultirange": ('{["1900-01-01 00:00:00","2024-01-01 00:00:00.000001")}', "{}"),
    "tstzmultirange": ('{["1900-01-01 00:00:00+00",)}', "{}"),
    "datemultirange": ("{[1900-01-01,2024-02-29)}", "{}"),
}

MODIFIED: dict[str, tuple[str, ...]] = {
    "numeric(12,2)": ("-9999999999.99", "0.10"),
    "numeric(38,18)": ("12345678901234567890.123456789012345678", "-0.000000000000000001"),
    "numeric(50,10)": ("1234567890123456789012345678901234567890.0123456789", "-0.0000000001"),
    "numeric(3,-2)": ("12300", "0"),
    "numeric(2,4)": ("0.0012", "-0.0099"),
    "timestamp(3)": ("1900-01-01 00:00:00.001", "2024-02-29 23:59:59.999"),
    "timestamptz(0)": ("1900-01-01 00:00:00+00", "2024-02-29 23:59:59+00"),
    "time(2)": ("12:30:00.12", "24:00:00"),
    "interval(0)": ("00:00:01", "1 mon"),
    "interval day to second(3)": ("1 day 00:00:01.123", "-00:00:00.001"),
    "char(5)": ("ab", "abcde"),
    "varchar(9)": ("äöü", ""),
    "bit(5)": ("10101", "00000"),
    "varbit(7)": ("101", ""),
}
"""Types whose modifier says something."""

_TIME_ZEROS = str.maketrans({"T": " "})


def _instant(text: str) -> str:
    whole, _, fraction = text.translate(_TIME_ZEROS).removesuffix("Z").removesuffix("+00").partition(".")
    return f"{whole}.{fraction.ljust(6, '0')}"


_READERS: dict[str, Callable[[str], Any]] = {
    "bool": lambda text: text in ("t", "true", "1"),
    "bytea": lambda text: text.removeprefix("\\x").lower(),
    "float4": lambda text: struct.pack("<f", float(text)),
    "float8": lambda text: struct.pack("<d", float(text)),
    "timestamp": _instant,
    "timestamptz": _instant,
    "money": Decimal,
    **dict.fromkeys(("int2", "int4", "int8", "oid"), int),
}
"""By the type of the source; every bit counts."""


def comparable(base: str, text: str | None) -> Any:
    """The value that a store's text means, in a form in which only what is the same is equal."""
    if text is None:
        return None
    if base.startswith("numeric(") and base != "numeric(50,10)":
        return Decimal(text)
    return _READERS.get(base.partition("(")[0], str)(text)
