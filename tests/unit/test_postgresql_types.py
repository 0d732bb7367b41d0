from __future__ import annotations

import pytest

from etl.postgresql_types import base_type, declared_digits, format_type, length_of


@pytest.mark.parametrize(
    ("written", "formatted"),
    [
        ("varchar(80)", "character varying(80)"),
        ("VARCHAR", "character varying"),
        ("character varying(80)", "character varying(80)"),
        ("char", "character(1)"),
        ("char(3)", "character(3)"),
        ("int", "integer"),
        ("int8", "bigint"),
        ("bigserial", "bigint"),
        ("float8", "double precision"),
        ("double  precision", "double precision"),
        ("numeric", "numeric"),
        ("numeric(12, 2)", "numeric(12,2)"),
        ("decimal(5)", "numeric(5,0)"),
        ("timestamptz", "timestamp with time zone"),
        ("timestamp with time zone", "timestamp with time zone"),
        ("timestamp(3) with time zone", "timestamp(3) with time zone"),
        ("timestamptz(3)", "timestamp(3) with time zone"),
        ("timestamp", "timestamp without time zone"),
        ("text[]", "text[]"),
        ("int[][]", "integer[]"),
        ("varchar(10)[]", "character varying(10)[]"),
        ("bool", "boolean"),
        ("inet", "inet"),
        ("bytea", "bytea"),
    ],
)
def test_spelled_as_format_type_prints(written: str, formatted: str) -> None:
    assert format_type(written) == formatted
    assert format_type(formatted) == formatted


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("integr", "unknown PostgreSQL type 'integr'; did you mean 'integer'?"),
        ("varchar(", "unknown PostgreSQL type 'varchar('; did you mean 'varchar'?"),
        ("text(5)", "type 'text(5)': text takes no such arguments"),
        ("varchar(5,2)", "type 'varchar(5,2)': character varying takes no such arguments"),
    ],
)
def test_an_unknown_type_is_refused_with_the_nearest(written: str, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        format_type(written)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("name", "base", "length", "digits"),
    [
        ("numeric(12,-2)", "numeric", None, (12, -2)),
        ("numeric(12)", "numeric", None, (12, 0)),
        ("numeric", "numeric", None, None),
        ("numeric(3,1)[]", "numeric[]", None, None),
        ("timestamp(3) with time zone", "timestamp with time zone", None, None),
        ("character varying(80)", "character varying", 80, None),
        ("character(1)", "character", 1, None),
        ("character varying(80)[]", "character varying[]", None, None),
        ("interval second(3)", "interval second", None, None),
        ("geometry(Point,4326)", "geometry", None, None),
        ("text", "text", None, None),
    ],
)
def test_what_a_type_is_and_how_much_it_holds(
    name: str, base: str, length: int | None, digits: tuple[int, int] | None
) -> None:
    assert (base_type(name), length_of(name), declared_digits(name)) == (base, length, digits)
