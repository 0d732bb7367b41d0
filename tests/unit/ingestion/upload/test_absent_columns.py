from __future__ import annotations

from pathlib import Path

import pytest

from etl.errors import SourceError, UsageError
from etl.ingestion.model import CsvOptions, Header, TolerantMode, UploadOptions
from etl.ingestion.upload.absent_columns import next_step, refuse_absent, refuse_lacking

A, B = Path("a.csv"), Path("b.csv")


def options(*names: str, tolerant: TolerantMode | None = None) -> UploadOptions:
    return UploadOptions(("a.csv",), "t", tuple(map(Header, names)), csv=CsvOptions(tolerant=tolerant))


def test_every_column_that_no_file_has_is_named_at_once() -> None:
    with pytest.raises(UsageError) as refused:
        refuse_absent({A: ["id", "Name"], B: ["id", "born "]}, options("id", "name", "born", "x"), stored=())
    assert str(refused.value) == (
        "--headers names 3 columns that no file has; nothing was written:\n"
        "  name: did you mean 'Name'?\n"
        "  born: did you mean 'born '?\n"
        "  x: valid: Name, born "
    )


def test_a_file_that_names_nothing_says_nothing_of_columns() -> None:
    refuse_absent({A: None}, options("id"), stored=())
    refuse_absent({A: None, B: ["id"]}, options("id"), stored=())
    with pytest.raises(UsageError, match="1 column that no file has"):
        refuse_absent({A: None, B: ["no"]}, options("id"), stored=())


def test_a_column_of_the_table_may_be_in_no_file_where_that_was_said() -> None:
    refuse_absent({A: ["id"]}, options("id", "name", tolerant=TolerantMode.NULL), stored=("id", "name"))
    with pytest.raises(UsageError):
        refuse_absent({A: ["id"]}, options("id", "name"), stored=("id", "name"))
    with pytest.raises(UsageError):
        refuse_absent({A: ["id"]}, options("id", "name", tolerant=TolerantMode.EMPTY), stored=())


def test_what_decides_must_be_in_the_file_and_the_rest_where_nothing_was_said() -> None:
    refuse_lacking(A, ["name"], ["id"], ["id"], options("id", "name", tolerant=TolerantMode.NULL))
    with pytest.raises(SourceError, match=r"expected column name, which --headers names.*--tolerant"):
        refuse_lacking(A, ["name"], ["id"], ["id"], options("id", "name"))
    with pytest.raises(SourceError, match=r"expected column id, which the key .*id: did you mean 'ID'\?$"):
        refuse_lacking(A, ["id", "x"], ["id"], ["name", "ID"], options("id", "name", tolerant=TolerantMode.NULL))


@pytest.mark.parametrize(
    ("names", "step"),
    [
        (["id;name"], "the header is separated by ';': --delimiter semicolon"),
        (["id\tname"], "the header is separated by '\\t': --delimiter tab"),
        (['"id"|"name"'], "the header is separated by '|': --delimiter pipe"),
        (["id,name"], "the header is separated by ',': --delimiter comma"),
        (["sep=;"], "the first line is a spreadsheet's sep=, and not the header: take it out (tail -n +2)"),
        (["SEP=", ""], "the first line is a spreadsheet's sep=, and not the header: take it out (tail -n +2)"),
        (["names"], "id: valid: names; name: did you mean 'names'?"),
        (
            ["-1.5", "Ada"],
            "id: valid: -1.5, Ada; name: valid: -1.5, Ada; if the first line is data already: --no-header",
        ),
    ],
)
def test_the_next_step_is_the_delimiter_or_the_spelling(names: list[str], step: str) -> None:
    assert next_step(["id", "name"], names) == step


def test_of_many_columns_some_are_named() -> None:
    assert next_step([f"c{n}" for n in range(100)], ["x"]).endswith("; c9: valid: x; and 90 more")
