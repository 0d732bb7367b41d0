"""Every type that a column of a fresh server can have, with literals of it: what the matrix of target types is made of.

`pg_type` itself says which there are, so that a type of a later version is missed by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.integration.ingestion.conftest import Uploads

LITERALS: dict[str, tuple[str, ...]] = {
    "bool": ("true", "f", "on"),
    "date": ("2024-02-29", "0044-03-15 BC", "infinity", "5874897-12-31"),
    "time": ("24:00:00", "10:34:56.123456", "00:00"),
    "timestamp": ("294276-12-31 23:59:59.999999", "4713-11-24 00:00:00 BC", "-infinity", "2024-03-31 02:30:00"),
    "timestamptz": ("2024-02-29 12:00:00.5+05:45", "infinity", "0001-01-01 00:00:00+00 BC"),
    "timetz": ("10:34:56.5+02", "24:00:00-15:59:59", "10:34:56.5+02:30"),
    "box": ("(1,2),(0.5,-0)", "((0,0),(1e300,1))"),
    "circle": ("<(1,2),0.1>", "<(0,0),0>"),
    "line": ("{1,2,3}", "{-1,0,0.1}"),
    "lseg": ("[(1,2),(3,4)]", "[(0,0),(0.1,-0)]"),
    "path": ("((1,2),(3,4))", "[(1,2),(0.1,4)]"),
    "point": ("(1,2)", "(-0,0.1)", "(NaN,Infinity)"),
    "polygon": ("((1,2),(3,4),(5,0.1))", "((0,0))"),
    "cidr": ("10.1.0.0/16", "2001:db8::/32"),
    "inet": ("10.1.2.3/16", "::1", "10.1.2.3"),
    "float4": ("0.1", "-0", "NaN", "1e-45", "3.4028235e+38", "-Infinity"),
    "float8": ("0.1", "-0", "NaN", "5e-324", "1.7976931348623157e+308", "Infinity"),
    "int2": ("-32768", "32767"),
    "int4": ("-2147483648", "2147483647"),
    "int8": ("-9223372036854775808", "9223372036854775807"),
    "money": ("$1,234.56", "-92233720368547758.08", "0.01"),
    "numeric": ("1.50", "1.5", "1e-400", "-0.000", "NaN", "Infinity", "9" * 400),
    "oid": ("0", "4294967295"),
    "regclass": ("pg_class", "0", '"pg_catalog".pg_type'),
    "regcollation": ('"C"',),
    "regconfig": ("english",),
    "regdictionary": ("simple",),
    "regnamespace": ("pg_catalog",),
    "regoper": ("|/", "0"),
    "regoperator": ("+(integer,integer)",),
    "regproc": ("pg_backend_pid", "0"),
    "regprocedure": ("abs(integer)",),
    "regrole": ("pg_monitor",),
    "regtype": ("integer", "character varying[]"),
    "bpchar": ("a  ", "", "ab"),
    "name": ("a name", "", "x" * 63),
    "text": ("", "NULL", "\\N", '{"a",b}', "line\nbreak\ttab\\", "é€😀", "'"),
    "varchar": ("", "a  ", '"quoted"'),
    "interval": ("30 days", "1 mon", "24:00:00", "-1 year 2 days -03:04:05.678901", "178000000 years"),
    "aclitem": ("=r/postgres",),
    "bytea": ("\\x00ff", "\\x", "\\\\abc"),
    "cid": ("4294967295",),
    "json": ('{"b": 1,  "a": 1.0}', "null", '"x"', '{"a":1,"a":2}'),
    "jsonb": ('{"b": 1,  "a": 1.00}', "null", '"\\u00e9"', "1e5"),
    "jsonpath": ("$.a[*] ? (@ > 1)", 'strict $."b"'),
    "macaddr": ("08:00:2b:01:02:03",),
    "macaddr8": ("08:00:2b:01:02:03:04:05",),
    "pg_lsn": ("16/B374D848", "0/0"),
    "pg_snapshot": ("10:20:10,14,15",),
    "refcursor": ("a cursor", ""),
    "tid": ("(4294967295,65535)", "(0,1)"),
    "tsquery": ("'fat' & ('rat':AB | !'cat')", "'a' <2> 'b'"),
    "tsvector": ("'a':1A 'fat':2,4B 'it''s'",),
    "txid_snapshot": ("10:20:10,14,15",),
    "uuid": ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "{A0EEBC999C0B4EF8BB6D6BB9BD380A11}"),
    "xid": ("4294967295",),
    "xid8": ("18446744073709551615",),
    "bit": ("1", "0"),
    "varbit": ("", "10101", "x1F"),
    "char": ("a", ""),
}

WITHOUT_INPUT = frozenset(
    {
        "xml",
        "gtsvector",
        "pg_brin_bloom_summary",
        "pg_brin_minmax_multi_summary",
        "pg_dependencies",
        "pg_mcv_list",
        "pg_ndistinct",
        "pg_node_tree",
    }
)
"""PostgreSQL itself takes no value of these from a client; of xml none that was built without libxml."""

WITH_LENGTH = {
    "varchar(5)": ("abcde", "a    "),
    "char(5)": ("ab", "abcde"),
    "bit(3)": ("101",),
    "bit varying(5)": ("101", ""),
    "numeric(7,2)": ("1.5", "12345.67"),
    "numeric(3,-2)": ("12345",),
    "numeric(2,4)": ("0.0012",),
    "timestamp(3)": ("2024-01-01 00:00:00.1234",),
    "timestamptz(0)": ("2024-01-01 00:00:00.6+00",),
    "time(1)": ("10:00:00.06",),
    "timetz(2)": ("10:00:00.006+01",),
    "interval(2)": ("00:00:00.006",),
    "interval year to month": ("3 years 2 mons",),
    "interval second(1)": ("00:00:01.06",),
}


MAKE_OWN_TYPES = (
    """CREATE TYPE mood AS ENUM ('sad', 'a,b', '"quoted"', 'back\\slash', '')""",
    "CREATE TYPE nested AS (a integer, b text[], c mood)",
)

OWN_TYPES = {
    "mood": ("sad", "a,b", '"quoted"', "back\\slash", ""),
    "nested": ('(1,"{a,""b c""}",sad)', "(,,)", '(2,{},"")'),
}


@dataclass(frozen=True)
class Case:
    """A column: its name, its type as SQL, and values as a client would write them."""

    name: str
    type: str
    literals: tuple[str, ...]


@dataclass(frozen=True)
class Basis:
    """A type that a family of columns is made of; `delimiter` stands between the elements of its arrays."""

    name: str
    type: str
    literals: tuple[str, ...]
    delimiter: str = ","


def every_case(uploads: Uploads) -> list[Case]:
    """Makes the types that a fresh server lacks; refuses to go on where it has one that is not known here."""
    found = dict(
        uploads.execute(
            "SELECT typname, typdelim FROM pg_type WHERE typtype = 'b' AND typcategory <> 'A' "
            "AND typnamespace = 'pg_catalog'::regnamespace ORDER BY typname"
        )
    )
    assert found.keys() == LITERALS.keys() | WITHOUT_INPUT
    bases = [Basis(name, f'"{name}"', LITERALS[name], found[name]) for name in found if name in LITERALS]
    bases += [Basis(f"long{place}", kind, literals) for place, (kind, literals) in enumerate(WITH_LENGTH.items())]
    bases += [Basis(kind, kind, literals) for kind, literals in OWN_TYPES.items()]
    uploads.execute("; ".join([*MAKE_OWN_TYPES, *(_make(basis) for basis in bases)]))
    ranges = {name for (name,) in uploads.execute("SELECT typname FROM pg_type WHERE typname LIKE 'r\\_%'")}
    cases = [
        case for basis in bases for case in (*_family(basis), *(_ranges(basis) if f"r_{basis.name}" in ranges else ()))
    ]
    return cases + list(_built_in_ranges(uploads))


def _make(basis: Basis) -> str:
    """A range over it only where its values can be ordered."""
    bare = basis.type.partition("(")[0]
    make_range = f"CREATE TYPE r_{basis.name} AS RANGE (subtype = {bare}, multirange_type_name = m_{basis.name})"
    return (
        f"CREATE DOMAIN d_{basis.name} AS {basis.type}; CREATE DOMAIN da_{basis.name} AS {basis.type}[]; "
        f"CREATE TYPE p_{basis.name} AS (value {basis.type}, label text); "
        f"DO $$ BEGIN {make_range}; EXCEPTION WHEN undefined_object OR syntax_error THEN NULL; END $$"
    )


def _family(basis: Basis) -> Iterator[Case]:
    """The type, its array, domains over both, composites and arrays of all."""
    name, kind, literals, delimiter = basis.name, basis.type, basis.literals, basis.delimiter
    whole, first = as_array(literals, delimiter), as_array(literals[:1], delimiter)
    arrays = (whole, "{}", "{NULL}", f"[2:2]={first}", "{" + first + "}")
    records = tuple(f"({as_field(literal)},label)" for literal in literals)
    yield Case(f"c_{name}", kind, literals)
    yield Case(f"a_{name}", f"{kind}[]", arrays)
    yield Case(f"d_{name}", f"d_{name}", literals)
    yield Case(f"ad_{name}", f"d_{name}[]", arrays)
    yield Case(f"da_{name}", f"da_{name}", arrays)
    yield Case(f"p_{name}", f"p_{name}", records)
    yield Case(f"ap_{name}", f"p_{name}[]", (as_array(records),))


def _ranges(basis: Basis) -> Iterator[Case]:
    name = basis.name
    ranges = tuple(f"[{as_field(literal)},{as_field(literal)}]" for literal in basis.literals)
    yield Case(f"r_{name}", f"r_{name}", (*ranges, "empty", "(,)"))
    yield Case(f"ar_{name}", f"r_{name}[]", (as_array(ranges),))
    yield Case(f"m_{name}", f"m_{name}", (*(f"{{{each}}}" for each in ranges), "{}"))


def _built_in_ranges(uploads: Uploads) -> Iterator[Case]:
    for name, kind, subtype in uploads.execute(
        "SELECT t.typname, t.typtype, s.typname "
        "FROM pg_range JOIN pg_type AS t ON t.oid IN (rngtypid, rngmultitypid) "
        "JOIN pg_type AS s ON s.oid = rngsubtype WHERE t.typnamespace = 'pg_catalog'::regnamespace"
    ):
        ranges = tuple(f"[{as_field(literal)},)" for literal in LITERALS[subtype])
        literals = ranges if kind == "r" else tuple(f"{{{each}}}" for each in ranges)
        yield Case(f"c_{name}", name, literals)
        yield Case(f"a_{name}", f"{name}[]", (as_array(literals),))


def as_array(literals: tuple[str, ...], delimiter: str = ",") -> str:
    return "{" + delimiter.join(as_field(literal) for literal in literals) + "}"


def as_field(literal: str) -> str:
    escaped = literal.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
