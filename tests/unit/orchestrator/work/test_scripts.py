from __future__ import annotations

from pathlib import Path

import pytest

from etl.errors import UsageError
from etl.orchestrator.work.scripts import read_script, refuse_transactions, statements_of


def test_semicolons_in_literals_names_and_comments_end_nothing() -> None:
    script = """-- one; two
    SELECT ';', "a;b", $$ ; $$, E'\\';' /* ; */;
    DO $x$ BEGIN PERFORM 1; END $x$;;
    SELECT %(a)s, 5 %% 2"""
    assert statements_of(script, "postgres") == [
        "-- one; two\n    SELECT ';', \"a;b\", $$ ; $$, E'\\';' /* ; */",
        "DO $x$ BEGIN PERFORM 1; END $x$",
        "SELECT %(a)s, 5 %% 2",
    ]


def test_clickhouse_has_escapes_and_parameters_of_its_own() -> None:
    script = "INSERT INTO a SELECT {d:Date}, 'it\\'s;', `a;b`; OPTIMIZE TABLE a FINAL; -- the end;\n"
    assert statements_of(script, "clickhouse") == [
        "INSERT INTO a SELECT {d:Date}, 'it\\'s;', `a;b`",
        "OPTIMIZE TABLE a FINAL",
    ]


@pytest.mark.parametrize("statement", ["begin", "COMMIT", "Start  Transaction", "rollback to x", "END"])
def test_a_script_that_ends_its_transaction_itself_is_refused(statement: str) -> None:
    with pytest.raises(UsageError, match="statements of one transaction"):
        refuse_transactions(["SELECT 1", statement])


def test_others_are_not() -> None:
    refuse_transactions(
        ["SELECT 'COMMIT'", "-- COMMIT\nSELECT 1", "CREATE TABLE commit_log (a int)", "PREPARE x AS SELECT 1"]
    )


def test_a_file_that_is_missing_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.sql: expected a file of SQL"):
        read_script(tmp_path / "missing.sql")
    (tmp_path / "a.sql").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="in UTF-8"):
        read_script(tmp_path / "a.sql")


def test_text_that_cannot_be_read_is_told() -> None:
    with pytest.raises(UsageError, match="expected SQL"):
        statements_of("SELECT 'open", "postgres")
