"""A file far larger than what may be in memory: read, cut and stored as it streams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from etl.config.settings import PostgreSQLSettings
from tests.integration.ingestion.conftest import Uploads

pytestmark = [pytest.mark.stack, pytest.mark.slow]

ROWS = 6_000_000
MOST_MEGABYTES = 500

_REPORT_MEMORY = """
import json, sys
from etl.ingestion.command.app import main
from etl.ingestion.watch.metrics import peak_memory_bytes
try:
    main()
except SystemExit as ended:
    code = ended.code or 0
print(json.dumps({"peak_bytes": peak_memory_bytes()}))
sys.exit(code)
"""


def test_a_file_of_a_gigabyte_needs_no_more_memory_than_a_small_one(
    uploads: Uploads,
) -> None:
    file = uploads.folder / "events.csv"
    _write(file, ROWS)
    assert file.stat().st_size > 2 * MOST_MEGABYTES * 1024 * 1024

    output = _upload(uploads.settings, file)

    *report, memory = output.rstrip().rsplit("\n", 1)
    assert json.loads("\n".join(report))["rows_inserted"] == ROWS
    assert json.loads(memory)["peak_bytes"] < MOST_MEGABYTES * 1024 * 1024
    found = uploads.execute("SELECT count(*), count(DISTINCT id), sum(CAST(amount AS bigint)) FROM events")
    assert found == [(ROWS, ROWS, sum(range(1000)) * ROWS // 1000)]


def _write(file: Path, rows: int) -> None:
    """Of the shape of 10 GB of events: text with quotes, commas and line breaks in it."""
    text = 'a title with ""quotes"", commas, and a lot of words ' * 3
    with file.open("w", encoding="utf-8", newline="\n") as lines:
        lines.write("id,amount,title\n")
        for first in range(0, rows, 1000):
            lines.write("".join(f'{first + n:012d},{n},"{n} {text}"\n' for n in range(1000)))


def _upload(database: PostgreSQLSettings, file: Path) -> str:
    password = database.password.get_secret_value()
    dsn = f"postgresql://{database.user}:{password}@{database.host}:{database.port}/{database.database}"
    done = subprocess.run(
        [
            *(sys.executable, "-c", _REPORT_MEMORY, "load", "--files", str(file), "--table", "events", "--pk", "id"),
            *("--headers", "id,amount,title", "--json", "--concurrency", "4", "--chunk-size", "50000"),
        ],
        env=os.environ | {"ETL_UPLOADER_DSN": dsn},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
