"""What the command line's texts mean."""

from __future__ import annotations

import pytest

from etl.ingestion.command.spelling import read_character, read_headers, read_names, read_order, spelled_out
from etl.ingestion.model import Header, OrderColumn

SWITCHES = {"--dry-run": "--no-dry-run", "--no-header": "--header"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("load --dry-run", "load --dry-run"),
        ("load --dry-run true --table t", "load --dry-run --table t"),
        ("load --dry-run false --table t", "load --no-dry-run --table t"),
        ("load --dry-run=false", "load --no-dry-run"),
        ("load --dry-run=TRUE", "load --dry-run"),
        ("load --no-header false", "load --header"),
        ("load --dry-run --table false", "load --dry-run --table false"),
        ("load --dry-run maybe", "load --dry-run maybe"),
        ("load --dry-run=maybe", "load --dry-run=maybe"),
        ("load --files a b c --table t", "load --files a --files b --files c --table t"),
        ("load --files=a b --files c", "load --files a --files b --files c"),
        ("load --files a --dry-run true", "load --files a --dry-run"),
        ("load --files", "load --files"),
        ("load -- --dry-run false", "load -- --dry-run false"),
    ],
)
def test_switches_and_lists_are_spelled_out(given: str, expected: str) -> None:
    assert spelled_out(given.split(), SWITCHES, ("--files",)) == expected.split()


def test_headers_have_types_with_commas_of_their_own() -> None:
    headers, faults = read_headers("id:bigint, name ,amount:numeric(10, 2),at:timestamptz,tags:text[]")
    assert headers == (
        Header("id", "bigint"),
        Header("name"),
        Header("amount", "numeric(10,2)"),
        Header("at", "timestamp with time zone"),
        Header("tags", "text[]"),
    )
    assert faults == []


def test_every_unknown_type_is_said_with_the_nearest() -> None:
    _, faults = read_headers("id:bigin,name:text,x:blob2")
    assert len(faults) == 2
    assert "did you mean 'bigint'?" in faults[0]


def test_an_empty_name_stays_to_be_complained_of() -> None:
    assert [header.name for header in read_headers("id,,name")[0]] == ["id", "", "name"]
    assert read_headers("")[0] == ()
    assert read_names("a, b") == ("a", "b")
    assert read_names(" ") == ()


def test_a_type_cannot_smuggle_sql() -> None:
    headers, faults = read_headers("id:bigint); DROP TABLE users; --")
    assert headers[0].type is None
    assert len(faults) == 1


def test_an_order_reads_as_in_sql() -> None:
    assert read_order("updated_at desc, id,x ASC") == (
        (OrderColumn("updated_at", True), OrderColumn("id", False), OrderColumn("x", False)),
        [],
    )
    assert read_order("updated_at downwards")[1] == [
        "--dedup-order-by 'updated_at downwards': expected COLUMN, COLUMN asc or COLUMN desc"
    ]


def test_characters_that_are_hard_to_type_have_names() -> None:
    assert [read_character(text) for text in ("tab", "\\t", "\t", "semicolon", "pipe", "|", "comma")] == [
        *("\t",) * 3,
        ";",
        "|",
        "|",
        ",",
    ]
