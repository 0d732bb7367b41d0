from __future__ import annotations

import pytest

from etl.statements.staging.values import is_partial, read_as


@pytest.mark.parametrize(
    ("wanted", "found", "text"),
    [
        ("text", "text", "x"),
        ("text", "uuid", "(x)::text"),
        ("jsonb", "json", "CASE WHEN pg_input_is_valid((x)::text, 'jsonb') THEN (x)::text::jsonb END"),
        ("jsonb", "bytea", None),
        ("timestamptz", "timestamp", "(x) AT TIME ZONE 'Europe/Berlin'"),
        ("timestamptz", "date", "(x)::timestamp AT TIME ZONE 'Europe/Berlin'"),
        (
            "timestamptz",
            "varchar",
            "CASE WHEN pg_input_is_valid((x)::text, 'timestamptz') THEN (x)::text::timestamptz END",
        ),
        ("timestamptz", "int8", None),
        ("boolean", "int4", "CASE WHEN pg_input_is_valid((x)::text, 'boolean') THEN (x)::text::boolean END"),
        ("boolean", "float8", None),
        ("bigint", "int4", "(x)::bigint"),
        ("bigint", "numeric", "CASE WHEN pg_input_is_valid((x)::text, 'bigint') THEN (x)::text::bigint END"),
        ("bigint", "timestamp", None),
    ],
)
def test_a_value_is_read_or_not_guessed(wanted: str, found: str, text: str | None) -> None:
    assert read_as(wanted, found, "x", time_zone="Europe/Berlin") == text


def test_what_is_no_json_may_be_kept_as_a_value() -> None:
    assert read_as("jsonb", "_text", "x", time_zone="UTC", keeps_any=True) == "to_jsonb(x)"
    assert read_as("jsonb", "text", "x", time_zone="UTC", keeps_any=True) == (
        "CASE WHEN pg_input_is_valid((x)::text, 'jsonb') THEN (x)::text::jsonb ELSE to_jsonb((x)::text) END"
    )


@pytest.mark.parametrize(
    ("wanted", "found", "partial"),
    [
        ("text", "bpchar", False),
        ("jsonb", "jsonb", False),
        ("jsonb", "json", True),
        ("timestamptz", "timestamp", False),
        ("timestamptz", "text", True),
        ("boolean", "int2", True),
        ("bigint", "int4", False),
        ("bigint", "numeric", True),
    ],
)
def test_which_conversions_may_fail(wanted: str, found: str, partial: bool) -> None:
    assert is_partial(wanted, found) is partial
