"""Names that are bytes and not UTF-8: of files, in arguments and in the environment; and reports that nobody takes."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.command.exits import Exit
from etl.command.logging import LogFormat, configure_logging
from etl.ingestion.command import commands
from etl.ingestion.model import FileStatus
from etl.ingestion.watch.event_log import EventLog
from etl.ingestion.watch.metrics import Metrics
from tests.integration.ingestion.conftest import Silent, Uploads, told
from tests.integration.ingestion.test_command import url_of

pytestmark = pytest.mark.stack

BAD = os.fsdecode(b"caf\xe9")
SHOWN = "caf\\xe9"
CSV = b"id,name\n1,one\n2,two\n"


def files(folder: Path) -> dict[str, bytes]:
    plain = folder / "plain.parquet"
    pq.write_table(pa.table({"id": ["1", "2"], "name": ["one", "two"]}), plain)
    return {".csv": CSV, ".csv.gz": gzip.compress(CSV), ".parquet": plain.read_bytes()}


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet"])
def test_a_file_is_loaded_skipped_and_told_whatever_its_name(
    uploads: Uploads, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = uploads.folder / f"{BAD}{ending}"
    path.write_bytes(files(uploads.folder)[ending])
    configure_logging(LogFormat.JSON)
    (result,) = uploads.load(f"{uploads.folder}/caf*{ending}", observers=[EventLog(), Metrics()]).files
    assert (result.path, result.notes) == (f"{uploads.folder}/{SHOWN}{ending}", "")
    assert told(result.counts) == {"read": 2, "inserted": 2}
    assert uploads.manifest() == [(f"{uploads.folder}/{SHOWN}{ending}", "success", 2)]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert {line["file"] for line in lines if "file" in line} == {f"{uploads.folder}/{SHOWN}{ending}"}
    assert uploads.load_one(path, resume=True).status is FileStatus.SKIPPED


def test_a_bad_file_is_named_and_loaded_again_when_it_is_mended(
    uploads: Uploads, capsys: pytest.CaptureFixture[str]
) -> None:
    path = uploads.folder / f"{BAD}.csv"
    path.write_bytes(b"id,name\n1,one,more\n")
    result = uploads.load_one(path)
    assert result.status is FileStatus.FAILED
    assert f"{SHOWN}.csv, line 2" in result.notes
    environment = {"ETL_UPLOADER_DSN": url_of(uploads.settings)}
    path.write_bytes(CSV)
    assert commands.retry_failed_files({"table": "t", "connect_timeout": "5", "json": True}, environment) == 0
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert (file["path"], file["rows_inserted"]) == (f"{uploads.folder}/{SHOWN}.csv", 2)
    raw = {"file": str(path), "connect_timeout": "5", "json": True}
    assert commands.show_status(raw, environment) == 0
    assert [file["filename"] for file in json.loads(capsys.readouterr().out)["files"]] == [
        f"{uploads.folder}/{SHOWN}.csv"
    ]


def test_a_name_that_looks_like_an_escaped_one_is_another_file(uploads: Uploads) -> None:
    for name in (BAD, SHOWN):
        (uploads.folder / f"{name}.csv").write_bytes(CSV)
    uploads.load(f"{uploads.folder}/caf*.csv")
    names = {f"{uploads.folder}/caf\\xe9.csv", f"{uploads.folder}/caf\\\\xe9.csv"}
    assert {name for name, _, _ in uploads.manifest()} == names


def test_an_observer_that_raises_decides_nothing(uploads: Uploads) -> None:
    class Raising(Silent):
        def batch_done(self, batch: Any) -> None:
            raise ValueError("no")

    result = uploads.load(uploads.numbered("a.csv", range(10)), chunk_size=3, observers=[Raising()])
    assert result.is_success
    assert told(result.counts) == {"read": 10, "inserted": 10}


@pytest.mark.parametrize("option", [(), ("--json",)], ids=["table", "json"])
def test_a_report_that_cannot_be_written_does_not_fail_the_load(uploads: Uploads, option: tuple[str, ...]) -> None:
    """Everything that is written to /dev/full fails as on a full disk."""
    file = uploads.numbered("a.csv", range(10))
    arguments = ("load", "--files", str(file), "--table", "t", "--headers", "id,name", "--pk", "id", *option)
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "etl.ingestion", *arguments],
            env={**os.environ, "ETL_UPLOADER_DSN": url_of(uploads.settings)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert ended.returncode == 0
    assert "report not printed" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(uploads.rows()) == 10


def test_arguments_and_variables_that_are_not_utf8_are_refused_by_name(
    uploads: Uploads, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = {"ETL_UPLOADER_DSN": f"postgresql://u:{BAD}@127.0.0.1:1/x"}
    names = ("table", "headers", "pk", "run_id", "encoding", "null", "timezone", "delimiter", "dsn", "mode")
    assert commands.load_files({**dict.fromkeys(names, BAD), "files": (BAD,)}, environment) == Exit.USAGE
    said = capsys.readouterr().err
    for name in names:
        assert f"--{name.replace('_', '-')}: expected text in UTF-8" in said
    assert commands.show_status({"connect_timeout": "5"}, environment) == Exit.USAGE
    assert "ETL_UPLOADER_DSN holds bytes that are not UTF-8" in capsys.readouterr().err
    assert commands.show_status({"connect_timeout": "5"}, {"PGPASSWORD": BAD, "PGHOST": "h"}) == Exit.USAGE
    assert "PGPASSWORD holds bytes that are not UTF-8" in capsys.readouterr().err
