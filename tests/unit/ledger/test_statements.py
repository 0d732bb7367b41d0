from __future__ import annotations

from pathlib import Path

import pytest

from etl.ledger.statements import SQL_DIRECTORY, statement
from etl.statements.named import named_statements, parse_statements


def test_each_name_has_the_text_up_to_the_next() -> None:
    text = "-- about the file\n\n-- name: one\n-- why\nSELECT 1;\n\n-- name: two\nSELECT 2;\n"
    assert parse_statements(text) == [("one", "-- why\nSELECT 1;"), ("two", "SELECT 2;")]


def test_a_name_stands_once(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("-- name: one\nSELECT 1;\n")
    (tmp_path / "b.sql").write_text("-- name: one\nSELECT 2;\n")
    with pytest.raises(ValueError, match=r"b\.sql: the statement 'one' is named twice"):
        named_statements(tmp_path)


def test_every_statement_gives_its_reason() -> None:
    statements = named_statements(SQL_DIRECTORY / "queries")
    assert statements
    assert [name for name, text in statements.items() if not text.startswith("-- ")] == []


def test_an_unknown_name_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        statement("no_such_statement")
