"""What the configuration names on this machine; no server is asked."""

from __future__ import annotations

import time
from pathlib import Path

from etl.config.configuration import load_configuration
from etl.doctor.asked import Asked
from etl.doctor.configuration import subject
from etl.doctor.examination import examine
from etl.doctor.findings import Finding, Status
from etl.model import Destination

TABLES = """
tables:
  trips: {{kind: reference, key: id, source: {{type: file, format: csv, path: {path}, columns: {{id: int}}}}}}
  lake: {{kind: reference, key: id, source: {{type: file, format: delta, path: s3a://b/lake, columns: {{id: int}}}}}}
"""


def findings(folder: Path, tables: str, **environ: str) -> dict[str, Finding]:
    (folder / "tables").mkdir(exist_ok=True)
    (folder / "tables" / "all.yaml").write_text(tables)
    asked = Asked(load_configuration(folder, environ), [Destination.S3], {}, time.time)
    return {each.check: each for each in examine([subject(asked)])}


def test_files_that_are_not_there(tmp_path: Path) -> None:
    tables = TABLES.format(path="'trips/*.csv'")
    found = findings(tmp_path, tables)["files"]
    assert (found.status, found.found) == (Status.FAILED, f"nothing at {tmp_path}/trips/*.csv (trips)")
    assert "source.path" in found.next_step
    (tmp_path / "trips").mkdir()
    (tmp_path / "trips" / "a.csv").touch()
    assert findings(tmp_path, tables)["files"].found == "those of 1 tables are there; not looked for: 1"


def test_hashes_without_a_salt(tmp_path: Path) -> None:
    tables = "tables: {people: {kind: reference, key: id, transform: {hash: [email]}}}"
    found = findings(tmp_path, tables)["hash_salt"]
    assert (found.status, found.expected) == (Status.WARNING, "ETL_HASH_SALT")
    assert findings(tmp_path, tables, ETL_HASH_SALT="pepper")["hash_salt"].status is Status.OK
