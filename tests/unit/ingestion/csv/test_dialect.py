from __future__ import annotations

from pathlib import Path

import pytest

from etl.errors import UsageError
from etl.ingestion.csv.dialect import Dialect, csv_option_faults, dialect_of
from etl.ingestion.model import CsvOptions, Header, UploadOptions
from etl.ingestion.upload.checks import faults_of
from tests.unit.ingestion.csv_support import source_of, write


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " ", "\\", "\x01"])
def test_a_delimiter_of_one_ascii_character_serves(delimiter: str) -> None:
    assert dialect_of(CsvOptions(delimiter=delimiter)) == Dialect(delimiter.encode(), b'"', b"")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (CsvOptions(delimiter=""), "--delimiter '': expected one ASCII character"),
        (CsvOptions(delimiter="||"), r"--delimiter '\|\|': expected one ASCII character"),
        (CsvOptions(delimiter="§"), "--delimiter '§': expected one ASCII character"),
        (CsvOptions(delimiter="\n"), r"--delimiter '.n': expected one ASCII character"),
        (CsvOptions(quotechar="\0"), r"--quotechar '.x00': expected one ASCII character"),
        (CsvOptions(delimiter="'", quotechar="'"), "--delimiter and --quotechar are the same"),
        (CsvOptions(null="a,b"), "--null 'a,b': expected a text without delimiter"),
        (CsvOptions(null="\\."), r"--null .*: expected"),
        (CsvOptions(encoding="klingon"), "--encoding 'klingon' is not known: expected one of Python's"),
        (CsvOptions(encoding="base64"), "--encoding 'base64' is not known"),
    ],
)
def test_what_cannot_serve_is_refused(tmp_path: Path, options: CsvOptions, fault: str) -> None:
    with pytest.raises(UsageError, match=fault):
        source_of(write(tmp_path, b""), "id", options)


@pytest.mark.parametrize("null", ["a,b", "\\.", '"', "\n"])
def test_a_null_that_cannot_serve_is_bad_use_of_the_command(null: str) -> None:
    options = UploadOptions(("a.csv",), "t", (Header("id"),), ("id",), csv=CsvOptions(null=null))
    (fault,) = faults_of(options)
    assert fault.startswith(f"--null {null!r}")


def test_all_faults_are_told_together() -> None:
    faults = csv_option_faults(CsvOptions(delimiter="", quotechar="''", encoding="klingon"))
    assert [fault.split(" ")[0] for fault in faults] == ["--delimiter", "--quotechar", "--encoding"]


def test_a_chunk_of_no_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--chunk-size: expected at least 1, found 0"):
        source_of(write(tmp_path, b""), "id", chunk_size=0)
